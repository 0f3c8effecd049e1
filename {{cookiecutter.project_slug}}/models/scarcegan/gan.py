"""The training loop: discriminator and generator steps, whole epochs inside one graph call."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import losses
from networks import Discriminator, Generator

Weights = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """Everything that shapes a training; sizes are counts, rates are per step."""

    groups: int
    features: int
    batch_size: int = 128
    learning_rate_discriminator: float = 1e-3
    learning_rate_generator: float = 3e-4
    noise_dim: int = 32
    leeway: float = 0.1
    seed: int = 7
    units: tuple[int, ...] = (256, 128)
    generator_units: tuple[int, ...] = (64, 64)
    input_noise: float = 0.5
    weight_decay: float = 0.01
    unsupervised_weight: float = 1.0
    entropy_weight: float = 0.01
    low_density_weight: float = 0.1
    low_density_threshold: float = 0.5
    averaging: float = 0.995


class Adam(tf.Module):
    """Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019)."""

    def __init__(self, variables: tuple[tf.Variable, ...], rate: float, decay: float) -> None:
        super().__init__(name="adam")
        self.variables_ = list(variables)
        self.rate, self.decay = rate, decay
        self.first = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.second = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.power_1, self.power_2 = tf.Variable(1.0), tf.Variable(1.0)

    def apply(self, gradients: list[tf.Tensor], factor: tf.Tensor) -> None:
        """One step; `factor` scales the rate (schedule)."""
        self.power_1.assign(self.power_1 * 0.5)
        self.power_2.assign(self.power_2 * 0.999)
        for variable, first, second, gradient in zip(
            self.variables_, self.first, self.second, gradients, strict=True
        ):
            if self.decay and variable.shape.rank > 1:
                variable.assign_sub(self.decay * self.rate * factor * variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=first.handle, v=second.handle, beta1_power=self.power_1,
                beta2_power=self.power_2, lr=self.rate * factor, beta1=0.5, beta2=0.999, epsilon=1e-8,
                grad=gradient,
            )  # fmt: skip


class ScarceGan(tf.Module):
    """The model in training.

    `labelled` are the scaled rows of each group, [n_k, F]; `unlabelled` is [m, F]. Both stay resident.
    """

    def __init__(
        self, settings: Settings, labelled: list[NDArray[np.float32]], unlabelled: NDArray[np.float32]
    ) -> None:
        super().__init__(name="scarcegan")
        s = self.settings = settings
        self.discriminator = Discriminator(s.features, s.groups, s.units, s.seed)
        self.generator = Generator(s.noise_dim, s.features, s.generator_units, s.seed)
        self.averaged = Discriminator(s.features, s.groups, s.units, s.seed)
        self.discriminator_step = Adam(
            self.discriminator.trainable_variables, s.learning_rate_discriminator, s.weight_decay
        )
        self.generator_step = Adam(self.generator.trainable_variables, s.learning_rate_generator, 0.0)
        self.labelled = [tf.constant(rows) for rows in labelled]
        self.unlabelled = tf.constant(unlabelled)
        self.iteration = tf.Variable(0, dtype=tf.int32)

    @tf.function
    def train(self, iterations: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        """Run `iterations` steps of a training of `total`.

        Returns the means over them of: supervised, unsupervised and generator loss, and supervised accuracy.
        """
        sums = tf.zeros([4])
        for _ in tf.range(iterations):
            sums += self._iterate(total)
        return sums / tf.cast(iterations, tf.float32)

    def _iterate(self, total: tf.Tensor) -> tf.Tensor:
        s = self.settings
        seeds = self._seeds()
        self.iteration.assign_add(1)
        progress = tf.cast(self.iteration, tf.float32) / tf.cast(total, tf.float32)
        factor = 0.05 + 0.95 * tf.square(tf.cos(progress * (np.pi / 2)))
        features, labels = self._labelled_batch(seeds)
        real = _blur(self._rows(self.unlabelled, s.batch_size, next(seeds)), s.input_noise, next(seeds))
        features = _blur(features, s.input_noise, next(seeds))
        noise = tf.random.stateless_normal([s.batch_size, s.noise_dim], next(seeds))
        parts, real_trunk = self._discriminator_step(features, labels, real, noise, factor)
        noise = tf.random.stateless_normal([s.batch_size, s.noise_dim], next(seeds))
        generator_loss = self._generator_step(real_trunk, noise, factor)
        for average, current in zip(
            self.averaged.trainable_variables, self.discriminator.trainable_variables, strict=True
        ):
            average.assign(s.averaging * average + (1 - s.averaging) * current)
        return tf.stack([parts[0], parts[1], generator_loss, parts[2]])

    def _discriminator_step(
        self, features: tf.Tensor, labels: tf.Tensor, real: tf.Tensor, noise: tf.Tensor, factor: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
        s, model = self.settings, self.discriminator
        fake = self.generator(noise)
        sizes = [features.shape[0], real.shape[0], fake.shape[0]]
        with tf.GradientTape() as tape:
            trunk = model.trunk(tf.concat([features, real, fake], axis=0))
            supervised_logits = model.supervised_head(trunk[: sizes[0] + sizes[1]])
            unsupervised_logits = model.unsupervised_head(trunk[sizes[0] :])
            supervised = losses.supervised_with_leeway(supervised_logits[: sizes[0]], labels, s.leeway)
            unsupervised = losses.unsupervised(
                unsupervised_logits[: sizes[1]], unsupervised_logits[sizes[1] :], s.leeway
            )
            entropy = losses.conditional_entropy(supervised_logits[sizes[0] :])
            loss = supervised + s.unsupervised_weight * unsupervised + s.entropy_weight * entropy
        self.discriminator_step.apply(tape.gradient(loss, model.trainable_variables), factor)
        right = tf.argmax(supervised_logits[: sizes[0]], axis=1, output_type=tf.int32) == labels
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        return (supervised, unsupervised, accuracy), tf.stop_gradient(trunk[sizes[0] : sizes[0] + sizes[1]])

    def _generator_step(self, real_trunk: tf.Tensor, noise: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
        s, model = self.settings, self.discriminator
        with tf.GradientTape() as tape:
            trunk = model.trunk(self.generator(noise))
            dense = losses.low_density(
                model.supervised_head(trunk), model.unsupervised_head(trunk), s.low_density_threshold
            )
            loss = (
                losses.feature_matching(real_trunk, trunk)
                + losses.pull_away(trunk)
                + s.low_density_weight * dense
            )
        self.generator_step.apply(tape.gradient(loss, self.generator.trainable_variables), factor)
        return loss

    def _labelled_batch(self, seeds: Iterator[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """As many rows of each group, drawn with replacement: [~batch_size, F] and group codes."""
        share = max(1, self.settings.batch_size // len(self.labelled))
        rows = [self._rows(group, share, next(seeds)) for group in self.labelled]
        return tf.concat(rows, axis=0), tf.constant(np.repeat(np.arange(len(rows)), share), dtype=tf.int32)

    def _rows(self, table: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
        return tf.gather(table, tf.random.stateless_uniform([count], seed, 0, table.shape[0], dtype=tf.int32))

    def _seeds(self) -> Iterator[tf.Tensor]:
        """Seeds of this iteration's draws: they depend on the seed and the iteration alone."""
        number = 0
        while True:
            yield tf.stack([self.settings.seed * 1000 + number, self.iteration])
            number += 1

    def weights(self) -> Weights:
        """The averaged discriminator's weights: the ones that are validated and exported."""
        return [variable.numpy() for variable in self.averaged.trainable_variables]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Supervised logits [n, K + 1] of scaled features [n, F]."""
        return np.asarray(self.averaged.supervised(tf.constant(features)).numpy())


def _blur(rows: tf.Tensor, deviation: float, seed: tf.Tensor) -> tf.Tensor:
    return rows + deviation * tf.random.stateless_normal(tf.shape(rows), seed) if deviation else rows
