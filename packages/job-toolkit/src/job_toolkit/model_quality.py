"""SageMaker's model-quality JSON, for the model registry, made of a metrics.csv. docs/metrics.md has both.

Source: "Model quality metrics and Amazon CloudWatch monitoring" in the Amazon SageMaker Developer Guide
(model-monitor-model-quality-metrics). A document has a section for each problem, `<problem>_metrics`, whose
metrics are {"value": number, "standard_deviation": number or "NaN"}. It may have metrics of your own as well.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from job_toolkit import metrics, strict_json
from job_toolkit.failure import InputError
from job_toolkit.metrics import Model

Document = dict[str, Any]
SUFFIX = "_metrics"
ROWS = "rows"  # the column that becomes dataset.item_count
_BASIC = ("recall", "precision", "f0_5", "f1", "f2")
_RATES = ("true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate")
CURVES = {
    "receiver_operating_characteristic_curve": ("false_positive_rates", "true_positive_rates"),
    "precision_recall_curve": ("precisions", "recalls"),
}


class Schema(NamedTuple):
    """What a section must hold, and what it may hold besides metrics of your own.

    `shares` are between 0 and 1; of `objects` the confusion matrix is required.
    """

    required: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


def _classification(*names: str, others: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The metrics of a classification; those in `names` are also measured of the best constant classifier."""
    return (*names, *others, *(f"{name}_best_constant_classifier" for name in names))


_BINARY = _classification("accuracy", *_BASIC, others=_RATES)
_MULTICLASS = _classification("accuracy", *(f"weighted_{name}" for name in _BASIC))
SCHEMAS = {
    "binary_classification": Schema(_BINARY, (*_BINARY, "auc", "au_prc"), ("confusion_matrix", *CURVES)),
    "multiclass_classification": Schema(_MULTICLASS, _MULTICLASS, ("confusion_matrix",)),
    "regression": Schema(("mae", "mse", "rmse", "r2")),
    # SageMaker has none for generated text: this one is named in the same way, and has your own metrics.
    "text_generation": Schema(),
}


def from_csv(path: Path, *others: Path) -> dict[str, Document]:
    """The document of each candidate in a metrics.csv, by its name.

    `others` are files of the same format about the same candidates, with another problem: a section for
    each. Raises InputError naming file, row or candidate, and column when a file is not that.
    """
    documents: dict[str, Document] = {}
    for file in (path, *others):
        candidates = [model for model in metrics.read(file) if model.kind == metrics.CANDIDATE]
        if not candidates:
            raise InputError(f"{file}: has no row whose kind is {metrics.CANDIDATE}")
        for model in candidates:
            where = f"{file}: candidate {model.name!r}"
            document = documents.setdefault(model.name, _frame(where, model))
            document[model.problem + SUFFIX] = _section(model)
            try:
                validate(document)
                _check_rows(model)
            except ValueError as error:
                raise InputError(f"{where}: {error}") from None
    return documents


def write(documents: dict[str, Document], folder: Path) -> None:
    """Write model_quality.json for the only candidate, or else model_quality/<name>.json for each.

    Raises ValueError as `validate` does.
    """
    for name, document in documents.items():
        validate(document)
        path = folder / "model_quality" / f"{name}.json" if name else folder / "model_quality.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        strict_json.write(document, path, indent=2)


def validate(content: Any) -> None:
    """Raise ValueError, naming the JSON path, where content is no model-quality document.

    NaN and infinities are refused, except the text "NaN" that Model Monitor writes for a missing deviation.
    """
    sections = [problem + SUFFIX for problem in SCHEMAS]
    if not isinstance(content, dict) or not set(sections) & set(content):
        raise ValueError(f"$: must hold at least one of {', '.join(sections)}")
    for name, section in content.items():
        if name == "version":
            _check_number(f"$.{name}", section)
        elif name == "dataset":
            count = section.get("item_count") if isinstance(section, dict) else None
            _check_count("$.dataset.item_count", count)
        elif name in sections:
            _check_section(f"$.{name}", section, SCHEMAS[name[: -len(SUFFIX)]])
        else:
            raise ValueError(f"$.{name}: unknown key")


