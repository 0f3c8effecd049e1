"""The training loop: many iterations inside one compiled call.

Rows stay resident as one tensor. Where they are too many, a tf.data pipeline gathers them on the host, a
block ahead.
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model import distribution
from model.distribution import ALONE, Workers
from model.networks import Discriminator, Network
from model.variants import Settings

DRAWS_AT_ONCE = 2**24  # random numbers, of 4 bytes
BLOCK = 50  # iterations whose random numbers are drawn at once, where they are not too many
RESIDENT = 2**31  # bytes of rows that stay on the device
BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))

Weights = NDArray[np.float32]


class Adam(tf.Module):
    """Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019) of a network."""

    def __init__(self, network: Network, rate: float, decay: float) -> None:
        super().__init__(name="adam")
        self.network, self.rate, self.decay = network, rate, decay
        self.first = tf.Variable(tf.zeros_like(network.parameters))
        self.second = tf.Variable(tf.zeros_like(network.parameters))

    def apply(self, gradient: tf.Tensor, step: tf.Tensor, factor: tf.Tensor) -> None:
        """The step number `step`, from 1; `factor` scales the rate (schedule). Biases do not decay."""
        gradient = distribution.mean(gradient)
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


class Loop(tf.Module):
    """A model in training, whose classifier `discriminator` is averaged over the steps.

    `labelled` are the scaled rows of each group, [n_k, F]; `unlabelled` is [m, F]. A model says in `_step`
    what one iteration does.
    """

    def __init__(
        self,
        settings: Settings,
        labelled: list[NDArray[np.float32]],
        unlabelled: NDArray[np.float32],
        workers: Workers = ALONE,
    ) -> None:
        super().__init__(name=settings.variant.replace("-", "_"))
        s = self.settings = settings
        self.workers = workers
        self._compiled = workers.compiled(self._run)
        self.precision = tf.bfloat16 if s.mixed_precision else tf.float32
        self.discriminator = Discriminator(s.features, s.groups, s.units, s.seed, self.precision)
        self.averaged = Discriminator(s.features, s.groups, s.units, s.seed)
        self.discriminator_step = Adam(self.discriminator, s.learning_rate_discriminator, s.weight_decay)
        self.iteration = tf.Variable(0, dtype=tf.int64)
        # Of each group the same number of rows, then as many unlabelled ones as a batch has.
        self.share = max(1, s.batch_size // s.groups)
        self.labels = tf.constant(np.repeat(np.arange(s.groups), self.share), dtype=tf.int32)
        self.counts = [*[(len(rows), self.share) for rows in labelled], (len(unlabelled), s.batch_size)]
        self.host_rows = np.concatenate(labelled), unlabelled
        is_resident = sum(rows.nbytes for rows in self.host_rows) <= RESIDENT
        self.rows = tf.constant(np.concatenate(self.host_rows)) if is_resident else None
        draws = self._row_count() * s.features + 2 * s.batch_size * s.noise_dim
        self.block = max(1, min(BLOCK, DRAWS_AT_ONCE // draws))
        self._build()

    def _build(self) -> None:
        """Make the variant's other networks, and their optimisers."""
        raise NotImplementedError

    def _step(self, rows: tf.Tensor, noise: tf.Tensor, step: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
        """One iteration on rows [n, F], labelled first, and noise [2, batch_size, noise_dim].

        `step` counts from 1, `factor` scales the rates. Returns what `train` gives the means of, [4].
        """
        raise NotImplementedError

    def train(self, iterations: int, total: int) -> NDArray[np.float64]:
        """Run `iterations` steps of a training of `total`.

        Returns the means over them, and over all workers, of: supervised, unsupervised and generator loss,
        and supervised accuracy.
        """
        sums, start = np.zeros(4), int(self.iteration.numpy())
        blocks = range(start // self.block, -(-(start + iterations) // self.block))
        for block, draws in zip(blocks, self._draws(blocks), strict=True):
            offset = max(start - block * self.block, 0)
            count = min(start + iterations - block * self.block, self.block) - offset
            numbers = (tf.constant(value) for value in (offset, count, float(total)))
            sums += self._compiled(*draws, *numbers).numpy()
        return sums / iterations

    def _draws(self, blocks: range) -> Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Of each block what `_run` takes first: row numbers, or where no rows are resident the rows."""
        if self.rows is not None:
            return (self._draw(tf.constant(block)) for block in blocks)

        def gather(numbers: tf.Tensor, blur: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tf.numpy_function(self._gather, [numbers], tf.float32), blur, noise

        dataset = tf.data.Dataset.range(blocks.start, blocks.stop, output_type=tf.int32)
        return dataset.map(self._draw).map(gather).prefetch(1)  # type: ignore[no-any-return]

    def _gather(self, numbers: NDArray[np.int32]) -> NDArray[np.float32]:
        """Rows [block, n, F] by their numbers [block, n]."""
        (labelled, unlabelled), width = self.host_rows, self.labels.shape[0]
        parts = labelled[numbers[:, :width]], unlabelled[numbers[:, width:] - len(labelled)]
        return np.concatenate(parts, axis=1)

    @tf.function(autograph=False)
    def _draw(self, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The random numbers of a block of iterations: they depend on seed, block and worker alone.

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
            tf.random.stateless_uniform(shape, self._seed(kind, block), -BELOW_ONE, BELOW_ONE)
            for kind, shape in enumerate(shapes, start=len(self.counts))
        )
        return tf.concat(numbers, axis=1), blur, noise

    def _seed(self, kind: int, block: tf.Tensor) -> tf.Tensor:
        workers = self.workers
        return tf.stack([self.settings.seed * 1000 + kind, block * workers.count + workers.rank])

    def _run(
        self,
        drawn: tf.Tensor,
        blur: tf.Tensor,
        noise: tf.Tensor,
        offset: tf.Tensor,
        count: tf.Tensor,
        total: tf.Tensor,
    ) -> tf.Tensor:
        """`count` iterations with the draws of a block, from `offset` on; the sums of the four metrics."""
        averaging = self.settings.averaging

        def iterate(place: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            step = tf.cast(self.iteration.assign_add(1), tf.float32)
            factor = 0.05 + 0.95 * tf.square(tf.cos(step / total * (np.pi / 2)))
            rows = drawn[place] if self.rows is None else tf.gather(self.rows, drawn[place])
            rows = self._blurred(rows, blur[place])
            sums += self._step(rows, _normal(noise[place]), step, factor)
            self.averaged.parameters.assign(
                averaging * self.averaged.parameters + (1 - averaging) * self.discriminator.parameters
            )
            return place + 1, sums

        last = offset + count
        sums = tf.while_loop(lambda place, sums: place < last, iterate, (offset, tf.zeros([4])))[1]
        return distribution.mean(sums)

    def _blurred(self, rows: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Rows [n, F] with noise, some features set to 0; `uniform` [n, F] decides both.

        Every second row has the faint noise: it tells near rows apart; the full one smooths between them.
        """
        s = self.settings
        noise = np.full([rows.shape[0], 1], s.input_noise, np.float32)
        noise[1::2] *= s.faint_noise
        if not s.input_dropout:
            return rows + noise * _normal(uniform)
        size = tf.abs(uniform)
        rest = tf.sign(uniform) * tf.maximum(size - s.input_dropout, 0.0) / (1 - s.input_dropout)
        return tf.where(size < s.input_dropout, 0.0, rows + noise * _normal(rest))

    def _row_count(self) -> int:
        return sum(count for _, count in self.counts)

    def _accuracy(self, classes: tf.Tensor) -> tf.Tensor:
        """Of the labelled rows' supervised logits."""
        right = tf.argmax(classes, axis=1, output_type=tf.int32) == self.labels
        return tf.reduce_mean(tf.cast(right, tf.float32))

    def weights(self) -> Weights:
        """The averaged discriminator's parameters: the ones that are validated and exported."""
        return np.array(self.averaged.parameters.numpy())

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Supervised logits [n, K + 1] of scaled features [n, F]."""
        return np.asarray(self.averaged.supervised(tf.constant(features)).numpy())


def _normal(uniform: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers from ones that are uniform in (-1, 1)."""
    return 2**0.5 * tf.math.erfinv(uniform)
