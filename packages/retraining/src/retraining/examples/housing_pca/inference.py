"""Handlers of the scikit-learn container's inference toolkit: features in, features and components out.

Contract: https://github.com/aws/sagemaker-inference-toolkit (model_fn, input_fn, predict_fn, output_fn). The
answer to a row is the row followed by its components, which is exactly what the price model takes: behind one
inference pipeline of both containers a client sends the eight raw features and gets the price.
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

SIGNED = ("longitude", "latitude")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """The fitted pipeline, and the names of what goes in and what is added."""

    pipeline: Any
    features: list[str]
    components: list[str]


def model_fn(model_dir: str) -> Model:
    """Load what train.py wrote."""
    content = json.loads((Path(model_dir) / "model.json").read_text(encoding="utf-8"))
    return Model(joblib.load(Path(model_dir) / "pca.joblib"), content["features"], content["components"])


def input_fn(data: str | bytes, content_type: str) -> list[Any]:
    """The rows of a request.

    text/csv: one row per line, with or without the names in the first. application/json: a list of rows, or
    {"instances": rows}; a row is a list of numbers or an object by name. Raises ValueError for another
    content type, and for a request that is not what its type says.
    """
    # The container decodes text/csv by itself, and leaves the mark that spreadsheets put before it.
    text = (data if isinstance(data, str) else bytes(data).decode()).removeprefix("\ufeff")
    kind = content_type.split(";")[0].strip().lower()
    if kind == "text/csv":
        rows: Any = [row for row in csv.reader(io.StringIO(text)) if row]
    elif kind == "application/json":
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise ValueError(f"the request is not JSON: {error}") from None
        rows = rows.get("instances") if isinstance(rows, dict) else rows
    else:
        raise ValueError(f"unsupported content type {kind!r}; send text/csv or application/json")
    if not isinstance(rows, list) or not rows:
        raise ValueError("the request has no rows")
    return rows


def predict_fn(rows: list[Any], model: Model) -> Values:
    """Rows of F features -> [n, F + K]: the features, then the K components."""
    if isinstance(rows[0], list) and [str(name).strip() for name in rows[0]] == model.features:
        rows = rows[1:]
    if not rows:
        raise ValueError("the request has no rows")
    values = np.array([_row(number, row, model.features) for number, row in enumerate(rows, start=1)])
    return np.hstack([values, model.pipeline.transform(values)])


def output_fn(prediction: Values, accept: str) -> tuple[str, str]:
    """The answer and its content type: lines of CSV, or {"instances": rows}, which the price model takes."""
    kind = (accept or "*/*").split(";")[0].split(",")[0].strip().lower()
    rows = prediction.tolist()
    if kind in ("text/csv", "*/*", "text/*"):
        return "".join(",".join(map(repr, row)) + "\n" for row in rows), "text/csv"
    if kind == "application/json":
        return json.dumps({"instances": rows}, allow_nan=False), kind
    raise ValueError(f"unsupported accept type {kind!r}; accept text/csv or application/json")


def _row(number: int, row: Any, names: list[str]) -> list[float]:
    if isinstance(row, dict):
        missing = [name for name in names if name not in row]
        if missing:
            raise ValueError(f"row {number} misses the feature {missing[0]!r}")
        row = [row[name] for name in names]
    if not isinstance(row, list) or len(row) != len(names):
        count = len(row) if isinstance(row, list) else 1
        raise ValueError(f"row {number} has {count} columns; the model takes {len(names)}")
    return [_number(number, name, value) for name, value in zip(names, row, strict=True)]


def _number(row: int, name: str, value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not np.isfinite(number):
        raise ValueError(f"row {row}, {name}: {value!r} is not a finite number")
    if number < 0 and name not in SIGNED:
        raise ValueError(f"row {row}, {name}: {value!r} is negative")
    return number
