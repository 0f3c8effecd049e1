import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from job_toolkit import tables

FEATURES = 14


def text(rows: Any) -> str:
    return "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())


def test_evaluation_handlers_and_savedmodel_predict_the_same(chain: Any, served: Any, test_rows: Any) -> None:
    content, kind = served.invoke(text(test_rows))
    assert kind == "text/csv"
    with (chain.evaluation / "predictions.csv").open() as file:
        evaluated = np.array(list(csv.reader(file))[1:], dtype=float)[:, 1]
    np.testing.assert_array_equal(np.loadtxt(io.BytesIO(content)), served.prices(test_rows))
    np.testing.assert_allclose(evaluated, served.prices(test_rows), rtol=1e-6)  # other sizes of requests


def test_behind_the_pca_models_handlers_raw_rows_are_enough(
    chain: Any, served: Any, test_rows: Any, tools: Any
) -> None:
    """As an inference pipeline of both containers: the answer of the first is the request of the second."""
    pca = tools.module(chain.pca / "code" / "inference.py")
    model = pca.model_fn(str(chain.pca))
    for accept in ("text/csv", "application/json"):
        answer, kind = pca.output_fn(
            pca.predict_fn(pca.input_fn(text(test_rows[:, :8]), "text/csv"), model), accept
        )
        prices = np.loadtxt(io.BytesIO(served.invoke(answer, kind)[0]))
        np.testing.assert_allclose(prices, served.prices(test_rows), rtol=1e-6)


def test_every_form_of_a_request_gives_the_same_answer(served: Any, test_rows: Any) -> None:
    rows, names = test_rows[:3].tolist(), served.handlers.feature_names()
    assert len(names) == FEATURES
    named = [dict(zip(names, row, strict=True)) for row in rows]
    bodies = [
        (text(test_rows[:3]), "text/csv"),
        (",".join(names) + "\n" + text(test_rows[:3]), "text/csv; charset=utf-8"),
        ("\ufeff" + text(test_rows[:3]), "text/csv"),
        ("\ufeff" + ",".join(names) + "\n" + text(test_rows[:3]), "text/csv"),
        ("\ufeff" + json.dumps(rows), "application/json"),
        (json.dumps(rows), "application/json"),
        (json.dumps({"instances": rows}), "application/json"),
        (json.dumps(named), "application/json"),
    ]
    answers = {served.invoke(body, kind, "application/json") for body, kind in bodies}
    assert len(answers) == 1
    content, kind = answers.pop()
    assert kind == "application/json"
    assert [set(row) for row in json.loads(content)["predictions"]] == [{"price"}] * 3


def test_a_price_keeps_to_the_prices_of_the_training_rows(chain: Any, served: Any) -> None:
    prices = tables.read_numbers(chain.preprocessed / "train" / "train.csv").to_numpy()[:, -1]
    wild = np.random.default_rng(1).normal(0, 1e6, (500, FEATURES))
    found = served.prices(wild)
    assert np.isfinite(found).all()
    assert prices.min() <= found.min()
    assert found.max() <= prices.max()


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("1,2,3\n", "text/csv", "row 1 has 3 columns; the model takes 14"),
        ("", "text/csv", "no rows"),
        ("{", "application/json", "not JSON"),
        ("{}", "application/json", "no rows"),
        ("[7]", "application/json", "row 1 has 1 columns"),
        (json.dumps([[1] * 14, ["x"] * 14]), "application/json", "row 2, longitude: 'x' is not a finite"),
        (json.dumps([[True] * 14]), "application/json", "row 1, longitude: True is not"),
        (json.dumps([{"longitude": 1}]), "application/json", "row 1 misses the feature 'latitude'"),
        ("<a/>", "application/xml", "unsupported content type 'application/xml'"),
    ],
)  # fmt: skip
def test_a_bad_request_is_a_value_error_that_says_what_is_wrong(
    body: str, kind: str, message: str, served: Any
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        served.invoke(body, kind)
    assert message in str(raised.value)


def test_both_forms_of_tensorflow_servings_answer_are_read(served: Any, tools: Any) -> None:
    """A signature with one output has plain values there; older versions and other models name it."""
    for predictions in ([1.5, 2.0], [{"price": 1.5}, {"price": 2.0}]):
        response = tools.Response(json.dumps({"predictions": predictions}).encode())
        assert served.handlers.output_handler(response, tools.Context()) == (b"1.5\n2.0\n", "text/csv")


def test_an_error_of_tensorflow_serving_is_passed_on(served: Any, tools: Any) -> None:
    with pytest.raises(ValueError, match="out of memory"):
        served.handlers.output_handler(tools.Response(b'{"error": "out of memory"}', 503), tools.Context())
    with pytest.raises(ValueError, match="unsupported accept type 'image/png'"):
        served.handlers.output_handler(
            tools.Response(b'{"predictions": []}'), tools.Context(accept_header="image/png")
        )


def test_the_archive_has_the_layout_of_the_serving_container(chain: Any) -> None:
    assert (chain.model / "1" / "saved_model.pb").is_file()
    assert (chain.model / "1" / "variables").is_dir()
    code = {path.name for path in (chain.model / "code").iterdir() if path.name != "__pycache__"}
    assert code == {"inference.py", "features.json"}
    assert Path(chain.root / "model.tar.gz").stat().st_size < 1_000_000
