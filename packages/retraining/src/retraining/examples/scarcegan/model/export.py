"""The exported model: raw features in, decision out; scaler, calibration and threshold are inside."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import calibration
import candidates
from calibration import Calibration
from failure import InputError
from model import exact
from model.loop import Weights
from model.networks import Discriminator
from scaler import Scaler

BATCH = 8192
SLOPE_BELOW_ZERO = 0.2  # of the leaky rectifier between the layers, as in networks.py


class Serving(tf.Module):
    """The SavedModel of a candidate.

    Signature `serving_default`: `features` float32 [n, F], raw, in the order of scaler.json ->
    `probabilities` float32 [n, K] of the K groups (what is missing to 1 is `unknown`), `score` float32 [n] =
    the scarce group's, `label` string [n]: the scarce group where score >= threshold, else the likeliest of
    the others.

    A row's answer depends on the row alone, to the last bit: not on the rows beside it, nor on the number of
    threads. Sums are exact (exact.py); all else is elementwise in float64, and only the result is float32.
    """

    def __init__(self, weights: Weights, units: tuple[int, ...], scaler: Scaler, groups: list[str]) -> None:
        super().__init__(name="serving")
        self.steps, self.layers = self._layers(weights, units, scaler, len(groups))
        self.log = tf.constant(scaler.log)
        self.mean = tf.constant(scaler.mean, tf.float64)
        self.inverse = tf.constant(1 / np.array(scaler.std), tf.float64)
        self.clip = float(scaler.clip)
        self.groups = tf.constant(groups)
        self.slope, self.intercept, self.threshold = (_number(value) for value in (1.0, 0.0, 0.5))
        signature = [tf.TensorSpec([None, len(scaler.features)], tf.float32, name="features")]
        self.serve = tf.function(self._serve, input_signature=signature)

    def _layers(
        self, weights: Weights, units: tuple[int, ...], scaler: Scaler, groups: int
    ) -> tuple[list[float], list[tuple[tf.Variable, tf.Variable]]]:
        """The layers that the supervised head needs."""
        network = Discriminator(len(scaler.features), groups, units, seed=0)
        network.parameters.assign(weights)
        layers = [(w.numpy().astype(np.float64), b.numpy().astype(np.float64)) for w, b in network.layers()]
        last, bias = layers[-1]
        layers[-1] = last[:, : groups + 1], bias[: groups + 1]
        grids = exact.grids(layers, scaler.clip)
        variables = [
            (tf.Variable(grid.weights, trainable=False), tf.Variable(grid.bias, trainable=False))
            for grid in grids
        ]
        return [grid.step for grid in grids], variables

    def decide(
        self,
        rows: NDArray[np.floating],
        positive: NDArray[np.bool_],
        definition: candidates.Definition,
        validation_loss: float,
    ) -> tuple[Calibration, candidates.Choice]:
        """Calibrate, once, and choose the threshold: raw validation rows [v, F] of truth `positive` [v]."""
        raw = [self.probabilities(exact.whole_vectors(part))[0][: len(part)] for part in in_batches(rows)]
        found = calibration.fit(positive, np.concatenate(raw))
        self.slope.assign(found.slope)
        self.intercept.assign(found.intercept)
        choice = candidates.choose(definition, positive, self.scores(rows), validation_loss)
        self.threshold.assign(choice.threshold)
        return found, choice

    def scores(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """What `score` is for raw rows [n, F]."""
        parts = [self.serve(part)["score"].numpy() for part in in_batches(rows)]
        return np.concatenate(parts).astype(np.float64)

    def scale(self, features: tf.Tensor) -> tf.Tensor:
        """Raw features [n, F] -> scaled features float64 [n, F], as scaler.Scaler.transform does."""
        raw = tf.cast(features, tf.float64)
        values = tf.where(self.log, tf.sign(raw) * tf.math.log1p(tf.abs(raw)), raw)
        return tf.clip_by_value((values - self.mean) * self.inverse, -self.clip, self.clip)

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Supervised logits float64 [n, K + 1] of raw features [n, F]."""
        values = self.scale(features)
        for number, (step, (weights, bias)) in enumerate(zip(self.steps, self.layers, strict=True)):
            values = tf.nn.leaky_relu(values, SLOPE_BELOW_ZERO) if number else values
            values = exact.affine(values, weights, bias, step)
        return values

    def probabilities(self, features: tf.Tensor) -> list[tf.Tensor]:
        """Of each group, float64 [n]: the scarce one's is calibrated, the others share the rest."""
        scarce, *others = tf.unstack(self.logits(features), axis=1)
        largest = others[0]
        for other in others[1:]:
            largest = tf.maximum(largest, other)
        shares = [tf.exp(other - largest) for other in others]
        total = shares[0]
        for share in shares[1:]:
            total = total + share
        edge = -float(calibration.logit(np.array(calibration.EDGE)))
        margin = tf.clip_by_value(scarce - largest - tf.math.log(total), -edge, edge)
        score = 1 / (1 + tf.exp(-(self.slope * margin + self.intercept)))
        return [score, *((1 - score) * share / total for share in shares[:-1])]

    def _serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(features)[0]
        columns = self.probabilities(exact.whole_vectors(features))
        probabilities = tf.cast(tf.stack(columns, axis=1), tf.float32)[:count]
        score = probabilities[:, 0]
        other = 1 + tf.argmax(probabilities[:, 1:], axis=1)
        flagged = tf.cast(score, tf.float64) >= self.threshold
        code = tf.where(flagged, tf.zeros_like(other), other)
        return {"probabilities": probabilities, "score": score, "label": tf.gather(self.groups, code)}


def in_batches(rows: NDArray[np.floating]) -> Iterator[tf.Tensor]:
    """Raw rows as the signature takes them."""
    for start in range(0, len(rows), BATCH):
        yield tf.constant(rows[start : start + BATCH], tf.float32)


def _number(value: float) -> tf.Variable:
    return tf.Variable(value, trainable=False, dtype=tf.float64)


def save(serving: Serving, scaler: Scaler, folder: Path) -> None:
    """Write folder/1/ (the SavedModel) and folder/scaler.json."""
    try:
        tf.saved_model.save(serving, str(folder / "1"), signatures={"serving_default": serving.serve})
    except tf.errors.OpError as error:
        reason = error.message.rpartition("}} ")[2]  # after the name of the graph's node
        raise InputError(
            f"{folder}: cannot be written ({reason}); make room there, or move away what lies there"
        ) from None
    scaler.save(folder / "scaler.json")
