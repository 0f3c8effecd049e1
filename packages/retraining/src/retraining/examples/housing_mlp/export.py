"""The exported model: what TensorFlow Serving loads, and the handlers around it."""

from pathlib import Path

import keras
import tensorflow as tf

import inference
from job_toolkit import imports, strict_json
from scaling import Scaling


class Serving(tf.Module):
    """The SavedModel.

    Signature `serving_default`: `features` float32 [n, F], raw, in the order of code/features.json -> `price`
    float32 [n], in dollars, never outside the prices of the training rows.
    """

    def __init__(self, network: keras.Model, scaling: Scaling) -> None:
        super().__init__(name="serving")
        self.network = network
        self.lowest, self.highest = scaling.price_range
        signature = [tf.TensorSpec([None, len(scaling.features)], tf.float32, name="features")]
        self.serve = tf.function(self._serve, input_signature=signature)

    def _serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        price = self.network(features, training=False)[:, 0]
        return {"price": tf.clip_by_value(price, self.lowest, self.highest)}


def save(network: keras.Model, scaling: Scaling, folder: Path) -> None:
    """Write folder/1/ (the SavedModel) and folder/code/ (inference.py, features.json).

    The serving container takes the number as the model's version, and its handlers from code/.
    """
    serving = Serving(network, scaling)
    tf.saved_model.save(serving, str(folder / "1"), signatures={"serving_default": serving.serve})
    imports.copy(Path(inference.__file__), folder / "code")
    strict_json.write(scaling.features, folder / "code" / "features.json")
