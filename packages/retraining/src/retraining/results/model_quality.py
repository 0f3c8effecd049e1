"""The reader of an evaluation's files: metrics.csv, history.csv and SageMaker's model-quality JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

METRICS, HISTORY = "metrics.csv", "history.csv"


@dataclass(frozen=True)
class MetricsRow:
    """One row of metrics.csv: a candidate or a baseline (`kind`) with its metrics; `name` may be empty."""

    kind: str
    name: str
    metrics: dict[str, float]


def metrics_table(text: str) -> list[MetricsRow]:
    """The rows of a metrics.csv with the columns kind, name and one per metric."""
    return [
        MetricsRow(
            row.get("kind") or "candidate",
            row.get("name") or "",
            {
                key: number
                for key, value in row.items()
                if key not in ("kind", "name") and (number := _number(value)) is not None
            },
        )
        for row in csv.DictReader(io.StringIO(text))
    ]


def history(text: str) -> Iterator[tuple[int, str, float]]:
    """Epoch, column and value of a history.csv, whose first column counts the epochs."""
    rows = csv.reader(io.StringIO(text))
    _, *names = next(rows, [""])
    for epoch, *values in filter(None, rows):
        for name, value in zip(names, values, strict=True):
            if (number := _number(value)) is not None:
                yield int(float(epoch)), name, number


def numbers(documents: Iterable[str | bytes]) -> dict[str, float]:
    """The single numbers of model-quality documents by metric.

    A document is ``{"regression_metrics": {"rmse": {"value": 3.1, ...}, ...}}``. Curves and matrices are
    left out, and so is what is no such document.
    """
    by_metric: dict[str, float] = {}
    for text in documents:
        try:
            by_metric |= dict(_entries(json.loads(text)))
        except ValueError:
            continue
    return by_metric


def _entries(document: Any) -> Iterator[tuple[str, float]]:
    for section, metrics in document.items() if isinstance(document, dict) else ():
        if not section.endswith("_metrics") or not isinstance(metrics, dict):
            continue
        for name, entry in metrics.items():
            value = entry.get("value") if isinstance(entry, dict) else None
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                yield name, float(value)


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
