"""From rows to metrics.csv to SageMaker's model-quality JSON."""

import copy
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_toolkit import measures, metrics, model_quality
from job_toolkit.failure import InputError
from job_toolkit.measures import BOOTSTRAP, MODEL_MONITOR
from job_toolkit.metrics import Model

reference = pytest.importorskip("sklearn.metrics")
binary_rows = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(-5, 5)),
    min_size=1,
    max_size=300,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quality") / "metrics.csv"


def converted(path: Path, *models: Model) -> dict[str, Any]:
    """The document of the only candidate, by way of the file."""
    metrics.write(models, path)
    (document,) = model_quality.from_csv(path).values()
    model_quality.validate(document)
    json.dumps(document, allow_nan=False)
    return document


@settings(max_examples=150)
@given(rows=binary_rows)
def test_any_binary_classification_becomes_a_valid_document(path: Path, rows: Sequence[Any]) -> None:
    actual, predicted, scores = (np.array(column) for column in zip(*rows, strict=True))
    document = converted(path, measures.binary_classification(actual, predicted, scores))
    assert document["dataset"] == {"item_count": len(rows)}
    section = document["binary_classification_metrics"]
    both = actual.any() and not actual.all()
    assert ("auc" in section) == ("receiver_operating_characteristic_curve" in section) == both
    assert ("au_prc" in section) == ("precision_recall_curve" in section) == actual.any()
    expected = reference.confusion_matrix(actual, predicted, labels=[False, True])
    assert [list(row.values()) for row in section["confusion_matrix"].values()] == expected.tolist()
    for name, value in (
        ("recall", reference.recall_score(actual, predicted, zero_division=0)),
        ("precision", reference.precision_score(actual, predicted, zero_division=0)),
        ("f0_5", reference.fbeta_score(actual, predicted, beta=0.5, zero_division=0)),
        ("f1", reference.f1_score(actual, predicted, zero_division=0)),
        ("f2", reference.fbeta_score(actual, predicted, beta=2, zero_division=0)),
        ("accuracy", reference.accuracy_score(actual, predicted)),
    ):
        assert section[name]["value"] == pytest.approx(value)
    few = len(rows) < MODEL_MONITOR.least
    assert (section["recall"]["standard_deviation"] == "NaN") == few


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=250),
    classes=st.sampled_from([4, 6]),
)
def test_any_multiclass_classification_becomes_a_valid_document(
    path: Path, rows: list[tuple[int, int]], classes: int
) -> None:
    actual, predicted = (np.array(column) for column in zip(*rows, strict=True))
    labels = [f'group {number}, "a.b"' for number in range(classes)]
    document = converted(path, measures.multiclass_classification(actual, predicted, labels))
    section = document["multiclass_classification_metrics"]
    assert list(section["confusion_matrix"]) == labels
    for name in ("recall", "precision"):
        expected = getattr(reference, f"{name}_score")(actual, predicted, average="weighted", zero_division=0)
        assert section[f"weighted_{name}"]["value"] == pytest.approx(expected)
    expected = reference.fbeta_score(actual, predicted, beta=2, average="weighted", zero_division=0)
    assert section["weighted_f2"]["value"] == pytest.approx(expected)


@settings(max_examples=100)
@given(rows=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=250))
def test_any_regression_becomes_a_valid_document(path: Path, rows: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(column) for column in zip(*rows, strict=True))
    section = converted(path, measures.regression(actual, predicted))["regression_metrics"]
    assert section["mae"]["value"] == pytest.approx(reference.mean_absolute_error(actual, predicted))
    assert section["mse"]["value"] == pytest.approx(reference.mean_squared_error(actual, predicted))
    assert section["rmse"]["value"] == pytest.approx(section["mse"]["value"] ** 0.5)
    if np.ptp(actual) > 1e-3:
        expected = reference.r2_score(actual, predicted)
        assert section["r2"]["value"] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_without_spread_r2_is_zero() -> None:
    assert measures.regression(np.full(3, 5.0), np.full(3, 6.0)).metrics["r2"] == 0


def test_columns_of_different_length_are_refused() -> None:
    for actual, predicted in ((np.zeros(2), np.zeros(3)), (np.zeros(0), np.zeros(0))):
        with pytest.raises(ValueError, match="must have the same number of rows, at least one"):
            measures.regression(actual, predicted)


