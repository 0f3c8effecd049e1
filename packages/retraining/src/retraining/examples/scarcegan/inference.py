"""Request and response handlers of the TensorFlow Serving container; packed with scaler.json under code/.

Contract: https://github.com/aws/sagemaker-tensorflow-serving-container (pre- and post-processing). The
container calls input_handler with the request's body, a file, and its context, posts the result to TensorFlow
Serving, then calls output_handler with the answer, a `requests.Response`. It answers HTTP 500 with
{"error": <text>} for any exception of a handler; the ValueErrors here are those texts.
"""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any


def input_handler(data: Any, context: Any) -> str:
    """Turn a request into TensorFlow Serving's row format, `{"instances": [[F numbers], ...]}`.

    application/json: a row, a list of rows, {"instances": rows} or {"features": rows}; a row is a list of F
    numbers in serving order, or an object with the F features by name. text/csv: one row per line; a first
    line with the feature names is skipped. Raises ValueError for another content type, a wrong number of
    columns, or a value that is no finite number.
    """
    kind = (context.request_content_type or "application/json").split(";")[0].strip().lower()
    try:
        text = data.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the request is not UTF-8: {error}") from None
    names = feature_names()
    if kind == "application/json":
        rows = _json_rows(text)
    elif kind == "text/csv":
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        if rows and names and [name.strip() for name in rows[0]] == names:
            rows = rows[1:]
    else:
        raise ValueError(f"unsupported content type {kind!r}; send application/json or text/csv")
    if not rows:
        raise ValueError("the request has no rows")
    width = len(names) if names else len(rows[0])
    request = {"instances": [_row(number, row, names, width) for number, row in enumerate(rows, start=1)]}
    return json.dumps(request, allow_nan=False)


def output_handler(response: Any, context: Any) -> tuple[bytes, str]:
    """The answer and its content type: TensorFlow Serving's JSON, or `score,label` lines for text/csv.

    Raises ValueError for another accept type, for what TensorFlow Serving refused, and for a score that is no
    finite number: TensorFlow Serving writes NaN, which is not JSON.
    """
    if response.status_code != 200:
        raise ValueError(response.content.decode("utf-8", "replace"))
    if b"NaN" in response.content or b"Infinity" in response.content:
        json.loads(response.content, parse_constant=_not_finite)
    accept = (context.accept_header or "*/*").split(";")[0].split(",")[0].strip().lower()
    if accept in ("application/json", "*/*", "application/*"):
        return response.content, "application/json"
    if accept == "text/csv":
        predictions = json.loads(response.content)["predictions"]
        lines = [f"{row['score']},{row['label']}\n" for row in predictions]
        return "".join(lines).encode(), "text/csv"
    raise ValueError(f"unsupported accept type {accept!r}; accept application/json or text/csv")


def feature_names() -> list[str]:
    """The features in serving order, from scaler.json next to this file; empty where there is none."""
    path = Path(__file__).with_name("scaler.json")
    return json.loads(path.read_text(encoding="utf-8"))["features"] if path.exists() else []


def _not_finite(text: str) -> float:
    raise ValueError(f"the model's answer holds {text}, which is no finite number")


def _json_rows(text: str) -> list[Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the request is not JSON: {error}") from None
    if isinstance(body, dict):
        key = next((key for key in ("instances", "features") if key in body), None)
        body = body[key] if key else [body]
    if not isinstance(body, list):
        raise ValueError(
            "the request must hold rows: a list of lists of numbers, or of objects with the features by name"
        )
    flat = bool(body) and not any(isinstance(row, (list, dict)) for row in body)
    return [body] if flat else body


def _row(number: int, row: Any, names: list[str], width: int) -> list[float]:
    if isinstance(row, dict) and "features" in row and "features" not in names:
        row = row["features"]
    if isinstance(row, dict):
        missing = [name for name in names if name not in row]
        unknown = [name for name in row if name not in names]
        if missing or unknown:
            what = (
                f"misses the feature {missing[0]!r}" if missing else f"has an unknown feature {unknown[0]!r}"
            )
            raise ValueError(f"row {number} {what}")
        row = [row[name] for name in names]
    if not isinstance(row, list) or len(row) != width:
        count = len(row) if isinstance(row, list) else 1
        raise ValueError(f"row {number} has {count} columns; the model takes {width}")
    return [_number(number, column, value) for column, value in enumerate(row, start=1)]


def _number(row: int, column: int, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"row {row}, column {column} holds {value!r}, which is not a finite number")
    return number
