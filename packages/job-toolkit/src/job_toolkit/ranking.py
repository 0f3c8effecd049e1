"""How well scores rank rows: `positive` bool [n] is the truth, `scores` [n] grow with the suspicion of it.

A row is flagged when its score >= the threshold. A ratio without a denominator is 0. Raises InputError,
naming the row, for a score that is not finite: it has no place in the ranking.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job_toolkit.failure import InputError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
CURVE_POINTS = 200


@dataclass(frozen=True)
class Sweep:
    """Every distinct decision, from flagging the fewest rows to all: arrays of length m, and the totals."""

    thresholds: Floats
    true_positives: NDArray[np.int64]
    flagged: NDArray[np.int64]
    positives: int
    rows: int

    @property
    def recall(self) -> Floats:
        return self.true_positives / max(1, self.positives)

    @property
    def precision(self) -> Floats:
        return self.true_positives / self.flagged

    @property
    def false_positive_rate(self) -> Floats:
        return (self.flagged - self.true_positives) / max(1, self.rows - self.positives)

    def f_beta(self, beta: float = 1.0) -> Floats:
        return (1 + beta**2) * self.true_positives / (self.flagged + beta**2 * self.positives)


def sweep(positive: Bools, scores: NDArray[Any]) -> Sweep:
    """All distinct decisions of n >= 1 rows; a threshold is halfway to the next lower score."""
    if not (finite := np.isfinite(scores)).all():
        row = int(finite.argmin())
        raise InputError(f"scores: row {row + 1} is {scores[row]}; a finite number is expected")
    order = np.argsort(-np.asarray(scores), kind="stable")
    ranked, hits = np.asarray(scores, dtype=np.float64)[order], np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    lower = np.append(ranked[last[:-1] + 1], ranked[-1])
    halfway = (ranked[last] + lower) / 2
    return Sweep(
        thresholds=np.where(halfway > lower, halfway, ranked[last]),
        true_positives=hits[last].astype(np.int64),
        flagged=last + 1,
        positives=int(positive.sum()),
        rows=len(ranked),
    )


def average_precision(positive: Bools, scores: NDArray[Any]) -> float:
    """Area under the precision-recall steps; 0 without positives."""
    curve = sweep(positive, scores)
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))


def auc(positive: Bools, scores: NDArray[Any]) -> float:
    """Probability that a positive scores above a negative, ties by half; 0.5 when one class is absent."""
    curve = sweep(positive, scores)
    if curve.positives in (0, curve.rows):
        return 0.5
    rate, recall = np.insert(curve.false_positive_rate, 0, 0.0), np.insert(curve.recall, 0, 0.0)
    return float(np.sum(np.diff(rate) * (recall[1:] + recall[:-1]) / 2))


def recall_at_false_positive_rate(positive: Bools, scores: NDArray[Any], rate: float) -> float:
    """The largest recall of a threshold that flags at most `rate` of the negatives; 0 without positives."""
    curve = sweep(positive, scores)
    allowed = curve.flagged - curve.true_positives <= rate * (curve.rows - curve.positives)
    return float(np.max(curve.recall, initial=0.0, where=allowed))


def best_threshold(positive: Bools, scores: NDArray[Any], beta: float = 1.0) -> float:
    """The threshold with the highest F-beta; above 1, beta favours recall."""
    curve = sweep(positive, scores)
    return float(curve.thresholds[curve.f_beta(beta).argmax()])


def roc_curve(positive: Bools, scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1), at most CURVE_POINTS of them."""
    curve = sweep(positive, scores)
    return _thinned(np.insert(curve.false_positive_rate, 0, 0.0), np.insert(curve.recall, 0, 0.0))


def precision_recall_curve(positive: Bools, scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """Precisions and recalls by rising recall, at most CURVE_POINTS of them."""
    curve = sweep(positive, scores)
    return _thinned(curve.precision, curve.recall)


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Points at even distances along the curve, both ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    picked = np.unique(np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS)))
    return x[picked], y[picked]
