"""One training: all epochs of one model, with a validation and a checkpoint after each."""

import functools
import json
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import candidates
from failure import InputError
from model import losses
from model.autoencoder import AdversarialAutoencoder
from model.checkpoint import ADVICE, Checkpoint
from model.distribution import ALONE, Workers
from model.gan import ScarceGan
from model.hyperparameters import Hyperparameters
from model.loop import Loop
from model.progress import Progress
from model.training_data import Part
from model.variants import AUTOENCODER, Settings

OVERVIEW = candidates.Definition("overview", "f1", "max", {})  # what history.csv shows


def model(settings: Settings, part: Part, unlabelled: NDArray[np.float32]) -> Loop:
    """The untrained model of the settings' variant."""
    kind = AdversarialAutoencoder if settings.variant == AUTOENCODER else ScarceGan
    return kind(settings, part.labelled, unlabelled)


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
    built = model(settings, part, unlabelled)
    built.workers = workers
    progress = Progress.start(options.candidates, epochs)
    if checkpoint.restore(functools.partial(progress.restore, built)):
        print(f"Checkpoint: going on after epoch {progress.epoch}", flush=True)
    workers.check_same(
        json.dumps(progress.document()),
        f"checkpoint {checkpoint.path}: the instances do not have the same one; {ADVICE}",
    )
    steps = options.iterations_per_epoch
    while progress.epoch < options.epochs:
        means = built.train(steps, options.epochs * steps)
        _end_epoch(options, part, built, progress, means.tolist())
        if workers.is_chief:
            tell(progress.history[-1])
            checkpoint.save(progress.document(), progress.arrays(built))
    return progress


def _end_epoch(
    options: Hyperparameters, part: Part, built: Loop, progress: Progress, means: list[float]
) -> None:
    """Validate; `means` are those of Loop.train."""
    epoch, positive = progress.epoch + 1, part.held_out_groups == 0
    supervised, unsupervised, generator, accuracy = means
    logits = built.logits(part.held_out)
    scores = tf.nn.softmax(logits)[:, 0].numpy()
    loss = validation_loss(logits, part.held_out_groups, options.leeway)
    if not np.isfinite([supervised, unsupervised, generator, loss]).all():
        raise InputError(
            f"training diverged in epoch {epoch}: a loss is not finite; lower the learning rates"
        )
    choices = [candidates.choose(best.definition, positive, scores, loss) for best in progress.bests]
    shown = candidates.choose(OVERVIEW, positive, scores, loss).metrics
    entropies = {
        f"entropy_{group}": float(losses.conditional_entropy(logits[part.held_out_groups == code]))
        for code, group in enumerate(options.groups)
    }
    metrics = {
        "epoch": epoch,
        "iteration": epoch * options.iterations_per_epoch,
        "discriminator_supervised_loss": supervised,
        "discriminator_unsupervised_loss": unsupervised,
        "generator_loss": generator,
        "accuracy_supervised": accuracy,
        "validation_loss": loss,
        "average_precision": shown["average_precision"],
        "recall_at_1_percent": shown["recall_at_1_percent"],
        "recall": shown["recall"],
        "precision": shown["precision"],
        "f1": shown["f1"],
    }
    progress.end_epoch(metrics | entropies, choices, built.weights())


def validation_loss(logits: NDArray[np.float32], groups: NDArray[np.int64], leeway: float) -> float:
    """The supervised loss with every group weighing the same, as in the training batches."""
    parts = [
        losses.supervised_with_leeway(
            tf.constant(logits[groups == code]), tf.constant(groups[groups == code], tf.int32), leeway
        )
        for code in np.unique(groups)
    ]
    return float(np.mean([float(part) for part in parts]))
