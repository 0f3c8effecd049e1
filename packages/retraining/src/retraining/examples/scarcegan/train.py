"""SageMaker training job: train ScarceGAN, choose candidates on validation rows, save them as SavedModels.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train_data, train_label, validation_data,
validation_label, unlabelled_folds; with --cross_validation also kfold_{train,validation}_{data,label}. The
model folder (SM_MODEL_DIR, or /opt/ml/model) gets candidates/<name>/{1/, scaler.json}, candidates.json,
history.csv and hyperparameters.json, with --cross_validation folds.csv, and with --ablations
ablations/<variant>/ and ablations.json. Where there is a folder /opt/ml/checkpoints, the training goes on
from its checkpoints there. Several instances train one model together, and the first of them writes it.
"""

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its kernels round differently from machine to machine

import tensorflow as tf

from job_toolkit import hyperparameters, strict_json
from job_toolkit import training as job
from model import distribution, saving, training, training_data
from model.checkpoint import Checkpoint
from model.distribution import ALONE, Workers
from model.hyperparameters import Hyperparameters
from model.training_data import CHANNELS, FOLD_CHANNELS, Channels
from model.variants import ABLATIONS, Settings

UNLIKE = (
    "channels: the instances do not have the same data or hyperparameters; give each of them all data"
    " (distribution: FullyReplicated)"
)


def settings(options: Hyperparameters, features: int) -> Settings:
    names = (
        "batch_size", "learning_rate_discriminator", "learning_rate_generator", "noise_dim", "leeway",
        "units", "input_noise", "input_dropout", "seed",
    )  # fmt: skip
    given = {name: getattr(options, name) for name in names}
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    shape = Settings(len(options.groups), features, mixed_precision=has_gpu, **given)
    return shape.ablated(options.variant)


def fingerprint(
    shape: Settings, options: Hyperparameters, channel: Channels, workers: Workers = ALONE
) -> str:
    """Of all that decides what a training gives: two trainings with the same one give the same models."""
    content = options.document() | {"settings": asdict(shape), "tensorflow": tf.__version__}
    content |= {"instances": workers.count}
    read = (*CHANNELS, *(FOLD_CHANNELS if options.cross_validation else ()))
    files = [path for name in read for path in sorted(channel[name].iterdir()) if path.is_file()]
    code = sorted(Path(__file__).parent.rglob("*.py"))  # a changed loss is another training
    digest = hashlib.sha256(strict_json.dumps(content, sort_keys=True).encode())
    for path in [*code, *files]:
        with path.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def print_epoch(row: dict[str, float]) -> None:
    """The names are the contract of the pipeline's metric definitions: keep their spelling."""
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


def print_another(name: str) -> Callable[[dict[str, float]], None]:
    """For a training other than the main one: nothing that the metric definitions would read."""
    return lambda row: print(
        f"{name}; Iteration={row['iteration']:.0f}; Average_Precision={row['average_precision']:.6f};",
        flush=True,
    )


def main(argv: list[str]) -> None:
    options, folders = hyperparameters.parse(Hyperparameters, argv), job.folders(argv)
    config = folders.config / "resourceconfig.json"
    workers = distribution.join(config, os.environ.get("TRAINING_JOB_NAME", ""))
    channel = training_data.channels(folders)
    data = training_data.load(channel, options.groups)
    parts = training_data.load_folds(channel, options.groups, data.scaler) if options.cross_validation else []
    shape = settings(options, len(data.scaler.features))
    run = fingerprint(shape, options, channel, workers)
    workers.check_same(run, UNLIKE)
    kept = functools.partial(Checkpoint, folders.checkpoints, run)
    train = functools.partial(training.train, options, workers=workers)
    folds = []
    for number, part in enumerate(parts):
        place, tell = kept(f"fold_{number}"), print_another(f"Fold={number}")
        folds.append(train(shape, part, data.unlabelled, place, tell=tell))
    epochs = training.best_epochs(folds) if folds else None
    trained = train(shape, data.part, data.unlabelled, kept("model"), epochs, print_epoch)
    ablated = []
    for other in (shape.ablated(name) for name in ABLATIONS if options.ablations):
        place, tell = kept(other.variant), print_another(f"Variant={other.variant}")
        ablated.append((other, train(other, data.part, data.unlabelled, place, epochs, tell)))
    if not workers.is_chief:
        return
    out = folders.model
    saving.save(options, shape, data, trained, out)
    if epochs:
        saving.save_folds(parts, folds, epochs, out)
    if ablated:
        saving.save_ablations(options, data, ablated, out)
    print(f"Saved {len(trained.bests)} candidates to {out}")


if __name__ == "__main__":
    tf.get_logger().setLevel("ERROR")  # each saved model is traced again, which TensorFlow warns of
    # One thread per operation: the layers are small, and the result does not depend on the number of cores.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    sys.exit(job.run(main))