@pytest.mark.parametrize(
    ("actual", "predicted", "scores", "expected"),
    [
        ([1, 0], [1, 0], [math.nan, 0.1], "scores: row 1 is nan; a finite number is expected"),
        ([1, 0], [1, 0], [0.9, -math.inf], "scores: row 2 is -inf; a finite number is expected"),
        ([1, 0], [1, 0], ["0.9", "0.1"], "scores: row 1 is '0.9'; a finite number is expected"),
        ([1, 0], [1, 0], [0.9, None], "scores: row 2 is None; a finite number is expected"),
        ([1, 2], [1, 0], [0.9, 0.1], "actual: row 2 is 2; true or false, 1 or 0 is expected"),
        ([1, 0], [0.9, 0.1], [0.9, 0.1], "predicted: row 1 is 0.9; true or false, 1 or 0 is expected"),
        (["yes", "no"], [1, 0], [0.9, 0.1], "actual: row 1 is 'yes'; true or false, 1 or 0 is expected"),
        (["1", "0"], [1, 0], [0.9, 0.1], "actual: row 1 is '1'; true or false, 1 or 0 is expected"),
        ([[1], [0]], [1, 0], [0.9, 0.1], "actual: a value for each row is expected, not an array of shape"),
    ],
)
def test_nothing_is_cast_in_a_binary_classification(
    actual: Any, predicted: Any, scores: Any, expected: str
) -> None:
    with pytest.raises(InputError) as raised:
        measures.binary_classification(actual, predicted, np.array(scores))
    assert str(raised.value).startswith(expected)


def test_the_spellings_of_true_and_false_measure_the_same() -> None:
    scores = np.array([0.9, 0.2, 0.4])
    models = [
        measures.binary_classification(np.array([1, 0, 0], kind), np.array([1, 0, 1], kind), scores)
        for kind in (bool, int, float)
    ]
    assert models[0] == models[1] == models[2]


@pytest.mark.parametrize(
    ("actual", "labels", "expected"),
    [
        ([0, 2], ["a", "b"], "actual: row 2 is 2; a code from 0 to 1 is expected"),
        ([0, -1], ["a", "b"], "actual: row 2 is -1; a code from 0 to 1 is expected"),
        ([0, 0.5], ["a", "b"], "actual: row 2 is 0.5; a code from 0 to 1 is expected"),
        (["a", "b"], ["a", "b"], "actual: row 1 is 'a'; a code from 0 to 1 is expected"),
        ([0, 1], ["1", "1.0"], "labels: '1' and '1.0' are two spellings of one label; use one"),
        ([0, 1], ["cat", " cat"], "labels: 'cat' and ' cat' are two spellings of one label; use one"),
        ([0, 1], ["a", " "], "labels: ' ' is no label: it is empty"),
    ],
)
def test_nothing_is_cast_in_a_multiclass_classification(
    actual: Any, labels: list[str], expected: str
) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        measures.multiclass_classification(np.array(actual), np.array([0, 1]), labels)


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_nothing_is_cast_in_a_regression(value: Any) -> None:
    for columns in (([1.0, value], [1.0, 2.0]), ([1.0, 2.0], [1.0, value])):
        with pytest.raises(InputError, match=r"^(actual|predicted): row \d is .*; a finite number is exp"):
            measures.regression(*map(np.array, columns))


def test_a_matrix_of_other_rows_is_refused(tmp_path: Path) -> None:
    model, _ = good()
    path = tmp_path / "metrics.csv"
    metrics.write([replace(model, metrics={**model.metrics, "rows": 399})], path)
    with pytest.raises(InputError, match="confusion_matrix counts 400 rows, and the column 'rows' has 399"):
        model_quality.from_csv(path)


