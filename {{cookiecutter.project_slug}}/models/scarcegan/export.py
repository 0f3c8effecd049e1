"""The exported model: raw features in, decision out; the scaler and the decision threshold are inside."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from gan import Weights
from networks import Discriminator
from scaler import Scaler


class Serving(tf.Module):
    """The SavedModel of a candidate.

    Signature `serving_default`: `features` float32 [n, F], raw, in the order of scaler.json ->
    `probabilities` float32 [n, K] of the K groups (what is missing to 1 is `unknown`), `score` float32 [n] =
    the scarce group's, `label` string [n]: the scarce group where score >= threshold, else the likeliest of
    the others.
    """

    def __init__(
        self, weights: Weights, units: tuple[int, ...], scaler: Scaler, groups: list[str], threshold: float
    ) -> None:
        super().__init__(name="serving")
        self.network = Discriminator(len(scaler.features), len(groups), units, seed=0)
        self.network.parameters.assign(weights)
        self.log = tf.constant(scaler.log)
        self.mean, self.std = tf.constant(scaler.mean, tf.float32), tf.constant(scaler.std, tf.float32)
        self.clip = float(scaler.clip)
        self.groups = tf.constant(groups)
        # The decision is taken in float32: round the threshold down, so no row that reached it falls below.
        self.threshold = tf.constant(np.nextafter(np.float32(threshold), np.float32(-1)), tf.float32)
        signature = [tf.TensorSpec([None, len(scaler.features)], tf.float32, name="features")]
        self.serve = tf.function(self._serve, input_signature=signature)

    def scale(self, features: tf.Tensor) -> tf.Tensor:
        """Raw features [n, F] -> scaled features [n, F], as scaler.Scaler.transform does."""
        values = tf.where(self.log, tf.sign(features) * tf.math.log1p(tf.abs(features)), features)
        return tf.clip_by_value((values - self.mean) / self.std, -self.clip, self.clip)

    def _serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(self.network.supervised(self.scale(features)))[:, :-1]
        score = probabilities[:, 0]
        other = 1 + tf.argmax(probabilities[:, 1:], axis=1)
        code = tf.where(score >= self.threshold, tf.zeros_like(other), other)
        return {"probabilities": probabilities, "score": score, "label": tf.gather(self.groups, code)}


def save(serving: Serving, scaler: Scaler, folder: Path) -> None:
    """Write folder/1/ (the SavedModel) and folder/scaler.json."""
    tf.saved_model.save(serving, str(folder / "1"), signatures={"serving_default": serving.serve})
    scaler.save(folder / "scaler.json")
