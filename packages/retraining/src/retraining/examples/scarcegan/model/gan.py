"""ScarceGAN: what one iteration does to the discriminator and the generator."""

import tensorflow as tf

from model import losses
from model.loop import Adam, Loop
from model.networks import Perceptron


class ScarceGan(Loop):
    """ScarceGAN and those of its ablations that are GANs too, as the settings say."""

    def _build(self) -> None:
        s = self.settings
        self.generator = Perceptron(
            "generator", s.noise_dim, s.generator_units, s.features, s.seed, self.precision
        )
        self.generator_step = Adam(self.generator, s.learning_rate_generator, 0.0)

    def _step(self, rows: tf.Tensor, noise: tf.Tensor, step: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
        parts, real_trunk = self._discriminator_step(rows, self.generator(noise[0]), step, factor)
        generator_loss = self._generator_step(real_trunk, noise[1], step, factor)
        return tf.stack([parts[0], parts[1], generator_loss, parts[2]])

    def _discriminator_step(
        self, rows: tf.Tensor, fake: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns supervised and unsupervised loss and accuracy, and the unlabelled rows' trunk outputs."""
        s, model, labelled, real = self.settings, self.discriminator, self.labels.shape[0], rows.shape[0]
        with tf.GradientTape() as tape:
            layers = model.layers()
            trunk = model.trunk(tf.concat([rows, fake], axis=0), layers)
            classes, kinds = model.heads(trunk, layers)
            supervised = losses.supervised_with_leeway(classes[:labelled], self.labels, s.leeway)
            if s.has_unknown_head:
                unsupervised = losses.unsupervised(kinds[labelled:real], kinds[real:], s.leeway)
            else:
                unsupervised = losses.known_or_generated(classes[labelled:real], classes[real:])
            loss = supervised + s.unsupervised_weight * unsupervised
            if s.unlabelled_weight:
                loss += s.unlabelled_weight * losses.unlabelled_not_scarce(classes[labelled:real])
            if s.unknown_weight:
                loss += s.unknown_weight * losses.generated_unknown(classes[real:])
        self.discriminator_step.apply(tape.gradient(loss, model.parameters), step, factor)
        return (supervised, unsupervised, self._accuracy(classes[:labelled])), trunk[labelled:real]

    def _generator_step(
        self, real_trunk: tf.Tensor, noise: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tf.Tensor:
        s, model = self.settings, self.discriminator
        layers = model.layers()
        with tf.GradientTape() as tape:
            trunk = model.trunk(self.generator(noise), layers)
            loss = losses.feature_matching(real_trunk, trunk)
            if s.pull_away_weight:
                loss += s.pull_away_weight * losses.pull_away(trunk)
            if s.low_density_weight:
                dense = losses.low_density(*model.heads(trunk, layers), s.low_density_threshold)
                loss += s.low_density_weight * dense
        self.generator_step.apply(tape.gradient(loss, self.generator.parameters), step, factor)
        return loss
