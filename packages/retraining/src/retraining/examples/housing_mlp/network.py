"""The multilayer perceptron: raw features in, dollars out; all scaling is inside.

Where a house stands decides much of its price, and in patterns far finer than a dense layer on longitude and
latitude learns. So the place enters as waves of random direction and length as well: random Fourier features,
https://arxiv.org/abs/2006.10739.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from scaling import Scaling

PLACE = ("longitude", "latitude")
CLIP = 6.0  # deviations; a wild value must not carry the network to where it saw nothing


class Standardise(keras.layers.Layer):
    """Raw features [n, F] -> scaled features [n, F]."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__(trainable=False)
        self.log = np.array(scaling.log)
        self.mean, self.std = np.float32(scaling.mean), np.float32(scaling.std)

    def call(self, values: Any) -> Any:
        values = ops.where(self.log, ops.sign(values) * ops.log1p(ops.abs(values)), values)
        return ops.clip((values - self.mean) / self.std, -CLIP, CLIP)


class Waves(keras.layers.Layer):
    """Scaled features [n, F] -> sines and cosines of the place, [n, 2 W]."""

    def __init__(self, columns: list[int], waves: int, frequency: float, seed: int) -> None:
        super().__init__(trainable=False)
        self.columns = columns
        directions = np.random.default_rng(seed).normal(0, frequency, (len(columns), waves))
        self.directions = directions.astype(np.float32)

    def call(self, values: Any) -> Any:
        place = ops.stack([values[:, column] for column in self.columns], axis=1)
        angles = ops.matmul(place, self.directions)
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)


def build(
    scaling: Scaling, units: Sequence[int], waves: int, frequency: float, dropout: float, seed: int
) -> keras.Model:
    """The untrained network, raw features float32 [n, F] -> price [n, 1]; no waves without a place."""
    columns = [scaling.features.index(name) for name in PLACE if name in scaling.features]
    inputs = keras.Input((len(scaling.features),), name="features")
    hidden = Standardise(scaling)(inputs)
    if waves and len(columns) == len(PLACE):
        hidden = keras.layers.Concatenate()([hidden, Waves(columns, waves, frequency, seed)(hidden)])
    for number, width in enumerate(units):
        initial = keras.initializers.GlorotUniform(seed + number)
        hidden = keras.layers.Dense(width, activation="swish", kernel_initializer=initial)(hidden)
        if dropout:
            hidden = keras.layers.Dropout(dropout, seed=seed + number)(hidden)
    last = keras.initializers.GlorotUniform(seed + len(units))
    scaled = keras.layers.Dense(1, kernel_initializer=last)(hidden)
    logarithm = keras.layers.Rescaling(scaling.price_std, scaling.price_mean)(scaled)
    return keras.Model(inputs, keras.layers.Activation("exponential", name="price")(logarithm))
