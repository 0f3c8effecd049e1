"""The metrics of a model on test rows, under the names of SageMaker's model-quality JSON.

Source: "Model quality metrics and Amazon CloudWatch monitoring" in the Amazon SageMaker Developer Guide
(model-monitor-model-quality-metrics). As there: confusion matrices are {actual: {predicted: count}}, and a
best constant classifier is the constant prediction with the highest (weighted) F1. A ratio without a
denominator is 0; AUC and ROC curve are left out where one class is absent: they have no value there.

Nothing is cast: a value that is not what its column takes is an InputError naming column, row and value.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from job_toolkit import model_quality, ranking
from job_toolkit.failure import InputError
from job_toolkit.metrics import CANDIDATE, Model
from job_toolkit.ranking import Bools, Floats

CONSTANT = "_best_constant_classifier"
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
Codes = NDArray[np.int64]
Measure = Callable[..., dict[str, float]]


class Resampling(NamedTuple):
    """How standard deviations are made: over `samples` samples of `share` of the rows; none below `least`."""

    samples: int
    share: float
    with_replacement: bool
    least: int


MODEL_MONITOR = Resampling(5, 0.8, False, 200)  # as Amazon SageMaker Model Monitor does
BOOTSTRAP = Resampling(200, 1.0, True, 1)  # Efron 1979: the standard error


def binary_classification(
    actual: Bools, predicted: Bools, scores: NDArray[Any], name: str = "", seed: int = 0
) -> Model:
    """A candidate that tells two classes apart: truth, decision and score of n >= 1 rows.

    Truth and decision are booleans, or 0 and 1; scores are finite.
    """
    columns = (
        _flags("actual", actual),
        _flags("predicted", predicted),
        _column("scores", scores, np.isfinite, "a finite number").astype(np.float64),
    )
    values = _measured(_binary_values, columns)
    objects: dict[str, Any] = {"confusion_matrix": confusion(columns[0] * 1, columns[1] * 1, ["0", "1"])}
    if "auc" in values:
        false, true = ranking.roc_curve(columns[0], columns[2])
        objects["receiver_operating_characteristic_curve"] = {
            "false_positive_rates": false.tolist(),
            "true_positive_rates": true.tolist(),
        }
    if "au_prc" in values:
        precisions, recalls = ranking.precision_recall_curve(columns[0], columns[2])
        objects["precision_recall_curve"] = {"precisions": precisions.tolist(), "recalls": recalls.tolist()}
    spread = deviations(_binary_values, columns, seed)
    return Model(CANDIDATE, name, "binary_classification", values, spread, objects)


def multiclass_classification(
    actual: Codes, predicted: Codes, labels: Sequence[str], name: str = "", seed: int = 0
) -> Model:
    """A candidate for K classes: codes 0..K-1 of n >= 1 rows, and the K labels, each in one spelling."""
    try:
        model_quality.check_labels(labels)
    except ValueError as error:
        raise InputError(f"labels: {error}") from None
    columns = _codes("actual", actual, len(labels)), _codes("predicted", predicted, len(labels))

    def values(actual: Codes, predicted: Codes) -> dict[str, float]:
        return _weighted_values(actual, predicted, len(labels))

    objects = {"confusion_matrix": confusion(*columns, labels)}
    spread = deviations(values, columns, seed)
    return Model(CANDIDATE, name, "multiclass_classification", _measured(values, columns), spread, objects)


def regression(actual: Floats, predicted: Floats, name: str = "", seed: int = 0) -> Model:
    """A candidate that predicts finite numbers, on n >= 1 rows."""
    columns = (
        _column("actual", actual, np.isfinite, "a finite number").astype(np.float64),
        _column("predicted", predicted, np.isfinite, "a finite number").astype(np.float64),
    )
    values = _measured(regression_values, columns)
    return Model(CANDIDATE, name, "regression", values, deviations(regression_values, columns, seed))


def regression_values(actual: Floats, predicted: Floats) -> dict[str, float]:
    """mae, mse, rmse and r2, which is 0 where the actual values do not vary."""
    error = predicted - actual
    mse, spread = float(np.mean(error**2)), float(np.var(actual))
    return {
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": 1 - mse / spread if spread else 0.0,
    }


def deviations(
    measure: Measure, columns: Sequence[NDArray[Any]], seed: int = 0, resampling: Resampling = MODEL_MONITOR
) -> dict[str, float]:
    """The standard deviation of each metric of `measure(*columns)` over random samples of the n rows."""
    rows = len(columns[0])
    if rows < resampling.least:
        return {}
    whole = measure(*columns)
    random, size = np.random.default_rng(seed), round(resampling.share * rows)
    chosen = [random.choice(rows, size, resampling.with_replacement) for _ in range(resampling.samples)]
    samples = [measure(*(column[picked] for column in columns)) for picked in chosen]
    return {
        name: float(np.std([sample.get(name, value) for sample in samples])) for name, value in whole.items()
    }


def confusion(actual: Codes, predicted: Codes, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """{actual: {predicted: count}} of codes [n]."""
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (actual, predicted), 1)
    return {
        label: dict(zip(labels, line.tolist(), strict=True))
        for label, line in zip(labels, counts, strict=True)
    }


def _flags(name: str, values: Any) -> Bools:
    return _column(name, values, lambda array: np.isin(array, (0, 1)), "true or false, 1 or 0").astype(bool)


def _codes(name: str, values: Any, classes: int) -> Codes:
    column = _column(
        name, values, lambda array: np.isin(array, np.arange(classes)), f"a code from 0 to {classes - 1}"
    )
    return column.astype(np.int64)


def _column(
    name: str, values: Any, is_allowed: Callable[[NDArray[Any]], Bools], allowed: str
) -> NDArray[Any]:
    """The values [n] as an array of numbers or booleans, each of which is allowed."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name}: a value for each row is expected, not an array of shape {array.shape}")
    if array.dtype.kind in "biuf":
        right = is_allowed(array)
    else:  # a list of several kinds may hold one wrong value
        right = np.array(
            [isinstance(value, (bool, int, float, np.number, np.bool_)) for value in array], bool
        )
    if not right.all():
        row = int(right.argmin())
        raise InputError(f"{name}: row {row + 1} is {array[row:].tolist()[0]!r}; {allowed} is expected")
    return array


