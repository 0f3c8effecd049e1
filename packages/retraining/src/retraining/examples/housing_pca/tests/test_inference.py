import importlib.util
import json
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pytest


@pytest.fixture(scope="module")
def handlers(chain: Any) -> ModuleType:
    """code/inference.py of the trained model, as the serving container imports it."""
    spec = importlib.util.spec_from_file_location("pca_inference", chain.model / "code" / "inference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(chain: Any, handlers: ModuleType) -> Any:
    return handlers.model_fn(str(chain.model))


def invoke(handlers: ModuleType, model: Any, body: Any, kind: str, accept: str) -> tuple[str, str]:
    rows = handlers.input_fn(body, kind)
    answer: tuple[str, str] = handlers.output_fn(handlers.predict_fn(rows, model), accept)
    return answer


def test_the_answer_is_the_row_and_its_components(
    handlers: ModuleType, model: Any, chain: Any, rows: Any
) -> None:
    features = rows[:5, :8]
    body = "\n".join(",".join(map(repr, row)) for row in features.tolist())
    text, kind = invoke(handlers, model, body, "text/csv", "text/csv")
    assert kind == "text/csv"
    found = np.array([line.split(",") for line in text.splitlines()], dtype=float)
    np.testing.assert_array_equal(found[:, :8], features)
    np.testing.assert_array_equal(found[:, 8:], joblib.load(chain.model / "pca.joblib").transform(features))


def test_every_form_of_a_request_gives_the_same_answer(
    handlers: ModuleType, model: Any, unit: Any, rows: Any
) -> None:
    values = rows[:3, :8].tolist()
    named = [dict(zip(unit.houses.FEATURES, row, strict=True)) for row in values]
    lines = [",".join(map(repr, row)) for row in values]
    bodies = [
        ("\n".join(lines), "text/csv"),
        ("\n".join([",".join(unit.houses.FEATURES), *lines, ""]).encode(), "text/csv; charset=utf-8"),
        ("\ufeff" + "\n".join(lines), "text/csv"),
        (("\ufeff" + "\n".join(lines)).encode(), "text/csv"),
        ("\ufeff" + "\n".join([", ".join(unit.houses.FEATURES), *lines]), "text/csv"),
        ("\ufeff" + json.dumps(values), "application/json"),
        (json.dumps(values), "application/json"),
        (json.dumps({"instances": values}).encode(), "application/json"),
        (json.dumps(named), "application/json"),
    ]
    answers = {invoke(handlers, model, body, kind, "application/json") for body, kind in bodies}
    assert len(answers) == 1
    text, kind = answers.pop()
    assert kind == "application/json"
    assert [len(row) for row in json.loads(text)["instances"]] == [14, 14, 14]
    assert invoke(handlers, model, json.dumps(values), "application/json", "*/*")[1] == "text/csv"


HEADER = "longitude,latitude,housingMedianAge,totalRooms,totalBedrooms,population,households,medianIncome"
ROW = [-120, 35, 20, 900, 200, 500, 180, 4.5]


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("1,2,3\n", "text/csv", "row 1 has 3 columns; the model takes 8"),
        ("", "text/csv", "no rows"),
        (HEADER, "text/csv", "no rows"),
        ("{", "application/json", "not JSON"),
        ("{}", "application/json", "no rows"),
        ("7", "application/json", "no rows"),
        ("[7]", "application/json", "row 1 has 1 columns"),
        (json.dumps([ROW, [*ROW[:7], "x"]]), "application/json", "row 2, medianIncome: 'x' is not a finite"),
        (json.dumps([[*ROW[:7], True]]), "application/json", "row 1, medianIncome: True is not"),
        (json.dumps([[*ROW[:7], None]]), "application/json", "row 1, medianIncome: None is not"),
        (json.dumps([[*ROW[:7], -1]]), "application/json", "row 1, medianIncome: -1 is negative"),
        (json.dumps([{"longitude": 1}]), "application/json", "row 1 misses the feature 'latitude'"),
        ("<a/>", "application/xml", "unsupported content type 'application/xml'"),
    ],
)  # fmt: skip
def test_a_bad_request_is_a_value_error_that_says_what_is_wrong(
    body: str, kind: str, text: str, handlers: ModuleType, model: Any
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        invoke(handlers, model, body, kind, "text/csv")
    assert text in str(raised.value)


def test_an_unsupported_accept_type_is_named(handlers: ModuleType) -> None:
    with pytest.raises(ValueError, match="unsupported accept type 'image/png'"):
        handlers.output_fn(np.zeros((1, 2)), "image/png")
