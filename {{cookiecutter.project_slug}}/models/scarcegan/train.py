"""SageMaker training job: train ScarceGAN, choose candidates on validation rows, save them as SavedModels.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train_data, train_label, validation_data,
validation_label, unlabelled_folds. The model folder (SM_MODEL_DIR, or /opt/ml/model) gets
candidates/<name>/{1/, scaler.json}, candidates.json, history.csv and hyperparameters.json. Where there is a
folder /opt/ml/checkpoints, the training goes on from its checkpoint there.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its kernels round differently from machine to machine

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

import candidates
import checkpoint
import dataset
import export
import failure
import hyperparameters
import losses
import scaler
from checkpoint import Checkpoints
from failure import InputError
from gan import ScarceGan, Settings
from hyperparameters import Hyperparameters
from progress import Best, Progress

DEFAULT_BASE = "/opt/ml"
CHANNELS = ("train_data", "train_label", "validation_data", "validation_label", "unlabelled_folds")
OVERVIEW = candidates.Definition("overview", "f1", "max", {})  # what history.csv shows


@dataclass(frozen=True)
class Data:
    """Scaled rows: labelled by group [n_k, F], unlabelled [m, F], validation [v, F] with group codes [v]."""

    scaler: scaler.Scaler
    labelled: list[NDArray[np.float32]]
    unlabelled: NDArray[np.float32]
    validation: NDArray[np.float32]
    validation_groups: NDArray[np.int64]


def load(channel: dict[str, Path], groups: list[str]) -> Data:
    """Read the channels. Raises InputError when a channel is absent or its content is not preprocess.py's."""
    scale = scaler.load(channel["train_data"] / "scaler.json")
    train = dataset.read_labelled(
        channel["train_data"] / "data.csv", channel["train_label"] / "label.csv", groups
    )
    validation = dataset.read_labelled(
        channel["validation_data"] / "data.csv", channel["validation_label"] / "label.csv", groups
    )
    folds = sorted(channel["unlabelled_folds"].glob("fold_*.csv"))
    if not folds:
        raise InputError(f"channel unlabelled_folds: no fold_*.csv in {channel['unlabelled_folds']}")
    unlabelled = dataset.read_features(folds)
    for name, rows in (
        ("train_data", train),
        ("validation_data", validation),
        ("unlabelled_folds", unlabelled),
    ):
        if rows.features != scale.features:
            raise InputError(
                f"channel {name}: its columns are not the features of scaler.json in the same order"
            )
    for name, rows in (("train_label", train), ("validation_label", validation)):
        absent = [group for code, group in enumerate(groups) if code not in rows.groups]
        if absent:
            raise InputError(f"channel {name}: group {absent[0]!r} has no rows")
    values = scale.transform(train.values)
    return Data(
        scale,
        [values[train.groups == code] for code in range(len(groups))],
        scale.transform(unlabelled.values),
        scale.transform(validation.values),
        validation.groups,
    )


def train(options: Hyperparameters, data: Data, model: ScarceGan, checkpoints: Checkpoints) -> Progress:
    """Train all epochs that no checkpoint has; keep a checkpoint after each."""
    progress = Progress([Best(definition) for definition in options.candidates])
    if saved := checkpoints.load():
        progress.restore(model, *saved)
        print(f"Checkpoint: going on after epoch {progress.epoch}", flush=True)
    steps = options.iterations_per_epoch
    while progress.epoch < options.epochs:
        means = model.train(steps, options.epochs * steps)
        _end_epoch(options, data, model, progress, means.tolist())
        checkpoints.save(progress.document(), progress.arrays(model))
    return progress


def _end_epoch(
    options: Hyperparameters, data: Data, model: ScarceGan, progress: Progress, means: list[float]
) -> None:
    """Validate; `means` are those of ScarceGan.train."""
    epoch, positive = progress.epoch + 1, data.validation_groups == 0
    supervised, unsupervised, generator, accuracy = means
    logits = model.logits(data.validation)
    scores = tf.nn.softmax(logits)[:, 0].numpy()
    loss = validation_loss(logits, data.validation_groups, options.leeway)
    if not np.isfinite([supervised, unsupervised, generator, loss]).all():
        raise InputError(
            f"training diverged in epoch {epoch}: a loss is not finite; lower the learning rates"
        )
    weights = model.weights()
    for best in progress.bests:
        best.offer(epoch, candidates.choose(best.definition, positive, scores, loss), weights)
    shown = candidates.choose(OVERVIEW, positive, scores, loss).metrics
    entropies = {
        f"entropy_{group}": float(losses.conditional_entropy(logits[data.validation_groups == code]))
        for code, group in enumerate(options.groups)
    }
    progress.history.append(
        {
            "epoch": epoch,
            "iteration": epoch * options.iterations_per_epoch,
            "discriminator_supervised_loss": supervised,
            "discriminator_unsupervised_loss": unsupervised,
            "generator_loss": generator,
            "accuracy_supervised": accuracy,
            "validation_loss": loss,
            "average_precision": shown["average_precision"],
            "recall": shown["recall"],
            "precision": shown["precision"],
            "f1": shown["f1"],
        }
        | entropies
    )
    _print_epoch(progress.history[-1])


