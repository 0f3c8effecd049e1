"""What the model and its baselines are judged by: labels 0 and 1 [n], both present; scores [n] are
probabilities of 1."""

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from job_toolkit.ranking import Bools, Floats

Labels = NDArray[np.int64]


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


def calibration(labels: Labels, scores: Floats, bins: int = 8) -> tuple[Floats, Floats]:
    """Mean score and share of positives in groups of equally many rows, by rising score."""
    groups = np.array_split(np.argsort(scores, kind="stable"), min(bins, len(scores)))
    return (
        np.array([scores[group].mean() for group in groups]),
        np.array([labels[group].mean() for group in groups]),
    )
