"""The exported model: raw features in, decision out; scaler, calibration and threshold are inside.

Its scores are the same everywhere. A product of matrices is summed in another order for another number of
rows, threads or processor, and each order rounds differently. Here the weights and inputs of a layer are
rounded to multiples of a power of two, so coarse that every sum of their products is exact in float64: any
order gives the same bits.
"""

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import calibration
import candidates
from calibration import Calibration
from data.scaler import Scaler
from job_toolkit.failure import InputError
from model.loop import Weights
from model.networks import SLOPE_BELOW_ZERO, Discriminator

BATCH = 8192
MANTISSA = 53  # bits of a float64: integers of less than 2**53 are exact
ROWS = 16  # elementwise functions work on rows in whole vectors of the processor; each width divides 16

Doubles = NDArray[np.float64]


class Serving(tf.Module):
    """The SavedModel of a candidate.

    Signature `serving_default`: `features` float32 [n, F], raw, in the order of scaler.json ->
    `probabilities` float32 [n, K] of the K groups (what is missing to 1 is `unknown`), `score` float32 [n] =
    the scarce group's, `label` string [n]: the scarce group where score >= threshold, else the likeliest of
    the others.

    A row's answer depends on the row alone, to the last bit: not on the rows next to it, nor on the number of
    threads. Sums are exact; all else is elementwise in float64, and only the result is float32.
    """

    def __init__(self, weights: Weights, units: tuple[int, ...], scaler: Scaler, groups: list[str]) -> None:
        super().__init__(name="serving")
        network = Discriminator(len(scaler.features), len(groups), units, seed=0)
        network.parameters.assign(weights)
        layers = [(w.numpy().astype(np.float64), b.numpy().astype(np.float64)) for w, b in network.layers()]
        last, bias = layers[-1]
        layers[-1] = last[:, : len(groups) + 1], bias[: len(groups) + 1]  # of the supervised head
        rounded = grids(layers, scaler.clip)
        self.steps = [grid.step for grid in rounded]
        self.layers = [(_constant(grid.weights), _constant(grid.bias)) for grid in rounded]
        self.log = tf.constant(scaler.log)
        self.mean = tf.constant(scaler.mean, tf.float64)
        self.inverse = tf.constant(1 / np.array(scaler.std), tf.float64)
        self.clip = float(scaler.clip)
        self.groups = tf.constant(groups)
        self.slope, self.intercept, self.threshold = (_constant(value) for value in (1.0, 0.0, 0.5))
        signature = [tf.TensorSpec([None, len(scaler.features)], tf.float32, name="features")]
        self.serve = tf.function(self._serve, input_signature=signature)

    def decide(
        self,
        rows: NDArray[np.floating],
        positive: NDArray[np.bool_],
        definition: candidates.Definition,
        validation_loss: float,
    ) -> tuple[Calibration, candidates.Choice]:
        """Calibrate, once, and choose the threshold: raw validation rows [v, F] of truth `positive` [v]."""
        raw = [self.probabilities(whole_vectors(part))[0][: len(part)] for part in _batches(rows)]
        fit = calibration.fit(positive, np.concatenate(raw))
        self.slope.assign(fit.slope)
        self.intercept.assign(fit.intercept)
        choice = candidates.choose(definition, positive, self.scores(rows), validation_loss)
        self.threshold.assign(choice.threshold)
        return fit, choice

    def scores(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """What `score` is for raw rows [n, F]."""
        parts = [self.serve(part)["score"].numpy() for part in _batches(rows)]
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
            values = tf.matmul(tf.round(values / step) * step, weights) + bias
        return values

    def probabilities(self, features: tf.Tensor) -> list[tf.Tensor]:
        """Of each group, float64 [n]: the scarce one's is calibrated, the others share the rest."""
        scarce, *others = tf.unstack(self.logits(features), axis=1)
        largest = functools.reduce(tf.maximum, others)
        shares = [tf.exp(other - largest) for other in others]
        total = functools.reduce(tf.add, shares)
        edge = -float(calibration.logit(np.array(calibration.EDGE)))
        margin = tf.clip_by_value(scarce - largest - tf.math.log(total), -edge, edge)
        score = 1 / (1 + tf.exp(-(self.slope * margin + self.intercept)))
        return [score, *((1 - score) * share / total for share in shares[:-1])]

    def _serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(features)[0]
        columns = self.probabilities(whole_vectors(features))
        probabilities = tf.cast(tf.stack(columns, axis=1), tf.float32)[:count]
        score = probabilities[:, 0]
        other = 1 + tf.argmax(probabilities[:, 1:], axis=1)
        flagged = tf.cast(score, tf.float64) >= self.threshold
        code = tf.where(flagged, tf.zeros_like(other), other)
        return {"probabilities": probabilities, "score": score, "label": tf.gather(self.groups, code)}


class Grid(NamedTuple):
    """A layer's weights [inputs, outputs] and bias [outputs], and the step that its inputs are rounded to."""

    weights: Doubles
    bias: Doubles
    step: float


def grids(layers: list[tuple[Doubles, Doubles]], bound: float) -> list[Grid]:
    """Round layers of (weights, bias), for inputs of at most `bound` in size.

    The activation between two layers must not enlarge its input. A layer with sums of up to 2**b has 53 - b
    bits for a product's fraction; inputs and weights share them.
    """
    rounded = []
    for weights, bias in layers:
        bound = float(bound * np.abs(weights).sum(axis=0).max() + np.abs(bias).max())
        fraction = MANTISSA - 1 - math.ceil(math.log2(max(1.0, bound)))
        step = 2.0 ** -(fraction // 2)
        rounded.append(Grid(*(np.round(values / step) * step for values in (weights, bias)), step))
    return rounded


def whole_vectors(rows: tf.Tensor) -> tf.Tensor:
    """Rows [n, F] with rows of zeros up to a multiple of ROWS."""
    return tf.pad(rows, [[0, -tf.shape(rows)[0] % ROWS], [0, 0]])


def save(serving: Serving, scaler: Scaler, folder: Path) -> None:
    """Write folder/1/ (the SavedModel) and folder/scaler.json."""
    try:
        tf.saved_model.save(serving, str(folder / "1"), signatures={"serving_default": serving.serve})
    except tf.errors.OpError as error:
        reason = error.message.rpartition("}} ")[2]  # after the name of the graph's node
        raise InputError(
            f"{folder}: cannot be written ({reason}); make room there, or move it out of the way"
        ) from None
    scaler.save(folder / "scaler.json")


def _batches(rows: NDArray[np.floating]) -> Iterator[tf.Tensor]:
    """Raw rows as the signature takes them."""
    for start in range(0, len(rows), BATCH):
        yield tf.constant(rows[start : start + BATCH], tf.float32)


def _constant(value: float | NDArray[np.float64]) -> tf.Variable:
    return tf.Variable(value, trainable=False, dtype=tf.float64)
