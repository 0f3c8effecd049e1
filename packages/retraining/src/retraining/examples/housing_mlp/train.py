"""SageMaker training job: train the price model, stop when validation says so, save it for serving.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train (train.csv) and validation (validation.csv):
features and components by name, the price last. The model folder (SM_MODEL_DIR, or /opt/ml/model) gets 1/
(the SavedModel), code/ (its handlers), history.csv and hyperparameters.json; the output folder
(SM_OUTPUT_DATA_DIR) gets history.csv too, of which MLflow has the curves.
"""

import os
import sys
from dataclasses import asdict, dataclass
from typing import Any

# tf.data reports a harmless difference between two of TensorFlow's own parts as an error on each start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its kernels round differently from machine to machine

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

import export
import houses
import network
import scaling
from hyperparameters import Hyperparameters
from job_toolkit import strict_json, tables, training
from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import parse
from job_toolkit.training import Folders

VALIDATION_BATCH = 4096


@dataclass(frozen=True)
class Data:
    """Raw training and validation rows [n, F], and their prices [n]."""

    features: list[str]
    train: NDArray[np.float64]
    prices: NDArray[np.float64]
    validation: NDArray[np.float64]
    validation_prices: NDArray[np.float64]


class Log(keras.callbacks.Callback):
    """One line per epoch: the contract of the pipeline's metric definitions. Keep their spelling."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = logs or {}
        print(
            f"Epoch={epoch + 1}; Train_RMSE={values['rmse']:.1f}; Validation_RMSE={values['val_rmse']:.1f}; "
            f"Validation_MAE={values['val_mae']:.1f};",
            flush=True,
        )


def load(folders: Folders) -> Data:
    """Read the channels. Raises InputError when one is absent or is not preprocess.py's."""
    train, validation = (
        tables.read_numbers(folders.channel(name) / f"{name}.csv") for name in ("train", "validation")
    )
    if list(train.columns) != list(validation.columns):
        raise InputError("channel validation: its columns are not those of the channel train")
    *features, price = train.columns
    if price != houses.PRICE or not features:
        raise InputError(f"channel train: the last column must be {houses.PRICE}, after the features")
    if min(train[price].min(), validation[price].min()) <= 0:
        raise InputError(f"channel train, {houses.PRICE}: a price must be greater than 0")
    return Data(
        features,
        train[features].to_numpy(),
        train[price].to_numpy(),
        validation[features].to_numpy(),
        validation[price].to_numpy(),
    )


def train(options: Hyperparameters, data: Data, model: keras.Model) -> dict[str, list[float]]:
    """Train; the model ends with the weights of the epoch with the lowest validation RMSE.

    The loss is the squared error of the logarithm: a wrong tenth of a price weighs the same for a hut and for
    a villa. What stops the training is the error in dollars, the measure of the quality gate.
    """
    steps = options.epochs * -(-len(data.prices) // options.batch_size)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)),
        loss="mean_squared_logarithmic_error",
        metrics=[
            keras.metrics.RootMeanSquaredError(name="rmse"),
            keras.metrics.MeanAbsoluteError(name="mae"),
        ],
        jit_compile=False,
        steps_per_execution=16,
    )
    stop = keras.callbacks.EarlyStopping(
        "val_rmse", mode="min", patience=options.patience, restore_best_weights=True
    )
    rows = tf.data.Dataset.from_tensor_slices(_pair(data.train, data.prices))
    rows = rows.shuffle(len(data.prices), seed=options.seed).batch(options.batch_size)
    held_out = tf.data.Dataset.from_tensor_slices(_pair(data.validation, data.validation_prices))
    done: Any = model.fit(
        rows,
        validation_data=held_out.batch(VALIDATION_BATCH),
        epochs=options.epochs,
        shuffle=False,  # the data set does it, in another order each epoch
        callbacks=[stop, Log(), keras.callbacks.TerminateOnNaN()],
        verbose=0,
    )
    history: dict[str, list[float]] = done.history
    if not np.isfinite([history["loss"], history["val_rmse"]]).all():
        raise InputError(f"training diverged in epoch {len(history['loss'])}; lower the learning rate")
    return history


def _pair(values: NDArray[np.float64], prices: NDArray[np.float64]) -> tuple[NDArray[np.float32], ...]:
    return values.astype(np.float32), prices.astype(np.float32)[:, None]


def save(options: Hyperparameters, history: dict[str, list[float]], folders: Folders) -> None:
    """Write how the model came about."""
    epochs = np.arange(1, len(history["loss"]) + 1)
    for out in (folders.model, folders.output_data):
        tables.write(pd.DataFrame({"epoch": epochs, **history}), out / "history.csv")
    strict_json.write(asdict(options), folders.model / "hyperparameters.json", indent=2)


def main(argv: list[str]) -> None:
    options, folders = parse(Hyperparameters, argv), training.folders(argv)
    data = load(folders)
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    scale = scaling.fit(data.features, data.train, data.prices)
    model = network.build(
        scale, options.hidden_units, options.waves, options.frequency, options.dropout, options.seed
    )
    history = train(options, data, model)
    export.save(model, scale, folders.model)
    save(options, history, folders)
    best = int(np.argmin(history["val_rmse"]))
    print(f"Best_Epoch={best + 1}; Best_Validation_RMSE={history['val_rmse'][best]:.1f};")


if __name__ == "__main__":
    # One thread per operation: the layers are small, and the result does not depend on the number of cores.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    sys.exit(training.run(main))
