"""The training loop: discriminator and generator steps, many iterations inside one compiled call."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import losses
from networks import Discriminator, Generator, Network

DRAWS_AT_ONCE = 2**24  # random numbers, of 4 bytes
BLOCK = 50  # iterations whose random numbers are drawn at once, where they are not too many
BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))

Weights = NDArray[np.float32]


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
    """Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019) of a network."""

    def __init__(self, network: Network, rate: float, decay: float) -> None:
        super().__init__(name="adam")
        self.network, self.rate, self.decay = network, rate, decay
        self.first = tf.Variable(tf.zeros_like(network.parameters))
        self.second = tf.Variable(tf.zeros_like(network.parameters))

    def apply(self, gradient: tf.Tensor, step: tf.Tensor, factor: tf.Tensor) -> None:
        """The step number `step`, from 1; `factor` scales the rate (schedule). Biases do not decay."""
        parameters = self.network.parameters
        first = self.first.assign(0.5 * self.first + 0.5 * gradient)
        second = self.second.assign(0.999 * self.second + 0.001 * tf.square(gradient))
        rate = self.rate * factor
        corrected = rate * tf.sqrt(1 - tf.pow(0.999, step)) / (1 - tf.pow(0.5, step))
        update = corrected * first / (tf.sqrt(second) + 1e-8)
        if self.decay:
            weights = tf.range(parameters.shape[0]) < self.network.weight_count
            update += tf.where(weights, self.decay * rate, 0.0) * parameters
        parameters.assign_sub(update)


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
        self.discriminator_step = Adam(self.discriminator, s.learning_rate_discriminator, s.weight_decay)
        self.generator_step = Adam(self.generator, s.learning_rate_generator, 0.0)
        self.iteration = tf.Variable(0, dtype=tf.int64)
        # Of each group the same number of rows, then as many unlabelled ones as a batch has.
        self.share = max(1, s.batch_size // s.groups)
        self.labels = tf.constant(np.repeat(np.arange(s.groups), self.share), dtype=tf.int32)
        self.counts = [*[(len(rows), self.share) for rows in labelled], (len(unlabelled), s.batch_size)]
        self.rows = tf.constant(np.concatenate([*labelled, unlabelled]))
        draws = self._row_count() * s.features + 2 * s.batch_size * s.noise_dim
        self.block = max(1, min(BLOCK, DRAWS_AT_ONCE // draws))

    def train(self, iterations: int, total: int) -> NDArray[np.float64]:
        """Run `iterations` steps of a training of `total`.

        Returns the means over them of: supervised, unsupervised and generator loss, and supervised accuracy.
        """
        sums, done, start = np.zeros(4), 0, int(self.iteration.numpy())
        while done < iterations:
            block, offset = divmod(start + done, self.block)
            count = min(self.block - offset, iterations - done)
            draws = self._draw(tf.constant(block))
            numbers = (tf.constant(value) for value in (offset, count, float(total)))
            sums += self._run(*draws, *numbers).numpy()
            done += count
        return sums / iterations

    @tf.function
    def _draw(self, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The random numbers of a block of iterations: they depend on the seed and the block alone.

        Row numbers [block, rows], and numbers that are uniform in (-1, 1): [block, rows, F] and
        [block, 2, batch_size, noise_dim]. TensorFlow's own kernels draw several times faster than XLA's.
        """
        s, start, numbers = self.settings, 0, []
        for kind, (size, count) in enumerate(self.counts):
            seed = self._seed(kind, block)
            drawn = tf.random.stateless_uniform([self.block, count], seed, 0, size, dtype=tf.int32)
            numbers.append(start + drawn)
            start += size
        shapes = [self.block, self._row_count(), s.features], [self.block, 2, s.batch_size, s.noise_dim]
        blur, noise = (
            tf.random.stateless_uniform(shape, self._seed(kind, block), -BELOW_ONE, 1.0)
            for kind, shape in enumerate(shapes, start=len(self.counts))
        )
        return tf.concat(numbers, axis=1), blur, noise

    def _seed(self, kind: int, block: tf.Tensor) -> tf.Tensor:
        return tf.stack([self.settings.seed * 1000 + kind, block])

    @tf.function(jit_compile=True)
    def _run(
        self,
        numbers: tf.Tensor,
        blur: tf.Tensor,
        noise: tf.Tensor,
        offset: tf.Tensor,
        count: tf.Tensor,
        total: tf.Tensor,
    ) -> tf.Tensor:
        """`count` iterations with the draws of a block, from `offset` on; the sums of the four metrics."""
        sums = tf.zeros([4])
        for place in tf.range(offset, offset + count):
            rows = tf.gather(self.rows, numbers[place])
            rows += self.settings.input_noise * _normal(blur[place])
            sums += self._iterate(rows, _normal(noise[place]), total)
        return sums

    def _iterate(self, rows: tf.Tensor, noise: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        """One step of both networks on rows [n, F], labelled first, and noise [2, batch_size, noise_dim]."""
        s = self.settings
        step = tf.cast(self.iteration.assign_add(1), tf.float32)
        factor = 0.05 + 0.95 * tf.square(tf.cos(step / total * (np.pi / 2)))
        parts, real_trunk = self._discriminator_step(rows, self.generator(noise[0]), step, factor)
        generator_loss = self._generator_step(real_trunk, noise[1], step, factor)
        self.averaged.parameters.assign(
            s.averaging * self.averaged.parameters + (1 - s.averaging) * self.discriminator.parameters
        )
        return tf.stack([parts[0], parts[1], generator_loss, parts[2]])

    def _discriminator_step(
        self, rows: tf.Tensor, fake: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
        s, model, labelled, real = self.settings, self.discriminator, self.labels.shape[0], rows.shape[0]
        with tf.GradientTape() as tape:
            layers = model.layers()
            trunk = model.trunk(tf.concat([rows, fake], axis=0), layers)
            classes, kinds = model.heads(trunk, layers)
            supervised = losses.supervised_with_leeway(classes[:labelled], self.labels, s.leeway)
            unsupervised = losses.unsupervised(kinds[labelled:real], kinds[real:], s.leeway)
            entropy = losses.conditional_entropy(classes[labelled:real])
            loss = supervised + s.unsupervised_weight * unsupervised + s.entropy_weight * entropy
        self.discriminator_step.apply(tape.gradient(loss, model.parameters), step, factor)
        right = tf.argmax(classes[:labelled], axis=1, output_type=tf.int32) == self.labels
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        return (supervised, unsupervised, accuracy), trunk[labelled:real]

    def _generator_step(
        self, real_trunk: tf.Tensor, noise: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tf.Tensor:
        s, model = self.settings, self.discriminator
        layers = model.layers()
        with tf.GradientTape() as tape:
            trunk = model.trunk(self.generator(noise), layers)
            dense = losses.low_density(*model.heads(trunk, layers), s.low_density_threshold)
            loss = (
                losses.feature_matching(real_trunk, trunk)
                + losses.pull_away(trunk)
                + s.low_density_weight * dense
            )
        self.generator_step.apply(tape.gradient(loss, self.generator.parameters), step, factor)
        return loss

    def _row_count(self) -> int:
        return sum(count for _, count in self.counts)

    def weights(self) -> Weights:
        """The averaged discriminator's parameters: the ones that are validated and exported."""
        return np.array(self.averaged.parameters.numpy())

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Supervised logits [n, K + 1] of scaled features [n, F]."""
        return np.asarray(self.averaged.supervised(tf.constant(features)).numpy())


def _normal(uniform: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers from ones that are uniform in (-1, 1)."""
    return 2**0.5 * tf.math.erfinv(uniform)