def _measured(measure: Measure, columns: Sequence[NDArray[Any]]) -> dict[str, float]:
    """The metrics with the number of rows, which becomes the document's item_count."""
    rows = len(columns[0])
    if not rows or any(len(column) != rows for column in columns):
        raise ValueError("actual and predicted must have the same number of rows, at least one")
    return {"rows": rows, **measure(*columns)}


def _binary_values(actual: Bools, predicted: Bools, scores: Floats) -> dict[str, float]:
    positives, negatives = int(actual.sum()), int((~actual).sum())
    hits, false_alarms = int((actual & predicted).sum()), int((~actual & predicted).sum())
    recall, precision = _ratio(hits, positives), _ratio(hits, hits + false_alarms)
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
        "true_negative_rate": _ratio(negatives - false_alarms, negatives),
        "false_positive_rate": _ratio(false_alarms, negatives),
        "false_negative_rate": _ratio(positives - hits, positives),
    }
    for name, beta in BETAS.items():
        values[name] = _f_beta(precision, recall, beta)
        values[name + CONSTANT] = _f_beta(share, everybody, beta)
    if positives and negatives:
        values["auc"] = ranking.auc(actual, scores)
    if positives:
        values["au_prc"] = ranking.average_precision(actual, scores)
    return values


def _weighted_values(actual: Codes, predicted: Codes, classes: int) -> dict[str, float]:
    majority = np.full_like(actual, np.bincount(actual, minlength=classes).argmax())
    constant = _weighted(actual, majority, classes)
    return _weighted(actual, predicted, classes) | {
        name + CONSTANT: value for name, value in constant.items()
    }


def _weighted(actual: Codes, predicted: Codes, classes: int) -> dict[str, float]:
    names = ("weighted_recall", "weighted_precision", *(f"weighted_{name}" for name in BETAS))
    totals = dict.fromkeys(names, 0.0)
    for code in range(classes):
        truth, flagged = actual == code, predicted == code
        hits, share = int((truth & flagged).sum()), float(truth.mean())
        recall, precision = _ratio(hits, int(truth.sum())), _ratio(hits, int(flagged.sum()))
        scores = [recall, precision, *(_f_beta(precision, recall, beta) for beta in BETAS.values())]
        for name, value in zip(names, scores, strict=True):
            totals[name] += share * value
    accuracy = {"accuracy": float((actual == predicted).mean())}
    return accuracy | {name: min(1.0, value) for name, value in totals.items()}


def _ratio(count: int, total: int) -> float:
    return count / total if total else 0.0


def _f_beta(precision: float, recall: float, beta: float) -> float:
    bottom = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / bottom if bottom else 0.0
