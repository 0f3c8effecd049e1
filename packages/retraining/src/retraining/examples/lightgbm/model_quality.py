"""The model-quality document in the format of Amazon SageMaker Model Monitor, for the model registry.

Source: "Model quality metrics and Amazon CloudWatch monitoring" in the Amazon SageMaker Developer Guide. As
there: the confusion matrix is {actual: {predicted: count}}; a standard deviation is taken over five random
samples of 80 % of the rows, and is "NaN" below 200 rows; the best constant classifier is the constant
prediction with the highest F1, which is 1.
"""

from typing import Any

import numpy as np
from sklearn import metrics

import measures
from measures import Bools, Floats, Labels

SAMPLES, SHARE, LEAST_ROWS = 5, 0.8, 200
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
CONSTANT = "_best_constant_classifier"


def document(labels: Labels, decisions: Bools, scores: Floats) -> dict[str, Any]:
    """The document of n rows: labels 0 and 1 (both present), decisions and scores."""
    counts = metrics.confusion_matrix(labels, decisions, labels=[0, 1])
    roc, curve = measures.roc_curve(labels, scores), measures.precision_recall_curve(labels, scores)
    section: dict[str, Any] = {
        "confusion_matrix": {
            str(actual): {str(predicted): int(counts[actual, predicted]) for predicted in (0, 1)}
            for actual in (0, 1)
        },
        **_with_deviations(labels, decisions, scores),
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": roc[0].tolist(),
            "true_positive_rates": roc[1].tolist(),
        },
        "precision_recall_curve": {"precisions": curve[1].tolist(), "recalls": curve[0].tolist()},
    }
    return {
        "version": 0.0,
        "dataset": {"item_count": len(labels)},
        "binary_classification_metrics": section,
    }


def _with_deviations(labels: Labels, decisions: Bools, scores: Floats) -> dict[str, dict[str, Any]]:
    values = _values(labels, decisions, scores)
    if len(labels) < LEAST_ROWS:
        return {name: {"value": value, "standard_deviation": "NaN"} for name, value in values.items()}
    rng = np.random.default_rng(0)
    chosen = [rng.choice(len(labels), round(SHARE * len(labels)), replace=False) for _ in range(SAMPLES)]
    samples = [_values(labels[rows], decisions[rows], scores[rows]) for rows in chosen]
    return {
        name: {
            "value": value,
            "standard_deviation": float(np.std([sample.get(name, value) for sample in samples])),
        }
        for name, value in values.items()
    }


def _values(labels: Labels, decisions: Bools, scores: Floats) -> dict[str, float]:
    ((true_negatives, false_positives), (false_negatives, true_positives)) = metrics.confusion_matrix(
        labels, decisions, labels=[0, 1]
    ).tolist()
    positives, negatives = true_positives + false_negatives, true_negatives + false_positives
    recall = _ratio(true_positives, positives)
    precision = _ratio(true_positives, true_positives + false_positives)
    share = positives / len(labels)
    values = {
        "recall": recall,
        "precision": precision,
        "accuracy": (true_positives + true_negatives) / len(labels),
        f"recall{CONSTANT}": 1.0,
        f"precision{CONSTANT}": share,
        f"accuracy{CONSTANT}": share,
        "true_positive_rate": recall,
        "true_negative_rate": _ratio(true_negatives, negatives),
        "false_positive_rate": _ratio(false_positives, negatives),
        "false_negative_rate": _ratio(false_negatives, positives),
    }
    for name, beta in BETAS.items():
        values[name] = _f_beta(precision, recall, beta)
        values[name + CONSTANT] = _f_beta(share, 1.0, beta)
    if positives and negatives:
        values["auc"] = float(metrics.roc_auc_score(labels, scores))
        values["au_prc"] = float(metrics.average_precision_score(labels, scores))
    return values


def _ratio(count: int, total: int) -> float:
    return count / total if total else 0.0


def _f_beta(precision: float, recall: float, beta: float) -> float:
    bottom = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / bottom if bottom else 0.0
