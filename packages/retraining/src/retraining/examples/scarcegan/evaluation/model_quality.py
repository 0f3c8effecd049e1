"""Model-quality documents in the format of Amazon SageMaker Model Monitor, for the model registry.

Source: "Model quality metrics and Amazon CloudWatch monitoring" in the Amazon SageMaker Developer Guide
(model-monitor-model-quality-metrics). As there: confusion matrices are {actual: {predicted: count}}; a
standard deviation is taken over five random samples of 80 % of the rows, and is "NaN" below 200 rows. A best
constant classifier is the constant prediction with the highest (weighted) F1. A ratio without a denominator
is 0; AUC and ROC curve are left out where only one class is present, because they have no value there.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import measures
from evaluation.quality_format import CONSTANT, validate

Document = dict[str, Any]
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
CURVE_POINTS = 200
SAMPLES, SHARE, LEAST_ROWS = 5, 0.8, 200


def binary_classification_metrics(
    actual: NDArray[np.bool_], predicted: NDArray[np.bool_], scores: NDArray[np.floating], seed: int = 0
) -> Document:
    """The section for a detector: truth, decision and score of n >= 1 rows. Labels are "0" and "1"."""
    columns = (np.asarray(actual, bool), np.asarray(predicted, bool), np.asarray(scores, np.float64))
    section: Document = {
        "confusion_matrix": _confusion(columns[0].astype(int), columns[1].astype(int), ["0", "1"])
    }
    section |= _with_deviations(_binary_values, columns, seed)
    curve = measures.sweep(columns[0], columns[2])
    picked = np.unique(np.linspace(0, len(curve.thresholds) - 1, CURVE_POINTS).round().astype(int))
    negatives = curve.rows - curve.positives
    if curve.positives and negatives:
        rates = (curve.flagged - curve.true_positives)[picked] / negatives
        section["receiver_operating_characteristic_curve"] = {
            "false_positive_rates": [0.0, *rates.tolist()],
            "true_positive_rates": [0.0, *curve.recall[picked].tolist()],
        }
    if curve.positives:
        section["precision_recall_curve"] = {
            "precisions": curve.precision[picked].tolist(),
            "recalls": curve.recall[picked].tolist(),
        }
    return section


def multiclass_classification_metrics(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], labels: list[str], seed: int = 0
) -> Document:
    """The section for K classes: codes 0..K-1 of n >= 1 rows, and the K labels."""
    columns = (np.asarray(actual), np.asarray(predicted))

    def values(actual: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, float]:
        return _weighted_values(actual, predicted, len(labels))

    return {"confusion_matrix": _confusion(*columns, labels)} | _with_deviations(values, columns, seed)


def regression_metrics(
    actual: NDArray[np.floating], predicted: NDArray[np.floating], seed: int = 0
) -> Document:
    """The section for a regression on n >= 1 rows. R2 is 0 where the actual values do not vary."""
    columns = (np.asarray(actual, np.float64), np.asarray(predicted, np.float64))
    return _with_deviations(_regression_values, columns, seed)


def document(item_count: int, **sections: Document) -> Document:
    """A document from its sections, e.g. document(n, binary_classification_metrics=...)."""
    return {"version": 0.0, "dataset": {"item_count": item_count}} | sections


def from_csv(path: Path, problem: str, labels: list[str] | None = None) -> Document:
    """A document from a CSV with the columns `actual` and `predicted`, and `score` for a binary problem.

    problem: binary (0 and 1), multiclass (labels by name; `labels` gives their order) or regression. Raises
    ValueError naming the missing column or the unknown problem.
    """
    kinds = {"binary": ("actual", "predicted", "score"), "multiclass": ("actual", "predicted")}
    kinds["regression"] = kinds["multiclass"]
    if problem not in kinds:
        raise ValueError(f"unknown problem {problem!r}; one of {', '.join(kinds)}")
    table = pd.read_csv(path, dtype=str if problem == "multiclass" else None, keep_default_na=False)
    missing = [name for name in kinds[problem] if name not in table.columns]
    if missing or table.empty:
        raise ValueError(f"{path}: {f'column {missing[0]!r} is missing' if missing else 'has no rows'}")
    if problem == "binary":
        actual, predicted = table["actual"].astype(int) == 1, table["predicted"].astype(int) == 1
        section = binary_classification_metrics(
            actual.to_numpy(), predicted.to_numpy(), table["score"].to_numpy(float)
        )
        return document(len(table), binary_classification_metrics=section)
    if problem == "regression":
        section = regression_metrics(table["actual"].to_numpy(float), table["predicted"].to_numpy(float))
        return document(len(table), regression_metrics=section)
    order = labels or sorted(set(table["actual"]) | set(table["predicted"]))
    unknown = sorted((set(table["actual"]) | set(table["predicted"])) - set(order))
    if unknown:
        raise ValueError(f"{path}: label {unknown[0]!r} is not one of {', '.join(order)}")
    codes = [np.array([order.index(name) for name in table[column]]) for column in ("actual", "predicted")]
    section = multiclass_classification_metrics(codes[0], codes[1], order)
    return document(len(table), multiclass_classification_metrics=section)


def write(content: Document, path: Path) -> None:
    """Validate and write a document as JSON. Raises ValueError as `validate` does."""
    validate(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _with_deviations(
    values: Callable[..., dict[str, float]], columns: tuple[NDArray[Any], ...], seed: int
) -> dict[str, Document]:
    """Each metric of all rows, with the standard deviation over random samples of them."""
    rows = len(columns[0])
    if not rows or any(len(column) != rows for column in columns):
        raise ValueError("actual and predicted must have the same number of rows, at least one")
    whole = values(*columns)
    if rows < LEAST_ROWS:
        return {name: {"value": float(value), "standard_deviation": "NaN"} for name, value in whole.items()}
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(rows, round(SHARE * rows), replace=False) for _ in range(SAMPLES)]
    samples = [values(*(column[rows_] for column in columns)) for rows_ in chosen]
    return {
        name: {
            "value": float(value),
            "standard_deviation": float(np.std([s.get(name, value) for s in samples])),
        }
        for name, value in whole.items()
    }


def _f_beta(precision: float, recall: float, beta: float) -> float:
    bottom = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / bottom if bottom else 0.0


def _binary_values(
    actual: NDArray[np.bool_], predicted: NDArray[np.bool_], scores: NDArray[np.float64]
) -> dict[str, float]:
    positives, negatives = int(actual.sum()), int((~actual).sum())
    hits, false_alarms = int((actual & predicted).sum()), int((~actual & predicted).sum())
    recall = hits / positives if positives else 0.0
    precision = hits / (hits + false_alarms) if hits else 0.0
    fall_out = false_alarms / negatives if negatives else 0.0
    share = positives / len(actual)  # flagging everybody has this precision and accuracy, and recall 1
    everybody = 1.0 if positives else 0.0
    values = {
        "recall": recall,
        "precision": precision,
        "accuracy": float((actual == predicted).mean()),
        "recall" + CONSTANT: everybody,
        "precision" + CONSTANT: share,
        "accuracy" + CONSTANT: share,
        "true_positive_rate": recall,
        "true_negative_rate": 1 - fall_out if negatives else 0.0,
        "false_positive_rate": fall_out,
        "false_negative_rate": 1 - recall if positives else 0.0,
    }
    for name, beta in BETAS.items():
        values[name] = _f_beta(precision, recall, beta)
        values[name + CONSTANT] = _f_beta(share, everybody, beta)
    if positives and negatives:
        values["auc"] = measures.auc(actual, scores)
    if positives:
        values["au_prc"] = measures.average_precision(actual, scores)
    return values


def _weighted(actual: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> dict[str, float]:
    totals = dict.fromkeys(
        ("weighted_recall", "weighted_precision", *(f"weighted_{name}" for name in BETAS)), 0.0
    )
    for code in range(classes):
        truth, flagged = actual == code, predicted == code
        hits = int((truth & flagged).sum())
        recall = hits / truth.sum() if truth.any() else 0.0
        precision = hits / flagged.sum() if flagged.any() else 0.0
        share = float(truth.mean())
        totals["weighted_recall"] += share * recall
        totals["weighted_precision"] += share * precision
        for name, beta in BETAS.items():
            totals[f"weighted_{name}"] += share * _f_beta(precision, recall, beta)
    return {"accuracy": float((actual == predicted).mean())} | {
        key: min(1.0, value) for key, value in totals.items()
    }


def _weighted_values(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> dict[str, float]:
    majority = np.full_like(actual, np.bincount(actual, minlength=classes).argmax())
    constant = _weighted(actual, majority, classes)
    return _weighted(actual, predicted, classes) | {
        name + CONSTANT: value for name, value in constant.items()
    }


def _regression_values(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, float]:
    error = predicted - actual
    mse, spread = float(np.mean(error**2)), float(np.var(actual))
    return {
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": 1 - mse / spread if spread else 0.0,
    }


def _confusion(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], labels: list[str]
) -> dict[str, dict[str, int]]:
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (actual, predicted), 1)
    return {
        row: dict(zip(labels, line.tolist(), strict=True)) for row, line in zip(labels, counts, strict=True)
    }
