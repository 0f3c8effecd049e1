import importlib.util
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import Chain

import inference
from evaluation import artifact


@dataclass(frozen=True)
class Context:
    request_content_type: str = "application/json"
    accept_header: str = "application/json"


@dataclass(frozen=True)
class Response:
    content: bytes
    status_code: int = 200


@dataclass(frozen=True)
class Packed:
    """A packed candidate as the serving container has it: its code/inference.py, and its SavedModel."""

    handlers: ModuleType
    signature: Any
    rows: pd.DataFrame
    threshold: float

    def invoke(self, body: str, context: Context) -> tuple[bytes, str]:
        """What the container does: input handler, TensorFlow Serving's row format, output handler."""
        request = json.loads(self.handlers.input_handler(io.BytesIO(body.encode()), context))
        answer = self.signature(features=tf.constant(request["instances"], tf.float32))
        columns = {name: value.numpy() for name, value in answer.items()}
        predictions = [
            {
                "score": float(columns["score"][row]),
                "label": columns["label"][row].decode(),
                "probabilities": columns["probabilities"][row].tolist(),
            }
            for row in range(len(columns["score"]))
        ]
        return self.handlers.output_handler(
            Response(json.dumps({"predictions": predictions}).encode()), context
        )


@pytest.fixture(scope="module")
def packed(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    folder = tmp_path_factory.mktemp("packed")
    artifact.extract(chain.evaluated / "candidates" / "best-recall" / "model.tar.gz", folder)
    spec = importlib.util.spec_from_file_location("packed_inference", folder / "code" / "inference.py")
    assert spec is not None
    assert spec.loader is not None
    handlers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(handlers)
    signature = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]
    rows = pd.read_csv(chain.preprocessed / "test" / "data.csv").iloc[:, 1:]
    listing = json.loads((chain.model / "candidates.json").read_text())
    return Packed(handlers, signature, rows, listing[0]["threshold"])


def test_serving_gives_the_metrics_of_the_evaluation(chain: Chain, packed: Packed) -> None:
    body = packed.rows.to_csv(index=False, header=False)
    content, kind = packed.invoke(body, Context("text/csv", "text/csv"))
    assert kind == "text/csv"
    served = pd.read_csv(io.BytesIO(content), names=["score", "label"])
    positive = (pd.read_csv(chain.preprocessed / "test" / "label.csv")["label"] == "risky").to_numpy()
    gate = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())["gate"]
    flagged = (served["label"] == "risky").to_numpy()
    assert (flagged & positive).sum() / positive.sum() == pytest.approx(gate["recall"])
    assert (flagged & positive).sum() / flagged.sum() == pytest.approx(gate["precision"])
    assert (flagged == (served["score"] >= packed.threshold)).all()


def test_every_form_of_a_request_gives_the_same_answer(packed: Packed) -> None:
    rows = packed.rows.head(3)
    values, named = rows.to_numpy().tolist(), rows.to_dict("records")
    bodies = [
        (json.dumps(values), "application/json"),
        (json.dumps({"instances": values}), "application/json; charset=utf-8"),
        (json.dumps({"features": values}), "application/json"),
        (json.dumps({"instances": named}), "application/json"),
        (json.dumps(named), "application/json"),
        (json.dumps({"instances": [{"features": row} for row in values]}), "application/json"),
        (rows.to_csv(index=False, header=False), "text/csv"),
        (rows.to_csv(index=False), "text/csv"),
    ]
    answers = [packed.invoke(body, Context(kind)) for body, kind in bodies]
    assert len({content for content, _ in answers}) == 1
    assert {kind for _, kind in answers} == {"application/json"}
    assert len(json.loads(answers[0][0])["predictions"]) == 3


def test_a_single_row_needs_no_list_around_it(packed: Packed) -> None:
    row = packed.rows.head(1)
    whole = packed.invoke(json.dumps(row.to_numpy().tolist()), Context())
    for body in (
        row.to_numpy().tolist()[0],
        {"features": row.to_numpy().tolist()[0]},
        row.to_dict("records")[0],
    ):
        assert packed.invoke(json.dumps(body), Context("application/json", "*/*")) == whole


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("[[1, 2]]", "application/json", "row 1 has 2 columns; the model takes 50"),
        ("1,2,3\n", "text/csv", "row 1 has 3 columns; the model takes 50"),
        ("{", "application/json", "not JSON"),
        ("7", "application/json", "must hold rows"),
        ("[]", "application/json", "no rows"),
        ("", "text/csv", "no rows"),
        ("<a/>", "application/xml", "unsupported content type 'application/xml'"),
        (json.dumps([["x"] * 50]), "application/json", "row 1, column 1 holds 'x'"),
        (json.dumps([[1.0] * 49 + [None]]), "application/json", "row 1, column 50 holds None"),
        (json.dumps([[1.0] * 49 + [True]]), "application/json", "column 50 holds True"),
        (json.dumps([[math.nan] * 50]), "application/json", "column 1 holds nan"),
        (json.dumps([[1.0] * 50, [1.0] * 51]), "application/json", "row 2 has 51 columns"),
        (json.dumps([{"active_days": 1}]), "application/json", "row 1 misses the feature 'sessions_total'"),
    ],
)
def test_a_bad_request_is_a_value_error_that_says_what_is_wrong(
    body: str, kind: str, text: str, packed: Packed
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        packed.handlers.input_handler(io.BytesIO(body.encode()), Context(kind))
    assert text in str(raised.value)


def test_an_error_of_tensorflow_serving_is_passed_on() -> None:
    with pytest.raises(ValueError, match="out of memory"):
        inference.output_handler(Response(b'{"error": "out of memory"}', 503), Context())


def test_an_unsupported_accept_type_is_named() -> None:
    with pytest.raises(ValueError, match="unsupported accept type 'image/png'"):
        inference.output_handler(Response(b"{}"), Context(accept_header="image/png"))


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.floats(allow_nan=False, width=32), min_size=3, max_size=3), min_size=1, max_size=5)
)
def test_without_a_scaler_file_the_first_row_sets_the_width(rows: list[list[float]]) -> None:
    finite = np.isfinite(rows).all()
    body = io.BytesIO("\n".join(",".join(map(repr, row)) for row in rows).encode())
    if finite:
        assert json.loads(inference.input_handler(body, Context("text/csv"))) == {"instances": rows}
    else:
        with pytest.raises(ValueError, match="not a finite number"):
            inference.input_handler(body, Context("text/csv"))


def test_the_folder_of_the_model_holds_no_scaler(packed: Packed) -> None:
    assert inference.feature_names() == []
    assert packed.handlers.feature_names() == list(packed.rows.columns)
    assert Path(inference.__file__).name == "inference.py"
