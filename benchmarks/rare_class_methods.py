"""What benchmarks/rare_class.py compares: each method gives the test rows a score."""

import os
import warnings
from collections.abc import Callable
from typing import Any

# Threads that spin while they wait take the processor from each other where there are fewer than it seems.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as train.py does

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import SelfTrainingClassifier

from model import training
from model.training_data import Part
from model.variants import NAMES, Settings

ITERATIONS = 1500
MOST_UNLABELLED = 50_000  # for the baselines: regression takes minutes on more
SHAPE: dict[str, Any] = {"input_noise": 1.0, "faint_noise": 0.25, "input_dropout": 0.2}

Floats = NDArray[np.float32]
# Of scarce, normal and unlabelled rows, the test rows, and a seed: the scores of the test rows.
Method = Callable[[Floats, Floats, Floats, Floats, int], NDArray[np.floating]]


def gan(variant: str) -> Method:
    def score(scarce: Floats, normal: Floats, unlabelled: Floats, test: Floats, seed: int) -> Floats:
        settings = Settings(groups=2, features=test.shape[1], seed=seed, **SHAPE).ablated(variant)
        part = Part([scarce, normal], test[:0], np.empty(0, np.int64))
        model = training.build(settings, part, unlabelled)
        model.train(ITERATIONS, ITERATIONS)
        logits = model.logits(test)
        return logits[:, 0] - np.logaddexp.reduce(logits[:, 1:], axis=1)

    return score


def supervised(build: Callable[[int], Any]) -> Method:
    """On the labelled rows alone."""

    def score(scarce: Floats, normal: Floats, unlabelled: Floats, test: Floats, seed: int) -> Floats:
        truth = np.repeat([1, 0], [len(scarce), len(normal)])
        return _fitted(build(seed), np.concatenate([scarce, normal]), truth, test)

    return score


def with_unlabelled(build: Callable[[int], Any], label: int) -> Method:
    """On all rows, the unlabelled ones as `label`: -1 for self-training, 0 for the negatives."""

    def score(scarce: Floats, normal: Floats, unlabelled: Floats, test: Floats, seed: int) -> Floats:
        drawn = unlabelled[np.random.default_rng(seed).permutation(len(unlabelled))[:MOST_UNLABELLED]]
        truth = np.repeat([1, 0, label], [len(scarce), len(normal), len(drawn)])
        return _fitted(build(seed), np.concatenate([scarce, normal, drawn]), truth, test)

    return score


def _fitted(model: Any, rows: Floats, truth: NDArray[np.int64], test: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit(rows, truth).predict_proba(test)[:, 1])


def regression(seed: int) -> LogisticRegression:
    return LogisticRegression(class_weight="balanced", max_iter=500)


def boosting(seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(class_weight="balanced", random_state=seed)


BASELINES: dict[str, Method] = {
    "logistic regression": supervised(regression),
    "gradient boosting": supervised(boosting),
    "self-training, regression": with_unlabelled(lambda seed: SelfTrainingClassifier(regression(seed)), -1),
    "self-training, boosting": with_unlabelled(lambda seed: SelfTrainingClassifier(boosting(seed)), -1),
    "regression, rest as negative": with_unlabelled(regression, 0),
    "boosting, rest as negative": with_unlabelled(boosting, 0),
}
METHODS: dict[str, Method] = {name: gan(name) for name in NAMES} | BASELINES
