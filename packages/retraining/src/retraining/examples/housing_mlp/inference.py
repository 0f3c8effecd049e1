"""Handlers of the TensorFlow Serving container; train.py packs them with features.json under code/.

Contract: https://github.com/aws/sagemaker-tensorflow-serving-container (pre- and post-processing). The
container calls input_handler, posts the result to TensorFlow Serving, then calls output_handler. It answers
HTTP 500 with {"error": <text>} for any exception of a handler; the ValueErrors here are those texts.
"""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, Protocol


class Context(Protocol):
    """The part of the container's request context that is used here."""

    request_content_type: str
    accept_header: str


class Body(Protocol):
    def read(self) -> bytes: ...


class Response(Protocol):
    """TensorFlow Serving's answer, a `requests.Response`."""

    status_code: int
    content: bytes


def input_handler(data: Body, context: Context) -> str:
    """Turn a request into TensorFlow Serving's row format, `{"instances": [[F numbers], ...]}`.

    text/csv: one row per line; a first line with the features' names is skipped. application/json: a list of
    rows, or {"instances": rows}; a row is a list of F numbers in serving order, or an object by name. Raises
    ValueError for another content type, and for a request that is not what its type says.
    """
    kind = (context.request_content_type or "text/csv").split(";")[0].strip().lower()
    try:
        text = data.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the request is not UTF-8: {error}") from None
    names = feature_names()
    if kind == "text/csv":
        rows: Any = [row for row in csv.reader(io.StringIO(text)) if row]
        rows = rows[1:] if rows and [name.strip() for name in rows[0]] == names else rows
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
    request = {"instances": [_row(number, row, names) for number, row in enumerate(rows, start=1)]}
    return json.dumps(request, allow_nan=False)


def output_handler(response: Response, context: Context) -> tuple[bytes, str]:
    """The answer and its content type: one price per line, or {"predictions": [{"price": ...}, ...]}.

    Raises ValueError for another accept type, for what TensorFlow Serving refused, and for a price that is no
    finite number: JSON has none for it.
    """
    if response.status_code != 200:
        raise ValueError(response.content.decode("utf-8", "replace"))
    kind = (context.accept_header or "*/*").split(";")[0].split(",")[0].strip().lower()
    rows = json.loads(response.content)["predictions"]
    prices = [_price(number, row) for number, row in enumerate(rows, start=1)]
    if kind in ("text/csv", "text/*"):
        return "".join(f"{price!r}\n" for price in prices).encode(), "text/csv"
    if kind in ("application/json", "application/*", "*/*"):
        content = json.dumps({"predictions": [{"price": price} for price in prices]}, allow_nan=False)
        return content.encode(), "application/json"
    raise ValueError(f"unsupported accept type {kind!r}; accept text/csv or application/json")


def feature_names() -> list[str]:
    """The features in serving order, from features.json beside this file."""
    names: list[str] = json.loads(Path(__file__).with_name("features.json").read_text(encoding="utf-8"))
    return names


def _price(number: int, row: Any) -> float:
    """TensorFlow Serving leaves the name out where a signature has a single output."""
    price = float(row["price"] if isinstance(row, dict) else row)
    if not math.isfinite(price):
        raise ValueError(f"row {number}: the model's price is {price}, which is no finite number")
    return price


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
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"row {row}, {name}: {value!r} is not a finite number")
    return number
