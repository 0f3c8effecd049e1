"""What plain supervised models reach on the labelled training rows alone: the bar that the GAN is held to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

import candidates
from candidates import Definition

SEED = 7


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline: its decision threshold, and its scores of the test rows [n]."""

    name: str
    threshold: float
    scores: NDArray[np.float64]


def fit(
    train: NDArray[np.float32], positive: NDArray[np.bool_], test: NDArray[np.float32], definition: Definition
) -> list[Baseline]:
    """Fit each baseline on scaled training rows [m, F] and score the test rows [n, F].

    At least two training rows of each class are needed. The threshold follows the same definition as a
    candidate's, on scores of held-out training rows: a row is scored by a model that did not see it.
    """
    folds = min(5, int(positive.sum()), int((~positive).sum()))
    fitted = []
    # OpenMP's threads spin at each barrier: on a busy machine, more of them make boosting stand still.
    with threadpool_limits(limits=1, user_api="openmp"):
        for name, model in _models().items():
            splitter = StratifiedKFold(folds, shuffle=True, random_state=SEED)
            held_out = cross_val_predict(model, train, positive, cv=splitter, method="predict_proba")[:, 1]
            threshold = candidates.choose(definition, positive, held_out).threshold
            fitted.append(Baseline(name, threshold, model.fit(train, positive).predict_proba(test)[:, 1]))
    return fitted


def _models() -> dict[str, ClassifierMixin]:
    return {
        "logistic-regression": LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
        "gradient-boosting": HistGradientBoostingClassifier(random_state=SEED),
    }
