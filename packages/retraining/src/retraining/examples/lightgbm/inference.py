"""What the serving container runs: the four functions of the SageMaker inference toolkit.

Contract: https://github.com/aws/sagemaker-inference-toolkit. It calls model_fn once, then input_fn,
predict_fn and output_fn for each request; a batch transform sends its requests the same way.
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

import schema
from encoder import Encoder
from schema import FEATURES


@dataclass(frozen=True)
class Model:
    """The trees, the categories they know, and the probability from which a session counts as a purchase."""

    booster: lightgbm.Booster
    encoder: Encoder
    threshold: float


def model_fn(model_dir: str) -> Model:
    """Load the folder that train.py wrote."""
    folder = Path(model_dir)
    document = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
    return Model(booster, Encoder(document["categories"]), document["threshold"])


def input_fn(body: bytes | str, content_type: str) -> pd.DataFrame:
    """The request as parsed rows.

    text/csv: one session per line, the features in the schema's order; an empty field is a missing value. A
    first line that holds exactly the features' names is a header, and gives the order. application/json: a
    list of sessions, or {"instances": list}; a session is a list in the schema's order, or an object with all
    features by name; null is a missing value. Raises ValueError, naming the row, for anything else.
    """
    # The container decodes text/csv by itself, and leaves the mark that spreadsheets put before it.
    text = (body if isinstance(body, str) else bytes(body).decode()).removeprefix("\ufeff")
    kind = content_type.split(";")[0].strip().lower()
    if kind == "text/csv":
        rows = _csv_rows(text)
    elif kind == "application/json":
        rows = _json_rows(text)
    else:
        raise ValueError(f"unsupported content type {content_type!r}; send text/csv or application/json")
    if not rows:
        raise ValueError("the request has no rows")
    return schema.parse(pd.DataFrame(rows, columns=list(FEATURES), dtype=str))


def predict_fn(rows: pd.DataFrame, model: Model) -> pd.DataFrame:
    """The probability of a purchase, and the decision (`label`, 0 or 1) at the model's threshold."""
    # One thread: the server has a process per core.
    probability = np.asarray(model.booster.predict(model.encoder.encode(rows), num_threads=1))
    return pd.DataFrame(
        {"probability": probability, "label": (probability >= model.threshold).astype(np.int64)}
    )


def output_fn(prediction: pd.DataFrame, accept: str) -> tuple[str, str]:
    """The answer and its content type: lines `probability,label`, or {"predictions": [{...}, ...]}."""
    kinds = [part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    if "text/csv" in kinds:
        return prediction.to_csv(index=False, header=False, lineterminator="\n"), "text/csv"
    if {"application/json", "*/*", "application/*"} & set(kinds):
        answer = {"predictions": prediction.to_dict("records")}
        return json.dumps(answer, allow_nan=False), "application/json"
    raise ValueError(f"unsupported accept type {accept!r}; accept text/csv or application/json")


def _csv_rows(text: str) -> list[list[str]]:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    header = [name.strip() for name in rows[0]] if rows else []
    if sorted(header) != sorted(FEATURES):
        return _of_full_width(rows)
    order = [header.index(name) for name in FEATURES]
    return [[row[index] for index in order] for row in _of_full_width(rows[1:])]


def _json_rows(text: str) -> list[list[str]]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the request is not JSON: {error}") from None
    sessions = body.get("instances") if isinstance(body, dict) else body
    if not isinstance(sessions, list) or not all(isinstance(one, (list, dict)) for one in sessions):
        raise ValueError('the request must be a list of sessions, or {"instances": list of sessions}')
    rows = [
        _in_order(number, session) if isinstance(session, dict) else session
        for number, session in enumerate(sessions, start=1)
    ]
    return [[_text(value) for value in row] for row in _of_full_width(rows)]


def _in_order(number: int, session: dict[str, Any]) -> list[Any]:
    for name in FEATURES:
        if name not in session:
            raise ValueError(f"row {number} misses the feature {name!r}")
    for name in session:
        if name not in FEATURES:
            raise ValueError(f"row {number} has an unknown feature {name!r}")
    return [session[name] for name in FEATURES]


def _of_full_width(rows: list[list[Any]]) -> list[list[Any]]:
    for number, row in enumerate(rows, start=1):
        if len(row) != len(FEATURES):
            raise ValueError(f"row {number} has {len(row)} values; the model takes {len(FEATURES)}")
    return rows


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        raise ValueError(f"{value!r} is not a text, number, true, false or null")
    return "" if value is None else str(value)
