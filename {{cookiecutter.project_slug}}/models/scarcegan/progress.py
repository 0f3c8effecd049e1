"""How far a training has come: the best epoch per candidate definition, and the metrics of each epoch."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import candidates
from gan import ScarceGan, Weights


@dataclass
class Best:
    """The best epoch so far of one candidate definition."""

    definition: candidates.Definition
    epoch: int = 0
    choice: candidates.Choice | None = None
    weights: Weights = field(default_factory=lambda: np.zeros(0, np.float32))

    def offer(self, epoch: int, choice: candidates.Choice, weights: Weights) -> None:
        if self.choice is None or choice.rank(self.definition) > self.choice.rank(self.definition):
            self.epoch, self.choice, self.weights = epoch, choice, weights


@dataclass
class Progress:
    """`history` has one row of metrics for each epoch that is done."""

    bests: list[Best]
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        return len(self.history)

    def document(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        bests = [
            {"epoch": best.epoch, "choice": asdict(best.choice) if best.choice else None}
            for best in self.bests
        ]
        return {"history": self.history, "bests": bests}

    def arrays(self, model: ScarceGan) -> dict[str, Any]:
        """The state of the model, and the weights of the best epochs."""
        state = {f"model_{index}": variable.numpy() for index, variable in enumerate(model.variables)}
        return state | {f"best_{index}": best.weights for index, best in enumerate(self.bests)}

    def restore(self, model: ScarceGan, document: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Take over what `document` and `arrays` gave, in the model too."""
        for index, variable in enumerate(model.variables):
            variable.assign(arrays[f"model_{index}"])
        self.history = document["history"]
        for index, (best, entry) in enumerate(zip(self.bests, document["bests"], strict=True)):
            best.epoch, best.weights = entry["epoch"], arrays[f"best_{index}"]
            best.choice = candidates.Choice(**entry["choice"]) if entry["choice"] else None
