"""Measures of a scarce-class detector: `positive` bool [n] is the truth, `scores` [n] grow with suspicion.

A row is flagged when its score >= the threshold. A ratio without a denominator is 0. `recall_at_1_percent` is
the recall at a false-positive rate of at most 1 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Sweep:
    """Every distinct decision, from flagging the fewest rows to all: arrays of length m, and the totals."""

    thresholds: NDArray[np.float64]
    true_positives: NDArray[np.int64]
    flagged: NDArray[np.int64]
    positives: int
    rows: int

    @property
    def recall(self) -> NDArray[np.float64]:
        return self.true_positives / max(1, self.positives)

    @property
    def precision(self) -> NDArray[np.float64]:
        return self.true_positives / self.flagged

    @property
    def f1(self) -> NDArray[np.float64]:
        return 2 * self.true_positives / (self.flagged + self.positives)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        wrong = (self.flagged - self.true_positives) + (self.positives - self.true_positives)
        return 1 - wrong / self.rows


def sweep(positive: Bools, scores: Floats) -> Sweep:
    """All distinct decisions of n >= 1 rows; a threshold lies halfway to the next lower score."""
    order = np.argsort(-scores, kind="stable")
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


def at_threshold(positive: Bools, scores: Floats, threshold: float) -> dict[str, float]:
    """recall, precision, f1 and accuracy of flagging scores >= threshold."""
    flagged = np.asarray(scores) >= threshold
    hits, count, positives = int((flagged & positive).sum()), int(flagged.sum()), int(positive.sum())
    return {
        "recall": hits / positives if positives else 0.0,
        "precision": hits / count if count else 0.0,
        "f1": 2 * hits / (count + positives) if count + positives else 0.0,
        "accuracy": float((flagged == positive).mean()),
    }


def average_precision(positive: Bools, scores: Floats) -> float:
    """Area under the precision-recall steps; 0 without positives."""
    curve = sweep(positive, scores)
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))


def auc(positive: Bools, scores: Floats) -> float:
    """Probability that a positive scores above a negative, ties by half; 0.5 when one class is absent."""
    curve = sweep(positive, scores)
    negatives = curve.rows - curve.positives
    if not curve.positives or not negatives:
        return 0.5
    false_positive_rate = np.insert((curve.flagged - curve.true_positives) / negatives, 0, 0.0)
    recall = np.insert(curve.recall, 0, 0.0)
    return float(np.sum(np.diff(false_positive_rate) * (recall[1:] + recall[:-1]) / 2))


def recall_at_false_positive_rate(positive: Bools, scores: Floats, rate: float) -> float:
    """The largest recall of a threshold that flags at most `rate` of the negatives; 0 without positives."""
    curve = sweep(positive, scores)
    allowed = curve.flagged - curve.true_positives <= rate * (curve.rows - curve.positives)
    return float(np.max(curve.recall, initial=0.0, where=allowed))


def ranking(positive: Bools, scores: Floats) -> dict[str, float]:
    """The measures that need no threshold."""
    return {
        "average_precision": average_precision(positive, scores),
        "recall_at_1_percent": recall_at_false_positive_rate(positive, scores, 0.01),
        "auc": auc(positive, scores),
    }
