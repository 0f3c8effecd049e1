"""How far a training has come: the best epoch per candidate definition, and the metrics of each epoch."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from candidates import Choice, Definition
from model.loop import Loop, Weights


@dataclass
class Best:
    """The epoch that a candidate definition takes: `wanted`, or else the best so far."""

    definition: Definition
    wanted: int | None = None
    epoch: int = 0
    choice: Choice | None = None
    weights: Weights = field(default_factory=lambda: np.zeros(0, np.float32))

    def offer(self, epoch: int, choice: Choice, weights: Weights) -> None:
        if self.wanted is not None:
            is_taken = epoch == self.wanted
        else:
            is_taken = self.choice is None or choice.rank(self.definition) > self.choice.rank(self.definition)
        if is_taken:
            self.epoch, self.choice, self.weights = epoch, choice, weights


@dataclass
class Progress:
    """Of each epoch that is done: `history` has a row of metrics, `choices` one for each of `bests`."""

    bests: list[Best]
    history: list[dict[str, float]] = field(default_factory=list)
    choices: list[list[Choice]] = field(default_factory=list)

    @classmethod
    def start(cls, definitions: list[Definition], epochs: dict[str, int] | None) -> "Progress":
        """`epochs` is the epoch that each definition takes, if it is settled before."""
        return cls([Best(definition, (epochs or {}).get(definition.name)) for definition in definitions])

    @property
    def epoch(self) -> int:
        return len(self.history)

    def end_epoch(self, metrics: dict[str, float], choices: list[Choice], weights: Weights) -> None:
        self.history.append(metrics)
        self.choices.append(choices)
        for best, choice in zip(self.bests, choices, strict=True):
            best.offer(self.epoch, choice, weights)

    def document(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        bests = [
            {"epoch": best.epoch, "choice": asdict(best.choice) if best.choice else None}
            for best in self.bests
        ]
        choices = [[asdict(choice) for choice in epoch] for epoch in self.choices]
        return {"history": self.history, "choices": choices, "bests": bests}

    def arrays(self, model: Loop) -> dict[str, Any]:
        """The state of the model, and the weights of the best epochs."""
        state = {f"model_{index}": variable.numpy() for index, variable in enumerate(model.variables)}
        return state | {f"best_{index}": best.weights for index, best in enumerate(self.bests)}

    def restore(self, model: Loop, document: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Take over what `document` and `arrays` gave, in the model too."""
        for index, variable in enumerate(model.variables):
            variable.assign(arrays[f"model_{index}"])
        self.history = document["history"]
        self.choices = [[Choice(**choice) for choice in epoch] for epoch in document["choices"]]
        for index, (best, entry) in enumerate(zip(self.bests, document["bests"], strict=True)):
            best.epoch, best.weights = entry["epoch"], arrays[f"best_{index}"]
            best.choice = Choice(**entry["choice"]) if entry["choice"] else None
            self._check(best, model)
        if [row["epoch"] for row in self.history] != list(range(1, len(self.choices) + 1)):
            raise ValueError("its history has not the epochs of its choices")
        if any(len(epoch) != len(self.bests) for epoch in self.choices):
            raise ValueError("its choices are not those of the candidates")

    def _check(self, best: Best, model: Loop) -> None:
        is_taken = (best.wanted or 1) <= self.epoch
        shape = model.weights().shape if is_taken else (0,)
        if best.weights.shape != shape or (best.choice is not None) != is_taken:
            raise ValueError(f"its best epoch has weights of the shape {best.weights.shape}, not {shape}")


def best_epochs(folds: list[Progress]) -> dict[str, int]:
    """Of each candidate definition the epoch that is best on average over the folds' held-out rows.

    One validation set has few scarce rows, and the best epoch on it is best by chance as often as not.
    """
    found = {}
    for index, best in enumerate(folds[0].bests):
        ranks = [
            tuple(np.mean([fold.choices[epoch][index].rank(best.definition) for fold in folds], axis=0))
            for epoch in range(folds[0].epoch)
        ]
        found[best.definition.name] = 1 + max(range(len(ranks)), key=ranks.__getitem__)
    return found
