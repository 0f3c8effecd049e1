"""What plain models reach on the same labels: the bar that the GAN is held to."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.semi_supervised import SelfTrainingClassifier
from threadpoolctl import threadpool_limits

import candidates
from candidates import Definition
from evaluation.scoring import Scored

SEED = 7
UNLABELLED = 20_000  # rows that self-training learns from
SURE = 0.99  # a prediction that self-training takes for a label
ROUNDS = 2
FOLDS = 3

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """Scaled rows: training [m, F] with truth `positive` [m], unlabelled [u, F], test [n, F]."""

    train: Floats
    positive: NDArray[np.bool_]
    unlabelled: Floats
    test: Floats


def fit(data: Data, definition: Definition) -> list[Scored]:
    """Fit each baseline and score the test rows; at least two training rows of each class are needed.

    The threshold follows the same definition as a candidate's, on scores of held-out training rows: a row is
    scored by a model that did not see it.
    """
    boosting = HistGradientBoostingClassifier(random_state=SEED)
    models = {
        "logistic-regression": LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
        "gradient-boosting": boosting,
        "self-training": SelfTrainingClassifier(boosting, threshold=SURE, max_iter=ROUNDS),
    }
    # Threads spin at each barrier: on a busy machine, more of them make small models stand still.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # That self-training found no row, or each one, worth a label is no fault.
        warnings.simplefilter("ignore", UserWarning)
        return [_scored(data, definition, name, model) for name, model in models.items()]


def _scored(data: Data, definition: Definition, name: str, model: ClassifierMixin) -> Scored:
    folds = min(FOLDS, int(data.positive.sum()), int((~data.positive).sum()))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=SEED)
    held_out = np.zeros(len(data.train))
    for rest, part in splitter.split(data.train, data.positive):
        fitted = _fit(model, data.train[rest], data.positive[rest], data.unlabelled)
        held_out[part] = fitted.predict_proba(data.train[part])[:, 1]
    threshold = candidates.choose(definition, data.positive, held_out).threshold
    fitted = _fit(model, data.train, data.positive, data.unlabelled)
    test, unlabelled = (fitted.predict_proba(rows)[:, 1] for rows in (data.test, data.unlabelled))
    flagged, verbosity = test >= threshold, float((unlabelled >= threshold).mean())
    return Scored("baseline", name, threshold, test, flagged, verbosity)


def _fit(
    model: ClassifierMixin, rows: Floats, positive: NDArray[np.bool_], unlabelled: Floats
) -> ClassifierMixin:
    """A fitted copy of the model; one that can learn from unlabelled rows gets them."""
    truth = positive.astype(int)
    if isinstance(model, SelfTrainingClassifier):
        more = unlabelled[:UNLABELLED]
        rows, truth = np.concatenate([rows, more]), np.concatenate([truth, np.full(len(more), -1)])
    return clone(model).fit(rows, truth)
