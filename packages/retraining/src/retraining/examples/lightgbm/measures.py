"""Measures of a binary classifier: labels 0 and 1 [n], both present; scores [n] are probabilities of 1."""

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

Labels = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

CURVE_POINTS = 200


def at_threshold(labels: Labels, decisions: Bools, scores: Floats) -> dict[str, float]:
    """The ranking and the probabilities (from scores), and the decisions [n]. A ratio of nothing is 0."""
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, decisions, average="binary", zero_division=0
    )
    return {
        "auc": float(metrics.roc_auc_score(labels, scores)),
        "average_precision": float(metrics.average_precision_score(labels, scores)),
        "recall": float(recall),
        "precision": float(precision),
        "f1": float(f1),
        "accuracy": float(np.mean(labels == decisions)),
        "log_loss": float(metrics.log_loss(labels, scores)),
    }


def choose_threshold(labels: Labels, scores: Floats, beta: float = 1.0) -> float:
    """The threshold with the highest F-beta, where a row counts as positive when its score >= threshold."""
    precision, recall, thresholds = metrics.precision_recall_curve(labels, scores)
    bottom = beta**2 * precision + recall
    f_beta = np.divide(
        (1 + beta**2) * precision * recall, bottom, out=np.zeros_like(bottom), where=bottom > 0
    )
    return float(thresholds[f_beta[:-1].argmax()])


def calibration(labels: Labels, scores: Floats, bins: int = 8) -> tuple[Floats, Floats]:
    """Mean score and share of positives in groups of equally many rows, by rising score."""
    groups = np.array_split(np.argsort(scores, kind="stable"), min(bins, len(scores)))
    return (
        np.array([scores[group].mean() for group in groups]),
        np.array([labels[group].mean() for group in groups]),
    )


def roc_curve(labels: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates, at most CURVE_POINTS of them."""
    false_positives, true_positives, _ = metrics.roc_curve(labels, scores)
    return _thinned(false_positives, true_positives)


def precision_recall_curve(labels: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """Recalls and precisions, at most CURVE_POINTS of them."""
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    return _thinned(recall, precision)


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Points of a curve at even distances along it, both ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    picked = np.unique(np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS)))
    return x[picked], y[picked]
