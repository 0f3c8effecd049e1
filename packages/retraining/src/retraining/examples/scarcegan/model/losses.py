"""The objectives of ScarceGAN, one function per formula.

[SG]  Chakrabarty, Talwadker, Mukherjee: ScarceGAN, CIKM 2021, arXiv 2505.03811.
[BG]  Dai, Yang, Yang, Cohen, Salakhutdinov: Good semi-supervised learning that requires a bad GAN,
      NeurIPS 2017, arXiv 1705.09783.
[IG]  Salimans et al.: Improved techniques for training GANs, NeurIPS 2016, arXiv 1606.03498, section 3.1.
[EB]  Zhao, Mathieu, LeCun: Energy-based GAN, ICLR 2017, arXiv 1609.03126, section 2.4.
[PU]  Kiryo, Niu, du Plessis, Sugiyama: Positive-unlabeled learning with non-negative risk estimator, NeurIPS
      2017, arXiv 1703.00593; for a class so scarce that its share among the unlabelled may be taken for 0.

K groups, of which group 0 is the scarce one; class K of the supervised head is `unknown`. All return scalars.
"""

import tensorflow as tf

from model.networks import FAKE, KNOWN, UNKNOWN


def supervised_with_leeway(logits: tf.Tensor, labels: tf.Tensor, leeway: float) -> tf.Tensor:
    """Cross-entropy of labelled samples, with leeway for the weakly labelled negatives [SG].

    A scarce sample must be named as such: -log p(0|x). A negative may be its own group or `unknown`:
    -(1 - leeway) log p(y|x) - leeway log p(K|x). A wrong negative label costs less, while both targets keep
    the sample away from the scarce class. logits [n, K + 1], labels int32 [n], 0 <= leeway < 1.
    """
    classes = logits.shape[-1]
    weight = leeway * tf.cast(labels != 0, tf.float32)[:, None]
    target = (1 - weight) * tf.one_hot(labels, classes) + weight * tf.one_hot(classes - 1, classes)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))


def unsupervised(real_logits: tf.Tensor, fake_logits: tf.Tensor, leeway: float) -> tf.Tensor:
    """Real against fake, where an unlabelled real sample may be known or unknown behaviour [SG].

    -(1 - leeway) log p(KNOWN|x) - leeway log p(UNKNOWN|x) for real x, -log p(FAKE|G(z)) for generated ones,
    averaged. Both logits are [n, 3].
    """
    target = [0.0, 0.0, 0.0]
    target[KNOWN], target[UNKNOWN] = 1 - leeway, leeway
    real = -tf.reduce_mean(tf.reduce_sum(tf.nn.log_softmax(real_logits) * tf.constant(target), axis=1))
    fake = -tf.reduce_mean(tf.nn.log_softmax(fake_logits)[:, FAKE])
    return 0.5 * (real + fake)


def unlabelled_not_scarce(logits: tf.Tensor) -> tf.Tensor:
    """-log(1 - p(0|x)) of unlabelled samples: hardly one of them is scarce, whatever else they are [PU].

    Mean over supervised logits [n, K + 1]. Without it nothing keeps behaviour that no label shows away from
    the scarce class.
    """
    rest = tf.reduce_logsumexp(tf.nn.log_softmax(logits)[:, 1:], axis=1)
    return -tf.reduce_mean(rest)


def generated_unknown(logits: tf.Tensor) -> tf.Tensor:
    """-log p(K|G(z)): what lies between the groups, as a bad generator makes it, is unknown [BG, SG].

    Mean over supervised logits [n, K + 1].
    """
    return -tf.reduce_mean(tf.nn.log_softmax(logits)[:, -1])


def known_or_generated(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The unsupervised loss of a GAN with one head of K + 1 classes, the last for generated samples [IG].

    -log(1 - p(K|x)) for real x, -log p(K|G(z)) for generated ones, averaged. Both logits are [n, K + 1].
    """
    known = tf.reduce_logsumexp(tf.nn.log_softmax(real_logits)[:, :-1], axis=1)
    return 0.5 * (generated_unknown(fake_logits) - tf.reduce_mean(known))


def conditional_entropy(logits: tf.Tensor) -> tf.Tensor:
    """Mean entropy of supervised logits [n, K + 1], in nats: how undecided the model is."""
    log = tf.nn.log_softmax(logits)
    return -tf.reduce_mean(tf.reduce_sum(tf.exp(log) * log, axis=1))


def feature_matching(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the batch means of trunk outputs, both [n, U] [IG, in SG's L1 form]."""
    return tf.reduce_mean(tf.abs(tf.reduce_mean(real, axis=0) - tf.reduce_mean(fake, axis=0)))


def pull_away(fake: tf.Tensor) -> tf.Tensor:
    """Mean squared cosine between the trunk outputs [n, U] of different generated samples [EB, BG]."""
    unit = tf.math.l2_normalize(fake, axis=1, epsilon=1e-8)
    count = tf.cast(tf.shape(fake)[0], tf.float32)
    cosines = tf.square(tf.matmul(unit, unit, transpose_b=True))
    return (tf.reduce_sum(cosines) - tf.reduce_sum(tf.linalg.diag_part(cosines))) / (count * (count - 1))


def low_density(supervised_logits: tf.Tensor, unsupervised_logits: tf.Tensor, threshold: float) -> tf.Tensor:
    """What makes the generator `bad`: it is pushed out of dense regions [BG, SG].

    Mean of log max_k p(k|G(z)) over the samples that the unsupervised head takes for real with a probability
    above `threshold`, k over the K groups; minimising it moves them to where no group is certain.
    """
    real = 1 - tf.nn.softmax(unsupervised_logits)[:, FAKE]
    dense = tf.stop_gradient(tf.cast(real > threshold, tf.float32))
    certainty = tf.reduce_max(tf.nn.log_softmax(supervised_logits)[:, :-1], axis=1)
    return tf.reduce_mean(dense * certainty)
