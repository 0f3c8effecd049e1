"""The reader of an evaluation's files: metrics.csv, history.csv and SageMaker's model-quality JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from job_toolkit import metrics
from job_toolkit.failure import InputError

METRICS, HISTORY = "metrics.csv", "history.csv"
_EPOCHS = 2**31


def metrics_table(text: str) -> list[metrics.Model]:
    """The models of a metrics.csv, without cells that are no numbers.

    Raises ValueError for a file of another form.
    """
    try:
        return metrics.parse(text, lenient=True)
    except InputError as error:
        raise ValueError(str(error)) from None


def history(text: str) -> Iterator[tuple[int, str, float]]:
    """Epoch, column and value of a history.csv, whose first column counts the epochs.

    Raises ValueError for a file of another form, and gives none of it.
    """
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row] or [[]]
    except csv.Error as error:
        raise ValueError(f"it cannot be read as CSV ({error})") from None
    epochs: list[int] = []
    for count, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"row {count} has {len(row)} fields where the header has {len(header)}")
        epoch = _number(row[0])
        if epoch is None or not 0 <= epoch < _EPOCHS:
            raise ValueError(f"row {count}: {row[0]!r} in its first column is no epoch")
        epochs.append(int(epoch))
    for epoch, (_, *values) in zip(epochs, rows, strict=True):
        for name, value in zip(header[1:], values, strict=True):
            if (number := _number(value)) is not None:
                yield epoch, name, number


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
    for section, entries in document.items() if isinstance(document, dict) else ():
        if not section.endswith("_metrics") or not isinstance(entries, dict):
            continue
        for name, entry in entries.items():
            value = entry.get("value") if isinstance(entry, dict) else None
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                yield name, float(value)


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
