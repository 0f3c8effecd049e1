"""The semi-supervised adversarial autoencoder, an ablation.

Source: Makhzani, Shlens, Jaitly, Goodfellow, Frey: Adversarial autoencoders, arXiv 1511.05644, section 5. The
code of a row is its group, as the supervised head gives it, and a style; one critic tells codes of rows from
ones drawn from the priors: a group, by its share of the labels, and a standard normal style.
"""

import numpy as np
import tensorflow as tf

from model import losses
from model.loop import Adam, Loop
from model.networks import Perceptron

STYLE = 3  # dimensions: the style has the place of the unsupervised head, so that all variants export alike


class AdversarialAutoencoder(Loop):
    """Encoder (the discriminator's networks), decoder and critic."""

    def _build(self) -> None:
        s, code = self.settings, self.settings.groups + 1 + STYLE
        self.decoder = Perceptron("decoder", code, s.generator_units, s.features, s.seed, self.precision)
        self.critic = Perceptron("critic", code, s.generator_units, 1, s.seed + 1, self.precision)
        # Where a number that is uniform in (0, 1) passes from one group to the next.
        counts = np.cumsum([size for size, _ in self.counts[:-1]])
        self.shares = tf.constant(counts[:-1] / counts[-1], tf.float32)
        self.decoder_step = Adam(self.decoder, s.learning_rate_discriminator, 0.0)
        self.critic_step = Adam(self.critic, s.learning_rate_generator, 0.0)

    def _step(self, rows: tf.Tensor, noise: tf.Tensor, step: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
        supervised, accuracy, critic_view, code = self._encoder_step(rows, step, factor)
        critic_loss = self._critic_step(code, self._prior(noise[0]), step, factor)
        return tf.stack([supervised, critic_loss, critic_view, accuracy])

    def _encoder_step(
        self, rows: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Reconstruct all rows, name the labelled ones, and give codes that the critic takes for drawn ones.

        Returns supervised loss, accuracy, reconstruction error, and the unlabelled rows' codes.
        """
        model, labelled = self.discriminator, self.labels.shape[0]
        with tf.GradientTape() as tape:
            layers = model.layers()
            classes, style = model.heads(model.trunk(rows, layers), layers)
            code = tf.concat([tf.nn.softmax(classes), style], axis=1)
            error = tf.reduce_mean(tf.square(self.decoder(code) - rows))
            supervised = losses.supervised_with_leeway(classes[:labelled], self.labels, self.settings.leeway)
            fooled = tf.reduce_mean(tf.nn.softplus(-self.critic(code[labelled:])))
            loss = supervised + error + self.settings.unsupervised_weight * fooled
        gradients = tape.gradient(loss, [model.parameters, self.decoder.parameters])
        self.discriminator_step.apply(gradients[0], step, factor)
        self.decoder_step.apply(gradients[1], step, factor)
        return supervised, self._accuracy(classes[:labelled]), error, code[labelled:]

    def _critic_step(
        self, code: tf.Tensor, prior: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = 0.5 * tf.reduce_mean(tf.nn.softplus(-self.critic(prior)))
            loss += 0.5 * tf.reduce_mean(tf.nn.softplus(self.critic(code)))
        self.critic_step.apply(tape.gradient(loss, self.critic.parameters), step, factor)
        return loss

    def _prior(self, noise: tf.Tensor) -> tf.Tensor:
        """Codes [n, K + 1 + STYLE] from normal numbers [n, noise_dim]."""
        uniform = 0.5 * (1 + tf.math.erf(noise[:, STYLE] / 2**0.5))
        group = tf.searchsorted(self.shares, uniform, side="right")
        return tf.concat([tf.one_hot(group, self.settings.groups + 1), noise[:, :STYLE]], axis=1)
