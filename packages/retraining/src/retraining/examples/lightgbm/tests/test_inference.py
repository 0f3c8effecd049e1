import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import Chain

import inference
from schema import FEATURES

SESSION = "0,0,0,0,1,0,0.2,0.2,0,0,Feb,1,1,1,1,Returning_Visitor,FALSE"


@pytest.fixture(scope="session")
def model(chain: Chain) -> inference.Model:
    return inference.model_fn(str(chain.model))


@pytest.fixture(scope="session")
def lines(chain: Chain) -> list[str]:
    return (chain.preprocessed / "test_features" / "features.csv").read_text().splitlines()[:60]


def predict(body: bytes | str, content_type: str, model: inference.Model) -> pd.DataFrame:
    return inference.predict_fn(inference.input_fn(body, content_type), model)


def test_all_forms_of_a_request_give_the_same_answer(lines: list[str], model: inference.Model) -> None:
    rows = [line.split(",") for line in lines]
    table = pd.DataFrame(rows, columns=list(FEATURES))
    numbers = [
        [float(value) if value.replace(".", "", 1).isdigit() else value for value in row] for row in rows
    ]
    booleans = [
        [value == "TRUE" if value in ("TRUE", "FALSE") else value for value in row] for row in numbers
    ]
    named = [dict(zip(FEATURES, row, strict=True)) for row in booleans]
    backwards = [dict(reversed(row.items())) for row in named]
    expected = predict("\n".join(lines), "text/csv", model)
    assert expected["probability"].nunique() > 10
    for body, content_type in (
        ("\r\n".join(lines) + "\r\n", "text/csv; charset=utf-8"),
        (("\ufeff" + "\n".join(lines) + "\n\n").encode(), "TEXT/CSV"),
        ("\ufeff" + "\n".join(lines), "text/csv"),
        ("\ufeff" + table.to_csv(index=False), "text/csv"),
        ("\ufeff" + json.dumps(rows), "application/json"),
        (table.to_csv(index=False), "text/csv"),
        (table[list(FEATURES[::-1])].to_csv(index=False).encode(), "text/csv"),
        (json.dumps(rows), "application/json"),
        (json.dumps({"instances": numbers}).encode(), "application/json"),
        (json.dumps(named), "application/json;charset=utf-8"),
        (json.dumps({"instances": backwards}), "application/json"),
    ):
        pd.testing.assert_frame_equal(predict(body, content_type, model), expected)


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_a_score_does_not_depend_on_the_rows_beside_it(
    sizes: list[int], lines: list[str], model: inference.Model
) -> None:
    whole = predict("\n".join(lines), "text/csv", model)
    start = 0
    for size in sizes:
        part = lines[start : start + size]
        if part:
            alone = predict("\n".join(part), "text/csv", model)
            np.testing.assert_array_equal(alone, whole.iloc[start : start + size])
        start += size


def test_unknown_categories_count_as_missing(model: inference.Model) -> None:
    forms = [SESSION.replace("Feb", month) for month in ("Foo", "Bar", "")]
    scores = predict("\n".join(forms), "text/csv", model)["probability"]
    assert scores.nunique() == 1
    objects = [
        dict(zip(FEATURES, SESSION.split(","), strict=True)) | {"Month": value} for value in (None, "Foo")
    ]
    assert (
        predict(json.dumps(objects), "application/json", model)["probability"].tolist() == scores[:2].tolist()
    )


def test_a_session_without_any_value_has_a_score(model: inference.Model) -> None:
    (score,) = predict("," * (len(FEATURES) - 1), "text/csv", model)["probability"]
    assert 0 < score < 1


def test_the_label_is_the_decision_at_the_threshold(lines: list[str], model: inference.Model) -> None:
    prediction = predict("\n".join(lines), "text/csv", model)
    assert (prediction["label"] == (prediction["probability"] >= model.threshold)).all()


@pytest.mark.parametrize(
    "accept", ["text/csv", "text/csv; charset=utf-8", "application/json;q=0.5, text/csv"]
)
def test_csv_answers_hold_probability_and_label_exactly(
    accept: str, lines: list[str], model: inference.Model
) -> None:
    prediction = predict("\n".join(lines), "text/csv", model)
    body, content_type = inference.output_fn(prediction, accept)
    assert content_type == "text/csv"
    read = [line.split(",") for line in body.splitlines()]
    assert [float(probability) for probability, _ in read] == prediction["probability"].tolist()
    assert [int(label) for _, label in read] == prediction["label"].tolist()


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", "application/*"])
def test_json_answers(accept: str, lines: list[str], model: inference.Model) -> None:
    prediction = predict("\n".join(lines), "text/csv", model)
    body, content_type = inference.output_fn(prediction, accept)
    assert content_type == "application/json"
    assert json.loads(body) == {"predictions": prediction.to_dict("records")}


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("", "text/csv", "the request has no rows"),
        (",".join(FEATURES), "text/csv", "the request has no rows"),
        ("1,2", "text/csv", "row 1 has 2 values; the model takes 17"),
        (f"{SESSION}\n{SESSION},1", "text/csv", "row 2 has 18 values; the model takes 17"),
        (",".join(FEATURES) + "\n1,2", "text/csv", "row 1 has 2 values"),
        (SESSION.replace("0.2", "lots"), "text/csv", "row 1: column 'BounceRates' holds 'lots'"),
        (
            ",".join((*FEATURES[:-1], "weekend")) + "\n" + SESSION,
            "text/csv",
            "column 'Administrative' holds 'Admin",
        ),
        ("[]", "application/json", "the request has no rows"),
        ("{", "application/json", "the request is not JSON"),
        ("3", "application/json", "the request must be a list of sessions"),
        ('{"rows": []}', "application/json", "the request must be a list of sessions"),
        ("[1, 2]", "application/json", "the request must be a list of sessions"),
        ("[[1, 2]]", "application/json", "row 1 has 2 values"),
        ('[{"Month": "Feb"}]', "application/json", "row 1 misses the feature 'Administrative'"),
        (json.dumps([[[]] * 17]), "application/json", "[] is not a text, number, true, false or null"),
        (json.dumps([dict.fromkeys((*FEATURES, "Age"), 0)]), "application/json", "an unknown feature 'Age'"),
        (SESSION, "text/plain", "unsupported content type 'text/plain'"),
    ],
)
def test_a_wrong_request_is_explained(body: str, content_type: str, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        inference.input_fn(body, content_type)


def test_an_unknown_accept_type_is_explained(model: inference.Model) -> None:
    with pytest.raises(ValueError, match="unsupported accept type 'image/png'"):
        inference.output_fn(predict(SESSION, "text/csv", model), "image/png")


def test_the_packed_code_needs_no_other_module(chain: Chain) -> None:
    """Every module that is not a library's comes from the archive."""
    program = (
        "import json, sys\nsys.path.insert(0, sys.argv[1])\nimport inference\n"
        "loaded = [m for n, m in sys.modules.items() if n.split('.')[0] in sys.argv[2:]]\n"
        "print(json.dumps([m.__file__ for m in loaded]))"
    )
    code = chain.model / "code"
    unit = {path.stem for path in Path(inference.__file__).parent.glob("*.py")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(code), *unit, "job_toolkit"], capture_output=True, check=True
    )
    found = {Path(name).relative_to(code).as_posix() for name in json.loads(done.stdout)}
    assert {"inference.py", "schema.py", "encoder.py", "job_toolkit/tables.py"} <= found
