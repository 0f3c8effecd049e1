"""Iterations per second of the ScarceGAN example's training, and of an eager Keras loop of the same networks.

Run it with the Python of a project (its TensorFlow): python benchmarks/training_speed.py [--model FOLDER].
Batch 32, 50 features, 4 classes, the example's default layers, CPU, one thread; validation metrics of 2,000
rows at each 100th iteration of both. The two are measured in turns, after an unmeasured call that compiles.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # as train.py does
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf

BATCH, FEATURES, CLASSES, NOISE = 32, 50, 4, 32
MODEL = Path(__file__).parents[1] / "packages/retraining/src/retraining/examples/scarcegan"
LABELLED, UNLABELLED, VALIDATION = 250, 20_000, 2_000  # rows; labelled ones per class


class Eager:
    """The loop as one writes it first: Keras layers and optimisers, called step by step."""

    def __init__(self, rows: list[np.ndarray], unlabelled: np.ndarray) -> None:
        def mlp(inputs: int, *units: int) -> keras.Sequential:
            hidden = [keras.layers.Dense(count, activation="leaky_relu") for count in units]
            return keras.Sequential([keras.layers.Input([inputs]), *hidden])

        self.trunk = mlp(FEATURES, 128, 64)
        self.heads = [
            keras.Sequential([keras.layers.Input([64]), keras.layers.Dense(count)])
            for count in (CLASSES + 1, 3)
        ]
        self.generator = keras.Sequential([mlp(NOISE, 64, 64), keras.layers.Dense(FEATURES)])
        self.optimizers = [keras.optimizers.Adam(rate, beta_1=0.5) for rate in (1e-3, 3e-4)]
        self.rows, self.unlabelled = rows, unlabelled
        self.rng = np.random.default_rng(7)

    def batch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        share = BATCH // CLASSES
        drawn = [rows[self.rng.integers(len(rows), size=share)] for rows in self.rows]
        real = self.unlabelled[self.rng.integers(len(self.unlabelled), size=BATCH)]
        return np.concatenate(drawn), np.repeat(np.arange(CLASSES), share), real

    def iterate(self) -> None:
        from model import losses

        features, labels, real = self.batch()
        with tf.GradientTape() as tape:
            fake = self.generator(tf.random.normal([BATCH, NOISE]))
            trunk, real_trunk, fake_trunk = (self.trunk(part) for part in (features, real, fake))
            loss = losses.supervised_with_leeway(self.heads[0](trunk), tf.constant(labels, tf.int32), 0.1)
            loss += losses.unsupervised(self.heads[1](real_trunk), self.heads[1](fake_trunk), 0.1)
            loss += losses.unlabelled_not_scarce(self.heads[0](real_trunk))
            loss += losses.generated_unknown(self.heads[0](fake_trunk))
        variables = [value for part in (self.trunk, *self.heads) for value in part.trainable_variables]
        self.optimizers[0].apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        with tf.GradientTape() as tape:
            trunk = self.trunk(self.generator(tf.random.normal([BATCH, NOISE])))
            dense = losses.low_density(self.heads[0](trunk), self.heads[1](trunk), 0.5)
            loss = losses.feature_matching(real_trunk, trunk) + losses.pull_away(trunk) + 0.1 * dense
        variables = self.generator.trainable_variables
        self.optimizers[1].apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def validate(logits: np.ndarray, positive: np.ndarray) -> None:
    import candidates

    definition = candidates.Definition("f1", "f1", "max", {})
    candidates.choose(definition, positive, tf.nn.softmax(logits)[:, 0].numpy())


def rate(work: Callable[[], None], iterations: int) -> float:
    began = time.perf_counter()
    work()
    return iterations / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODEL, help="folder with train.py")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=2000, help="per round; the eager loop does 100")
    options = parser.parse_args()
    sys.path.insert(0, str(options.model.resolve()))
    from model.gan import ScarceGan
    from model.variants import Settings

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rng = np.random.default_rng(7)
    rows = [rng.normal(size=(LABELLED, FEATURES)).astype(np.float32) for _ in range(CLASSES)]
    unlabelled, validation = (
        rng.normal(size=(count, FEATURES)).astype(np.float32) for count in (UNLABELLED, VALIDATION)
    )
    positive = rng.random(VALIDATION) < 0.05
    model = ScarceGan(Settings(groups=CLASSES, features=FEATURES, batch_size=BATCH), rows, unlabelled)
    eager = Eager(rows, unlabelled)

    def compiled_rounds() -> None:
        for _ in range(options.iterations // 100):
            model.train(100, 1_000_000)
            validate(model.logits(validation), positive)

    def eager_round() -> None:
        for _ in range(100):
            eager.iterate()
        validate(eager.heads[0](eager.trunk(validation)).numpy(), positive)

    model.train(100, 1_000_000)
    eager.iterate()
    measured: dict[str, list[float]] = {"scarcegan": [], "eager Keras": []}
    for _ in range(options.rounds):
        measured["scarcegan"].append(rate(compiled_rounds, options.iterations // 100 * 100))
        measured["eager Keras"].append(rate(eager_round, 100))
    print(f"training, batch {BATCH}, {FEATURES} features, {CLASSES} classes, one thread, iterations/s:")
    for name, rates in measured.items():
        print(f"{name:<28}{max(rates):>9.0f} best{statistics.median(rates):>9.0f} median")
    ratios = [fast / slow for fast, slow in zip(*measured.values(), strict=True)]
    print(f"{'times the eager loop':<28}{statistics.median(ratios):>9.0f} median")


if __name__ == "__main__":
    main()
