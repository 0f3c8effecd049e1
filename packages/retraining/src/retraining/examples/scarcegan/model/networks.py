"""The two networks of ScarceGAN (Chakrabarty et al., CIKM 2021, arXiv 2505.03811).

Discriminator: one trunk with two heads. The supervised head separates the K groups and one class more,
`unknown`; the unsupervised head says whether a sample is real and known, real and unknown, or fake.
The generator is a perceptron: noise -> scaled features.

All weights and biases of a network are in one variable: the optimiser and the averaging are one operation
per network, not one per layer.
"""

import itertools

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

KNOWN, UNKNOWN, FAKE = 0, 1, 2  # the classes of the unsupervised head
SLOPE_BELOW_ZERO = 0.2  # of the leaky rectifier between the layers

Layers = list[tuple[tf.Tensor, tf.Tensor]]  # weights [inputs, outputs] and bias [outputs] of each layer


class Network(tf.Module):
    """Affine layers whose parameters are one vector: first all weights, layer by layer, then all biases.

    Products are computed in `precision`, all else in float32.
    """

    def __init__(self, name: str, weights: list[NDArray[np.float32]], precision: tf.DType) -> None:
        super().__init__(name=name)
        self.precision = precision
        self.shapes = [matrix.shape for matrix in weights]
        self.weight_count = sum(matrix.size for matrix in weights)
        biases = np.zeros(sum(outputs for _, outputs in self.shapes), np.float32)
        flat = np.concatenate([*(matrix.ravel() for matrix in weights), biases])
        self.parameters = tf.Variable(flat, name="parameters")

    def layers(self) -> Layers:
        """The parameters as they are now, by layer. Take them once per pass: each call splits the vector."""
        sizes = [inputs * outputs for inputs, outputs in self.shapes]
        parts = tf.split(self.parameters, sizes + [outputs for _, outputs in self.shapes])
        count = len(self.shapes)
        weights = [tf.reshape(part, shape) for part, shape in zip(parts[:count], self.shapes, strict=True)]
        return list(zip(weights, parts[count:], strict=True))

    def hidden(self, inputs: tf.Tensor, layers: Layers) -> tf.Tensor:
        for layer in layers:
            inputs = tf.nn.leaky_relu(self.affine(inputs, layer), SLOPE_BELOW_ZERO)
        return inputs

    def affine(self, inputs: tf.Tensor, layer: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        product = tf.matmul(*(tf.cast(part, self.precision) for part in (inputs, layer[0])))
        return tf.nn.bias_add(tf.cast(product, tf.float32), layer[1])


class Discriminator(Network):
    """features [n, F] -> trunk [n, units[-1]], supervised logits [n, K + 1], unsupervised logits [n, 3]."""

    def __init__(
        self,
        features: int,
        groups: int,
        units: tuple[int, ...],
        seed: int,
        precision: tf.DType = tf.float32,
    ) -> None:
        hidden = [
            glorot(inputs, outputs, [seed + index, 7])
            for index, (inputs, outputs) in enumerate(itertools.pairwise((features, *units)))
        ]
        heads = [glorot(units[-1], groups + 1, [seed + 100, 10]), glorot(units[-1], 3, [seed + 101, 12])]
        super().__init__("discriminator", [*hidden, np.concatenate(heads, axis=1)], precision)
        self.groups = groups

    def trunk(self, features: tf.Tensor, layers: Layers) -> tf.Tensor:
        return self.hidden(features, layers[:-1])

    def heads(self, trunk: tf.Tensor, layers: Layers) -> tuple[tf.Tensor, tf.Tensor]:
        """Supervised and unsupervised logits: one product, as both heads read the same trunk."""
        logits = self.affine(trunk, layers[-1])
        return logits[:, : self.groups + 1], logits[:, self.groups + 1 :]

    def supervised(self, features: tf.Tensor) -> tf.Tensor:
        layers = self.layers()
        return self.heads(self.trunk(features, layers), layers)[0]


class Perceptron(Network):
    """inputs [n, I] -> outputs [n, O], with hidden layers of `units`."""

    def __init__(
        self,
        name: str,
        inputs: int,
        units: tuple[int, ...],
        outputs: int,
        seed: int,
        precision: tf.DType = tf.float32,
    ) -> None:
        hidden = [
            glorot(before, after, [seed + 200 + index, 8])
            for index, (before, after) in enumerate(itertools.pairwise((inputs, *units)))
        ]
        super().__init__(name, [*hidden, glorot(units[-1], outputs, [seed + 300, 6])], precision)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        layers = self.layers()
        return self.affine(self.hidden(inputs, layers[:-1]), layers[-1])


def glorot(inputs: int, outputs: int, seed: list[int]) -> NDArray[np.float32]:
    """Glorot-uniform weights [inputs, outputs] drawn from `seed`, of two numbers."""
    limit = (6.0 / (inputs + outputs)) ** 0.5
    values = tf.random.stateless_uniform([inputs, outputs], seed, -limit, limit)
    return np.asarray(values.numpy())
