"""The shape of a model-quality document (see model_quality.py), checked before one is written."""

import math
from typing import Any

CONSTANT = "_best_constant_classifier"

_BINARY = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
_RATES = ("true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate")
_WEIGHTED = (
    "accuracy",
    "weighted_recall",
    "weighted_precision",
    "weighted_f0_5",
    "weighted_f1",
    "weighted_f2",
)
# Section -> the metrics {"value", "standard_deviation"} it must hold, and those it may hold.
METRICS = {
    "binary_classification_metrics": (
        (*_BINARY, *_RATES, *(name + CONSTANT for name in _BINARY)),
        ("auc", "au_prc"),
    ),
    "multiclass_classification_metrics": ((*_WEIGHTED, *(name + CONSTANT for name in _WEIGHTED)), ()),
    "regression_metrics": (("mae", "mse", "rmse", "r2"), ()),
}
CURVES = {
    "receiver_operating_characteristic_curve": ("false_positive_rates", "true_positive_rates"),
    "precision_recall_curve": ("precisions", "recalls"),
}


def validate(content: dict[str, Any]) -> None:
    """Raise ValueError, naming the JSON path, where content is no model-quality document.

    NaN and infinities are refused, except the text "NaN" that Model Monitor writes for a missing deviation.
    """
    if not isinstance(content, dict) or not set(METRICS) & set(content):
        raise ValueError(f"$: must hold at least one of {', '.join(METRICS)}")
    for name, section in content.items():
        if name == "version":
            _number(f"$.{name}", section)
        elif name == "dataset":
            count = section.get("item_count") if isinstance(section, dict) else None
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError("$.dataset.item_count: must be a whole number, 0 or more")
        elif name in METRICS:
            _check_section(name, section)
        else:
            raise ValueError(f"$.{name}: unknown key")


def _check_section(name: str, section: Any) -> None:
    if not isinstance(section, dict):
        raise ValueError(f"$.{name}: must be an object")
    required, optional = METRICS[name]
    needed = required if name == "regression_metrics" else ("confusion_matrix", *required)
    for key in needed:
        if key not in section:
            raise ValueError(f"$.{name}.{key}: is missing")
    for key, value in section.items():
        path = f"$.{name}.{key}"
        if key == "confusion_matrix" and key in needed:
            _check_confusion(path, value)
        elif key in CURVES and name == "binary_classification_metrics":
            _check_curve(path, value, CURVES[key])
        elif key in required or key in optional:
            _check_metric(path, value, bounded=name != "regression_metrics")
        else:
            raise ValueError(f"{path}: unknown key")


def _check_metric(path: str, metric: Any, bounded: bool) -> None:
    if not isinstance(metric, dict) or set(metric) - {"value", "standard_deviation"} or "value" not in metric:
        raise ValueError(f"{path}: must be an object with 'value' and 'standard_deviation'")
    _number(f"{path}.value", metric["value"])
    if bounded and not 0 <= metric["value"] <= 1:
        raise ValueError(f"{path}.value: {metric['value']} is not between 0 and 1")
    deviation = metric.get("standard_deviation", "NaN")
    if deviation != "NaN":
        _number(f"{path}.standard_deviation", deviation)
        if deviation < 0:
            raise ValueError(f"{path}.standard_deviation: {deviation} is negative")


def _check_confusion(path: str, matrix: Any) -> None:
    if not isinstance(matrix, dict) or not matrix:
        raise ValueError(f"{path}: must be an object of objects of counts")
    for actual, row in matrix.items():
        if not isinstance(row, dict) or set(row) != set(matrix):
            raise ValueError(f"{path}.{actual}: must have the same labels as the matrix")
        for predicted, count in row.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(f"{path}.{actual}.{predicted}: {count!r} is not a count")


def _check_curve(path: str, curve: Any, axes: tuple[str, str]) -> None:
    if (
        not isinstance(curve, dict)
        or set(curve) != set(axes)
        or not all(isinstance(curve[axis], list) for axis in axes)
    ):
        raise ValueError(f"{path}: must be an object with the lists {axes[0]} and {axes[1]}")
    if len(curve[axes[0]]) != len(curve[axes[1]]):
        raise ValueError(f"{path}: {axes[0]} and {axes[1]} differ in length")
    for axis in axes:
        for index, value in enumerate(curve[axis]):
            _number(f"{path}.{axis}[{index}]", value)


def _number(path: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{path}: {value!r} is not a finite number")
