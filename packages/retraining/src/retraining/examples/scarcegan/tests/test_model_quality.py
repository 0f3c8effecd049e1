import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from evaluation import model_quality
from evaluation.model_quality import (
    binary_classification_metrics,
    document,
    multiclass_classification_metrics,
)

binary_rows = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(-5, 5)),
    min_size=1,
    max_size=300,
)


@settings(max_examples=150)
@given(binary_rows)
def test_any_binary_input_gives_a_valid_document(rows: list[tuple[bool, bool, float]]) -> None:
    actual, predicted, scores = (np.array(column) for column in zip(*rows, strict=True))
    section = binary_classification_metrics(actual, predicted, scores)
    content = document(len(rows), binary_classification_metrics=section)
    model_quality.validate(content)
    json.dumps(content, allow_nan=False)
    both = actual.any() and not actual.all()
    assert ("auc" in section) == ("receiver_operating_characteristic_curve" in section) == both
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
    few = len(rows) < model_quality.LEAST_ROWS
    assert (section["recall"]["standard_deviation"] == "NaN") == few


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=250),
    st.sampled_from([4, 6]),
)
def test_any_multiclass_input_gives_a_valid_document(rows: list[tuple[int, int]], classes: int) -> None:
    actual, predicted = (np.array(column) for column in zip(*rows, strict=True))
    labels = [f"group {number}" for number in range(classes)]
    section = multiclass_classification_metrics(actual, predicted, labels)
    model_quality.validate(document(len(rows), multiclass_classification_metrics=section))
    for name in ("recall", "precision"):
        expected = getattr(reference, f"{name}_score")(actual, predicted, average="weighted", zero_division=0)
        assert section[f"weighted_{name}"]["value"] == pytest.approx(expected)
    expected = reference.fbeta_score(actual, predicted, beta=2, average="weighted", zero_division=0)
    assert section["weighted_f2"]["value"] == pytest.approx(expected)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=250))
def test_any_regression_input_gives_a_valid_document(rows: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(column) for column in zip(*rows, strict=True))
    section = model_quality.regression_metrics(actual, predicted)
    model_quality.validate(document(len(rows), regression_metrics=section))
    assert section["mae"]["value"] == pytest.approx(reference.mean_absolute_error(actual, predicted))
    assert section["rmse"]["value"] == pytest.approx(section["mse"]["value"] ** 0.5)


def test_the_example_of_the_developer_guide() -> None:
    """Four rows: three negatives of which two are flagged, and one positive that is."""
    actual, predicted = np.array([0, 0, 0, 1]) == 1, np.array([0, 1, 1, 1]) == 1
    section = binary_classification_metrics(actual, predicted, np.array([0.1, 0.6, 0.7, 0.9]))
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


def good() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    actual = rng.random(400) < 0.2
    scores = np.where(actual, 0.6, 0.3) + rng.normal(0, 0.2, 400)
    codes = rng.integers(0, 3, 400)
    return document(
        400,
        binary_classification_metrics=binary_classification_metrics(actual, scores > 0.5, scores),
        multiclass_classification_metrics=multiclass_classification_metrics(codes, codes, ["a", "b", "c"]),
    )


BINARY = ("binary_classification_metrics",)
BROKEN: list[tuple[tuple[str, ...], Any, str]] = [
    ((*BINARY, "recall", "value"), float("nan"), "$.binary_classification_metrics.recall.value"),
    ((*BINARY, "auc", "value"), float("inf"), "$.binary_classification_metrics.auc.value"),
    ((*BINARY, "recall", "value"), 1.2, "is not between 0 and 1"),
    ((*BINARY, "recall", "value"), "1", "'1' is not a finite number"),
    ((*BINARY, "recall", "standard_deviation"), -0.1, "is negative"),
    ((*BINARY, "recall", "standard_deviation"), float("nan"), "recall.standard_deviation: nan"),
    ((*BINARY, "recall"), None, "$.binary_classification_metrics.recall: is missing"),
    ((*BINARY, "recal"), {"value": 1.0}, "$.binary_classification_metrics.recal: unknown key"),
    ((*BINARY, "confusion_matrix", "0", "1"), -1, "confusion_matrix.0.1: -1 is not a count"),
    ((*BINARY, "confusion_matrix", "1"), {"0": 1}, "must have the same labels"),
    ((*BINARY, "precision_recall_curve", "recalls"), [0.5], "differ in length"),
    ((*BINARY, "precision_recall_curve"), {}, "must be an object with the lists precisions and recalls"),
    (("multiclass_classification_metrics", "weighted_f1"), None, "weighted_f1: is missing"),
    (("dataset", "item_count"), -1, "$.dataset.item_count"),
    (("ranking_metrics",), {}, "$.ranking_metrics: unknown key"),
    (BINARY, [], "$.binary_classification_metrics: must be an object"),
]


@pytest.mark.parametrize(("path", "value", "text"), BROKEN)
def test_a_broken_document_is_refused_by_its_path(
    path: tuple[str, ...], value: Any, text: str, tmp_path: Path
) -> None:
    content = copy.deepcopy(good())
    model_quality.validate(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ValueError, match=r"^\$") as raised:
        model_quality.write(content, tmp_path / "quality.json")
    assert text in str(raised.value)
    assert not (tmp_path / "quality.json").exists()


def test_a_document_without_a_section_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one of"):
        model_quality.validate({"version": 0.0})


def test_documents_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("actual,predicted,score\n1,1,0.9\n0,1,0.6\n0,0,0.2\n")
    content = model_quality.from_csv(path, "binary")
    model_quality.validate(content)
    assert content["binary_classification_metrics"]["precision"]["value"] == 0.5
    path.write_text("actual,predicted\nNA,b\nb,b\n")
    content = model_quality.from_csv(path, "multiclass")
    matrix = content["multiclass_classification_metrics"]["confusion_matrix"]
    assert matrix == {"NA": {"NA": 0, "b": 1}, "b": {"NA": 0, "b": 1}}
    with pytest.raises(ValueError, match="label 'NA' is not one of a, b"):
        model_quality.from_csv(path, "multiclass", ["a", "b"])
    path.write_text("actual,predicted\n1.5,1.0\n2.5,3.0\n")
    content = model_quality.from_csv(path, "regression")
    model_quality.validate(content)
    assert content["regression_metrics"]["mae"]["value"] == 0.5
    with pytest.raises(ValueError, match="column 'score' is missing"):
        model_quality.from_csv(path, "binary")
    with pytest.raises(ValueError, match="unknown problem 'ranking'"):
        model_quality.from_csv(path, "ranking")
    path.write_text("actual,predicted\n")
    with pytest.raises(ValueError, match="has no rows"):
        model_quality.from_csv(path, "regression")