def check_labels(labels: Iterable[str]) -> None:
    """Raise ValueError for an empty label, and for two spellings of one: 1 and 1.0, or cat and " cat"."""
    spelt: dict[str | float, str] = {}
    for label in labels:
        text = " ".join(str(label).split())
        if not text:
            raise ValueError(f"{label!r} is no label: it is empty")
        try:
            key: str | float = float(text)
        except ValueError:
            key = text
        if key in spelt:
            raise ValueError(f"{spelt[key]!r} and {label!r} are two spellings of one label; use one")
        spelt[key] = label


def _frame(where: str, model: Model) -> Document:
    if model.problem not in SCHEMAS:
        raise InputError(f"{where}: problem {model.problem!r} is none; it must be {', '.join(SCHEMAS)}")
    rows = model.metrics.get(ROWS, -1)
    if rows < 0 or rows % 1:
        raise InputError(f"{where}: column {ROWS!r} must hold the number of test rows")
    return {"version": 0.0, "dataset": {"item_count": int(rows)}}


def _section(model: Model) -> Document:
    values = {name: value for name, value in model.metrics.items() if name != ROWS}
    return {
        **{name: value for name, value in model.objects.items() if name not in CURVES},
        **{
            name: {"value": value, "standard_deviation": model.deviations.get(name, "NaN")}
            for name, value in values.items()
        },
        **{name: value for name, value in model.objects.items() if name in CURVES},
    }


def _check_rows(model: Model) -> None:
    """Raise ValueError where the confusion matrix counts other rows than the test rows."""
    matrix = model.objects.get("confusion_matrix")
    if matrix is not None:
        counted = sum(count for row in matrix.values() for count in row.values())
        if counted != model.metrics[ROWS]:
            raise ValueError(
                f"its confusion_matrix counts {counted} rows, and the column {ROWS!r} has "
                f"{model.metrics[ROWS]:g}"
            )


def _check_section(path: str, section: Any, schema: Schema) -> None:
    if not isinstance(section, dict) or not section:
        raise ValueError(f"{path}: must be an object of metrics")
    for name in (*schema.objects[:1], *schema.required):
        if name not in section:
            raise ValueError(f"{path}.{name}: is missing")
    checks: dict[str, Callable[[str, Any], None]] = {
        "confusion_matrix": _check_confusion,
        **dict.fromkeys(CURVES, _check_curve),
    }
    for name, value in section.items():
        if name in schema.objects:
            checks[name](f"{path}.{name}", value)
        else:
            _check_metric(f"{path}.{name}", value, is_share=name in schema.shares)


def _check_metric(path: str, metric: Any, is_share: bool) -> None:
    if not isinstance(metric, dict) or set(metric) - {"value", "standard_deviation"} or "value" not in metric:
        raise ValueError(f"{path}: must be an object with 'value' and 'standard_deviation'")
    _check_number(f"{path}.value", metric["value"])
    if is_share and not 0 <= metric["value"] <= 1:
        raise ValueError(f"{path}.value: {metric['value']} is not between 0 and 1")
    deviation = metric.get("standard_deviation", "NaN")
    if deviation != "NaN":
        _check_number(f"{path}.standard_deviation", deviation)
        if deviation < 0:
            raise ValueError(f"{path}.standard_deviation: {deviation} is negative")


def _check_confusion(path: str, matrix: Any) -> None:
    if not isinstance(matrix, dict) or not matrix:
        raise ValueError(f"{path}: must be an object of objects of counts")
    if path.startswith("$.binary") and len(matrix) != 2:
        raise ValueError(f"{path}: has {len(matrix)} labels; a binary classification has 2")
    try:
        check_labels(matrix)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for actual, row in matrix.items():
        if not isinstance(row, dict) or set(row) != set(matrix):
            raise ValueError(f"{path}.{actual}: must have the same labels as the matrix")
        for predicted, count in row.items():
            _check_count(f"{path}.{actual}.{predicted}", count)


def _check_curve(path: str, curve: Any) -> None:
    axes = CURVES[path.rpartition(".")[2]]
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
            _check_number(f"{path}.{axis}[{index}]", value)


def _check_count(path: str, count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError(f"{path}: {count!r} is not a count")


def _check_number(path: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{path}: {value!r} is not a finite number")