def test_the_example_of_the_developer_guide(path: Path) -> None:
    """Four rows: three negatives of which two are flagged, and one positive that is."""
    actual, predicted = np.array([0, 0, 0, 1]) == 1, np.array([0, 1, 1, 1]) == 1
    model = measures.binary_classification(actual, predicted, np.array([0.1, 0.6, 0.7, 0.9]))
    section = converted(path, model)["binary_classification_metrics"]
    expected = {
        "recall": 1.0,
        "precision": 1 / 3,
        "accuracy": 0.5,
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": 0.25,
        "accuracy_best_constant_classifier": 0.25,
        "true_positive_rate": 1.0,
        "true_negative_rate": 1 / 3,
        "false_positive_rate": 2 / 3,
        "false_negative_rate": 0.0,
        "auc": 1.0,
        "f0_5": 0.3846153846153846,
        "f1": 0.5,
        "f2": 0.7142857142857143,
        "f0_5_best_constant_classifier": 0.29411764705882354,
        "f1_best_constant_classifier": 0.4,
        "f2_best_constant_classifier": 0.625,
    }
    assert section["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    for name, value in expected.items():
        assert section[name]["value"] == pytest.approx(value), name
        assert section[name]["standard_deviation"] == "NaN"


def test_a_bootstrap_gives_the_standard_error_of_theory() -> None:
    errors = np.random.default_rng(3).exponential(1000, 2000)
    columns = (np.zeros(2000), errors)
    found = measures.deviations(measures.regression_values, columns, 0, BOOTSTRAP)
    assert found["mae"] == pytest.approx(np.std(errors) / np.sqrt(2000), rel=0.2)
    assert found == measures.deviations(measures.regression_values, columns, 0, BOOTSTRAP)
    assert found != measures.deviations(measures.regression_values, columns, 1, BOOTSTRAP)


def good() -> tuple[Model, Model]:
    random = np.random.default_rng(0)
    actual = random.random(400) < 0.2
    scores = np.where(actual, 0.6, 0.3) + random.normal(0, 0.2, 400)
    codes = random.integers(0, 3, 400)
    return (
        measures.binary_classification(actual, scores > 0.5, scores, "one"),
        measures.multiclass_classification(codes, codes, ["a", "b", "c"], "one"),
    )


def good_document(folder: Path) -> dict[str, Any]:
    files = [folder / "metrics.csv", folder / "groups.csv"]
    for path, model in zip(files, good(), strict=True):
        metrics.write([model], path)
    return model_quality.from_csv(*files)["one"]


def test_two_files_are_two_sections_of_one_document(tmp_path: Path) -> None:
    document = good_document(tmp_path)
    sections = ["binary_classification_metrics", "multiclass_classification_metrics"]
    assert list(document) == ["version", "dataset", *sections]
    binary, multiclass = good()
    for section, model in zip(sections, (binary, multiclass), strict=True):
        for name, value in model.metrics.items():
            if name != "rows":
                expected = {"value": value, "standard_deviation": model.deviations[name]}
                assert document[section][name] == expected
        for name, value in model.objects.items():
            assert document[section][name] == value
    assert document["dataset"]["item_count"] == binary.metrics["rows"] == 400


def test_baselines_are_no_documents_and_own_metrics_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    plain = {"rows": 9, "mae": 1.0, "mse": 2.0, "rmse": 2**0.5, "r2": -1.0}
    metrics.write(
        [
            Model("candidate", "", "regression", plain | {"mape": 1.5}, {"mape": 0.1}),
            Model("baseline", "mean", metrics={"mae": 2.0}),
        ],
        path,
    )
    documents = model_quality.from_csv(path)
    assert list(documents) == [""]
    section = documents[""]["regression_metrics"]
    assert set(section) == {"mae", "mse", "rmse", "r2", "mape"}
    assert section["mape"] == {"value": 1.5, "standard_deviation": 0.1}
    assert section["mae"] == {"value": 1.0, "standard_deviation": "NaN"}


def test_generated_text_has_a_section_of_its_own(path: Path) -> None:
    model = Model("candidate", "", "text_generation", {"rows": 3, "eval_loss": 2.5}, {"eval_loss": 0.1})
    assert converted(path, model) == {
        "version": 0.0,
        "dataset": {"item_count": 3},
        "text_generation_metrics": {"eval_loss": {"value": 2.5, "standard_deviation": 0.1}},
    }


def test_a_document_for_each_named_candidate_or_one(tmp_path: Path) -> None:
    document = good_document(tmp_path)
    model_quality.write({"best": document, "other": document}, tmp_path / "several")
    assert sorted(path.name for path in (tmp_path / "several" / "model_quality").iterdir()) == [
        "best.json",
        "other.json",
    ]
    model_quality.write({"": document}, tmp_path / "only")
    assert [path.name for path in (tmp_path / "only").iterdir()] == ["model_quality.json"]
    assert json.loads((tmp_path / "only" / "model_quality.json").read_text()) == document


HEAD = "kind,name,problem,rows"
REGRESSION = "mae,mse,rmse,r2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEAD}\nbaseline,a,,3\n", "has no row whose kind is candidate"),
        ("kind,name,problem\ncandidate,a,regression\n", "column 'rows' must hold the number of test rows"),
        (f"{HEAD}\ncandidate,a,regression,2.5\n", "column 'rows' must hold the number of test rows"),
        (f"{HEAD}\ncandidate,a,,3\n", "problem '' is none; it must be binary_classification, "),
        (f"{HEAD}\ncandidate,a,ranking,3\n", "problem 'ranking' is none; it must be binary_classification, "),
        (f"{HEAD},mae\ncandidate,a,regression,3,1\n", "$.regression_metrics.mse: is missing"),
        (
            f'{HEAD},{REGRESSION}\ncandidate,a,regression,3,1,1,1,"0,9"\n',
            "row 1: column 'r2' holds '0,9'; it takes a finite number",
        ),
        (f"{HEAD},mae\nbaseline,b,,3,\ncandidate,a,regression,3,nan\n", "row 2: column 'mae' holds 'nan'"),
        (
            f"{HEAD},{REGRESSION}\ncandidate,a,regression,3,1,1,1,\n",
            "$.regression_metrics.r2: is missing",
        ),
        (f"{HEAD}\ncandidate,a,text_generation,3\n", "$.text_generation_metrics: must be an object of met"),
    ],
)
def test_a_file_without_the_schemas_columns_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        model_quality.from_csv(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert expected in str(raised.value)


BINARY = ("binary_classification_metrics",)
BROKEN: list[tuple[tuple[str, ...], Any, str]] = [
    ((*BINARY, "recall", "value"), float("nan"), "$.binary_classification_metrics.recall.value"),
    ((*BINARY, "auc", "value"), float("inf"), "$.binary_classification_metrics.auc.value"),
    ((*BINARY, "recall", "value"), 1.2, "is not between 0 and 1"),
    ((*BINARY, "recall", "value"), "1", "'1' is not a finite number"),
    ((*BINARY, "recall", "standard_deviation"), -0.1, "is negative"),
    ((*BINARY, "recall", "standard_deviation"), float("nan"), "recall.standard_deviation: nan"),
    ((*BINARY, "recall"), None, "$.binary_classification_metrics.recall: is missing"),
    ((*BINARY, "confusion_matrix"), None, "$.binary_classification_metrics.confusion_matrix: is missing"),
    (
        (*BINARY, "threshold"),
        0.5,
        "$.binary_classification_metrics.threshold: must be an object with 'value'",
    ),
    ((*BINARY, "threshold"), {"values": 1}, "threshold: must be an object with 'value'"),
    ((*BINARY, "confusion_matrix", "0", "1"), -1, "confusion_matrix.0.1: -1 is not a count"),
    ((*BINARY, "confusion_matrix", "1"), {"0": 1}, "must have the same labels"),
    ((*BINARY, "confusion_matrix"), {"1": {"1": 4}}, "has 1 labels; a binary classification has 2"),
    (
        (*BINARY, "confusion_matrix"),
        {"1": {"1": 4, "1.0": 0}, "1.0": {"1": 0, "1.0": 0}},
        "'1' and '1.0' are two spellings of one label",
    ),
    (
        ("multiclass_classification_metrics", "confusion_matrix"),
        {"": {"": 4}},
        "'' is no label: it is empty",
    ),
    ((*BINARY, "precision_recall_curve", "recalls"), [0.5], "differ in length"),
    ((*BINARY, "precision_recall_curve"), {}, "must be an object with the lists precisions and recalls"),
    (("multiclass_classification_metrics", "weighted_f1"), None, "weighted_f1: is missing"),
    (("dataset", "item_count"), -1, "$.dataset.item_count"),
    (("dataset",), 3, "$.dataset.item_count"),
    (("version",), "1", "$.version: '1' is not a finite number"),
    (("ranking_metrics",), {}, "$.ranking_metrics: unknown key"),
    (BINARY, [], "$.binary_classification_metrics: must be an object"),
]


@pytest.mark.parametrize(("place", "value", "text"), BROKEN)
def test_a_broken_document_is_refused_by_its_path(
    place: tuple[str, ...], value: Any, text: str, tmp_path: Path
) -> None:
    content = copy.deepcopy(good_document(tmp_path))
    model_quality.validate(content)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    with pytest.raises(ValueError, match=r"^\$") as raised:
        model_quality.write({"": content}, tmp_path)
    assert text in str(raised.value)
    assert not (tmp_path / "model_quality.json").exists()


def test_a_document_without_a_section_is_refused() -> None:
    for content in ({"version": 0.0}, [], None):
        with pytest.raises(ValueError, match="at least one of"):
            model_quality.validate(content)