def validation_loss(logits: NDArray[np.float32], groups: NDArray[np.int64], leeway: float) -> float:
    """The supervised loss with every group weighing the same, as in the training batches."""
    parts = [
        losses.supervised_with_leeway(
            tf.constant(logits[groups == code]), tf.constant(groups[groups == code], tf.int32), leeway
        )
        for code in np.unique(groups)
    ]
    return float(np.mean([float(part) for part in parts]))


def save(
    options: Hyperparameters,
    data: Data,
    model: ScarceGan,
    progress: Progress,
    out: Path,
) -> None:
    """Write the model folder."""
    out.mkdir(parents=True, exist_ok=True)
    listing = []
    for best in progress.bests:
        choice = best.choice
        assert choice is not None
        serving = export.Serving(
            best.weights, model.settings.units, data.scaler, options.groups, choice.threshold
        )
        export.save(serving, data.scaler, out / "candidates" / best.definition.name)
        listing.append(
            {
                "name": best.definition.name,
                "definition": best.definition.document(),
                "definition_met": choice.met,
                "epoch": best.epoch,
                "threshold": choice.threshold,
                "validation": choice.metrics,
                "groups": options.groups,
                "features": data.scaler.features,
            }
        )
        print(
            f"Candidate={best.definition.name}; Epoch={best.epoch}; "
            f"Threshold={choice.threshold:.6f}; Met={choice.met};"
        )
    (out / "candidates.json").write_text(json.dumps(listing, indent=2) + "\n", encoding="utf-8")
    (out / "hyperparameters.json").write_text(
        json.dumps(options.document(), indent=2) + "\n", encoding="utf-8"
    )
    pd.DataFrame(progress.history).to_csv(out / "history.csv", index=False)


def _print_epoch(row: dict[str, float]) -> None:
    """The first five metrics are the contract of the pipeline's metric definitions: keep their spelling."""
    print(
        f"Iteration={row['iteration']:.0f}; "
        f"Discriminator_Supervised_Loss={row['discriminator_supervised_loss']:.6f}; "
        f"Discriminator_UnSupervised_Loss={row['discriminator_unsupervised_loss']:.6f}; "
        f"Generator_Loss={row['generator_loss']:.6f}; "
        f"Accuracy_Supervised={row['accuracy_supervised']:.6f}; "
        f"Validation_Loss={row['validation_loss']:.6f}; "
        f"Recall={row['recall']:.6f}; Precision={row['precision']:.6f}; F1={row['f1']:.6f};",
        flush=True,
    )


def channels(base: Path | None) -> dict[str, Path]:
    """Channel folders: under `base` if given, else where SageMaker says they are."""
    if base is not None:
        return {name: base / "input" / "data" / name for name in CHANNELS}
    fallback = Path(DEFAULT_BASE) / "input" / "data"
    return {name: Path(os.environ.get(f"SM_CHANNEL_{name.upper()}", fallback / name)) for name in CHANNELS}


def settings(options: Hyperparameters, features: int) -> Settings:
    return Settings(
        groups=len(options.groups),
        features=features,
        batch_size=options.batch_size,
        learning_rate_discriminator=options.learning_rate_discriminator,
        learning_rate_generator=options.learning_rate_generator,
        noise_dim=options.noise_dim,
        leeway=options.leeway,
        seed=options.seed,
    )


def mark(shape: Settings, options: Hyperparameters, channel: dict[str, Path]) -> str:
    """Of all that decides what a training gives: two trainings with the same mark give the same models."""
    content = options.document() | {"settings": asdict(shape), "tensorflow": tf.__version__}
    return checkpoint.fingerprint(
        content, [path for name in CHANNELS for path in sorted(channel[name].iterdir())]
    )


def main(argv: list[str]) -> None:
    options = hyperparameters.parse(argv)
    base = failure.base_folder(argv)
    out = base / "model" if base else Path(os.environ.get("SM_MODEL_DIR", f"{DEFAULT_BASE}/model"))
    where = channels(base)
    data = load(where, options.groups)
    shape = settings(options, len(data.scaler.features))
    model = ScarceGan(shape, data.labelled, data.unlabelled)
    checkpoints = Checkpoints((base or Path(DEFAULT_BASE)) / "checkpoints", mark(shape, options, where))
    progress = train(options, data, model, checkpoints)
    save(options, data, model, progress, out)
    print(f"Saved {len(progress.bests)} candidates to {out}")


if __name__ == "__main__":
    # One thread per operation: the layers are small, and the result does not depend on the number of cores.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    arguments = sys.argv[1:]
    reason = (failure.base_folder(arguments) or Path(DEFAULT_BASE)) / "output" / "failure"
    sys.exit(failure.run(lambda: main(arguments), reason))
