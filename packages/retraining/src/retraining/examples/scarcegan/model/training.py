"""One training: all epochs of one model, with a validation and a checkpoint after each."""

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import candidates
from candidates import Choice, Definition
from job_toolkit import strict_json
from job_toolkit.failure import InputError
from model import losses
from model.autoencoder import AdversarialAutoencoder
from model.checkpoint import ADVICE, Checkpoint
from model.distribution import ALONE, Workers
from model.gan import ScarceGan
from model.hyperparameters import Hyperparameters
from model.loop import Loop, Weights
from model.training_data import Part
from model.variants import AUTOENCODER, Settings

OVERVIEW = Definition("overview", "f1", "max", {})  # whose metrics history.csv shows


@dataclass
class Best:
    """The epoch that a candidate definition takes, 0 before there is one: `wanted`, or the best so far."""

    definition: Definition
    wanted: int | None = None
    epoch: int = 0
    weights: Weights = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass
class Progress:
    """Of each epoch that is done: `history` has a row of metrics, `choices` one for each of `bests`."""

    bests: list[Best]
    history: list[dict[str, float]] = field(default_factory=list)
    choices: list[list[Choice]] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        return len(self.history)

    def end_epoch(self, metrics: dict[str, float], choices: list[Choice], weights: Weights) -> None:
        self.history.append(metrics)
        self.choices.append(choices)
        for index, best in enumerate(self.bests):
            if best.wanted is not None:
                is_taken = self.epoch == best.wanted
            else:
                so_far = self.choices[best.epoch - 1][index]
                rank, so_far_rank = choices[index].rank(best.definition), so_far.rank(best.definition)
                is_taken = best.epoch == 0 or rank > so_far_rank
            if is_taken:
                best.epoch, best.weights = self.epoch, weights

    def document(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        choices = [[asdict(choice) for choice in epoch] for epoch in self.choices]
        return {"history": self.history, "choices": choices, "epochs": [best.epoch for best in self.bests]}

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
        if [row["epoch"] for row in self.history] != list(range(1, len(self.choices) + 1)):
            raise ValueError("its history has not the epochs of its choices")
        if any(len(epoch) != len(self.bests) for epoch in self.choices):
            raise ValueError("its choices are not those of the candidates")
        for index, (best, epoch) in enumerate(zip(self.bests, document["epochs"], strict=True)):
            best.epoch, best.weights = epoch, arrays[f"best_{index}"]
            shape = model.weights().shape if epoch else (0,)
            if best.weights.shape != shape or epoch not in range(self.epoch + 1):
                raise ValueError(f"its best epoch {epoch} has weights of the shape {best.weights.shape}")


def best_epochs(folds: list[Progress]) -> dict[str, int]:
    """Of each candidate definition the epoch that is best on average over the folds' held-out rows.

    One validation set has few scarce rows, and the best epoch on it is best by chance as often as not.
    """
    epochs = {}
    for index, best in enumerate(folds[0].bests):
        ranks = [
            tuple(np.mean([fold.choices[epoch][index].rank(best.definition) for fold in folds], axis=0))
            for epoch in range(folds[0].epoch)
        ]
        epochs[best.definition.name] = 1 + max(range(len(ranks)), key=ranks.__getitem__)
    return epochs


def build(settings: Settings, part: Part, unlabelled: NDArray[np.float32], workers: Workers = ALONE) -> Loop:
    """The untrained model of the settings' variant."""
    kind = AdversarialAutoencoder if settings.variant == AUTOENCODER else ScarceGan
    return kind(settings, part.labelled, unlabelled, workers)


def train(
    options: Hyperparameters,
    settings: Settings,
    part: Part,
    unlabelled: NDArray[np.float32],
    checkpoint: Checkpoint,
    epochs: dict[str, int] | None = None,
    tell: Callable[[dict[str, float]], None] = lambda metrics: None,
    workers: Workers = ALONE,
) -> Progress:
    """Train all epochs that the checkpoint does not have.

    `epochs` says which epoch each definition of a candidate takes; without it, the best on the held-out rows.
    `tell` gets the metrics of each epoch. All `workers` come to the same result; the chief keeps checkpoints.
    """
    model = build(settings, part, unlabelled, workers)
    wanted = epochs or {}
    progress = Progress([Best(definition, wanted.get(definition.name)) for definition in options.candidates])
    if checkpoint.restore(functools.partial(progress.restore, model)):
        print(f"Checkpoint: going on after epoch {progress.epoch}", flush=True)
    workers.check_same(
        strict_json.dumps(progress.document()),
        f"checkpoint {checkpoint.path}: the instances do not have the same one; {ADVICE}",
    )
    steps = options.iterations_per_epoch
    while progress.epoch < options.epochs:
        means = model.train(steps, options.epochs * steps)
        _end_epoch(options, part, model, progress, means.tolist())
        if workers.is_chief:
            tell(progress.history[-1])
            checkpoint.save(progress.document(), progress.arrays(model))
    return progress


def _end_epoch(
    options: Hyperparameters, part: Part, model: Loop, progress: Progress, means: list[float]
) -> None:
    """Validate; `means` are those of Loop.train."""
    epoch, groups = progress.epoch + 1, part.held_out_groups
    supervised, unsupervised, generator, accuracy = means
    logits = model.logits(part.held_out)
    loss = validation_loss(logits, groups, options.leeway)
    if not np.isfinite([supervised, unsupervised, generator, loss]).all():
        raise InputError(
            f"training diverged in epoch {epoch}: a loss is not finite; lower the learning rates"
        )
    positive, scores = groups == 0, tf.nn.softmax(logits)[:, 0].numpy()
    choices = [candidates.choose(best.definition, positive, scores, loss) for best in progress.bests]
    overview = candidates.choose(OVERVIEW, positive, scores, loss).metrics
    metrics = {
        "epoch": epoch,
        "iteration": epoch * options.iterations_per_epoch,
        "discriminator_supervised_loss": supervised,
        "discriminator_unsupervised_loss": unsupervised,
        "generator_loss": generator,
        "accuracy_supervised": accuracy,
        "validation_loss": loss,
    }
    shown = ("average_precision", "recall_at_1_percent", "recall", "precision", "f1")
    metrics |= {name: overview[name] for name in shown}
    metrics |= {
        f"entropy_{group}": float(losses.conditional_entropy(logits[groups == code]))
        for code, group in enumerate(options.groups)
    }
    progress.end_epoch(metrics, choices, model.weights())


def validation_loss(logits: NDArray[np.float32], groups: NDArray[np.int64], leeway: float) -> float:
    """The supervised loss with every group weighing the same, as in the training batches."""
    parts = [
        losses.supervised_with_leeway(
            tf.constant(logits[groups == code]), tf.constant(groups[groups == code], tf.int32), leeway
        )
        for code in np.unique(groups)
    ]
    return float(np.mean([float(part) for part in parts]))
