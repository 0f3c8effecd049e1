"""The two networks of ScarceGAN (Chakrabarty et al., CIKM 2021, arXiv 2505.03811).

Discriminator: one trunk with two heads. The supervised head separates the K groups and one class more,
`unknown`; the unsupervised head says whether a sample is real and known, real and unknown, or fake.
Generator: noise -> scaled features.
"""

import itertools

import tensorflow as tf

KNOWN, UNKNOWN, FAKE = 0, 1, 2  # the classes of the unsupervised head


class Dense(tf.Module):
    """An affine layer with Glorot-uniform weights drawn from `seed`."""

    def __init__(self, inputs: int, outputs: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        limit = (6.0 / (inputs + outputs)) ** 0.5
        weights = tf.random.stateless_uniform([inputs, outputs], [seed, len(name)], -limit, limit)
        self.weights = tf.Variable(weights, name="weights")
        self.bias = tf.Variable(tf.zeros([outputs]), name="bias")

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(inputs, self.weights), self.bias)


class Discriminator(tf.Module):
    """features [n, F] -> trunk [n, units[-1]], supervised logits [n, K + 1], unsupervised logits [n, 3]."""

    def __init__(self, features: int, groups: int, units: tuple[int, ...], seed: int) -> None:
        super().__init__(name="discriminator")
        sizes = (features, *units)
        self.layers = [
            Dense(inputs, outputs, seed + index, f"trunk_{index}")
            for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        ]
        self.supervised_head = Dense(units[-1], groups + 1, seed + 100, "supervised")
        self.unsupervised_head = Dense(units[-1], 3, seed + 101, "unsupervised")

    def trunk(self, features: tf.Tensor) -> tf.Tensor:
        for layer in self.layers:
            features = tf.nn.leaky_relu(layer(features), 0.2)
        return features

    def supervised(self, features: tf.Tensor) -> tf.Tensor:
        return self.supervised_head(self.trunk(features))


class Generator(tf.Module):
    """noise [n, noise_dim] -> scaled features [n, F]."""

    def __init__(self, noise: int, features: int, units: tuple[int, ...], seed: int) -> None:
        super().__init__(name="generator")
        sizes = (noise, *units)
        self.layers = [
            Dense(inputs, outputs, seed + 200 + index, f"hidden_{index}")
            for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        ]
        self.output = Dense(units[-1], features, seed + 300, "output")

    def __call__(self, noise: tf.Tensor) -> tf.Tensor:
        for layer in self.layers:
            noise = tf.nn.leaky_relu(layer(noise), 0.2)
        return self.output(noise)
