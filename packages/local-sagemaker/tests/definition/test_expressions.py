"""Expressions and conditions: what they come to, and how wrong ones are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.definition import conditions, expressions
from local_sagemaker.definition.expressions import ExpressionError


class Values:
    """A scope over plain dictionaries."""

    def parameter(self, name: str) -> Any:
        return {"n": 3, "rate": 0.5, "text": "abc", "flag": True}[name]

    def variable(self, name: str) -> str:
        return f"<{name}>"

    def experiment(self, name: str) -> str:
        return f"[{name}]"

    def properties(self, step: str) -> Any:
        return {
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}}]
            },
            "FinalMetricDataList": [{"MetricName": "val:loss", "Value": 0.25}],
            "OutputParameters": {"x.y": "yes"},
            "ContainerArguments": ["a", "b"],
        }

    def property_file(self, step: str, name: str) -> Any:
        return {"metrics": [{"rmse": {"value": 1.5}}], "odd key": {"a.b": 7}, "whole": {"a": 1}}

    def json_at(self, uri: str) -> Any:
        return {"uri": uri}


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def json_get(path: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.Report"), "Path": path}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (get("Parameters.n"), 3),
        (get("Parameters.flag"), True),
        (get("Execution.PipelineExecutionId"), "<PipelineExecutionId>"),
        (get("PipelineExperimentConfig.TrialName"), "[TrialName]"),
        (get("Steps.S.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"), "s3://b/train"),
        (get("Steps.S.FinalMetricDataList['val:loss'].Value"), 0.25),
        (get("Steps.S.OutputParameters['x.y']"), "yes"),
        (get("Steps.S.ContainerArguments[1]"), "b"),
        (json_get("metrics[0].rmse.value"), 1.5),
        (json_get("$.metrics[0]['rmse'].value"), 1.5),
        (json_get("['odd key']['a.b']"), 7),
        (
            {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", "b"]}}, "Path": "uri"}},
            "s3://b",
        ),
        (
            {"Std:Join": {"On": "-", "Values": ["a", get("Parameters.n"), get("Parameters.flag"), 0.5]}},
            "a-3-true-0.5",
        ),
        ({"Std:Join": {"Values": []}}, ""),
        ({"a": [get("Parameters.text"), {"b": 1}]}, {"a": ["abc", {"b": 1}]}),
    ],
)
def test_value(expression: Any, value: Any) -> None:
    assert expressions.resolve(expression, Values()) == value


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        (get("Steps.S.Nothing"), "has no 'Nothing'; it has: ProcessingOutputConfig"),
        (get("Steps.S.ProcessingOutputConfig.Outputs['test'].S3Output"), "has no 'test'; it has: train"),
        (get("Steps.S.ContainerArguments[2]"), "it has 2 items"),
        (get("Steps.S"), "no property"),
        (get("Step.S.x"), "is no reference"),
        (get("Steps.S.a[x]"), "malformed at character"),
        (get("Steps.S.a..b"), "malformed at character"),
        ({"Get": 3}, "Get needs a text"),
        (json_get("whole"), "no text, number or boolean"),
        (json_get("metrics[0].mae"), "property file 'Report' of step 'Evaluate' has no 'mae'"),
        ({"Std:JsonGet": {"Path": "a"}}, "either PropertyFile or S3Uri"),
        ({"Std:JsonGet": {"PropertyFile": get("Parameters.n"), "Path": "a"}}, "PropertyFiles.<name>"),
        ({"Std:Join": "a"}, "list of Values"),
        ({"Std:Join": {"On": 1, "Values": []}}, "text as On"),
        ({"Std:Sum": []}, "'Std:Sum' is unknown"),
    ],
)
def test_refused(expression: Any, part: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.resolve(expression, Values())
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_references_are_found_at_any_depth() -> None:
    value = {
        "a": [{"Std:Join": {"On": "", "Values": [get("Parameters.p"), json_get("x")]}}],
        "b": get("Steps.T.c[0]"),
    }
    assert [(r.root, r.name, r.path) for r in expressions.references(value)] == [
        ("Parameters", "p", ()),
        ("Steps", "Evaluate", ("PropertyFiles", "Report")),
        ("Steps", "T", ("c", 0)),
    ]


_keys = st.text(st.characters(exclude_characters="'\n\r", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.one_of(_keys, st.integers(0, 9)), min_size=1, max_size=6))
def test_any_quoted_path_reads_back(path: list[str | int]) -> None:
    text = "".join(f"[{token}]" if isinstance(token, int) else f"['{token}']" for token in path)
    assert expressions.tokens(text) == tuple(path)


@given(st.text())
def test_any_text_as_a_reference_is_read_or_refused(text: str) -> None:
    try:
        reference = expressions.parse_reference(text)
    except ExpressionError:
        return
    assert text.startswith(f"{reference.root}.")


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (compare("Equals", 1, 1.0), True),
        (compare("Equals", "a", "b"), False),
        (compare("Equals", get("Parameters.flag"), True), True),
        (compare("GreaterThan", get("Parameters.rate"), 0.5), False),
        (compare("GreaterThanOrEqualTo", get("Parameters.rate"), 0.5), True),
        (compare("LessThan", 1, get("Parameters.n")), True),
        (compare("LessThanOrEqualTo", "b", "a"), False),
        ({"Type": "In", "QueryValue": get("Parameters.text"), "Values": ["x", "abc"]}, True),
        ({"Type": "In", "QueryValue": 4, "Values": [1, 2]}, False),
        ({"Type": "Not", "Condition": compare("Equals", 1, 2)}, True),
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 2), compare("Equals", 1, 1)]}, True),
        ({"Type": "Or", "Conditions": []}, False),
    ],
)
def test_condition(condition: Any, holds: bool) -> None:
    conditions.check(condition)
    assert conditions.evaluate(condition, lambda value: expressions.resolve(value, Values())) is holds


@pytest.mark.parametrize(("left", "right"), [("0.9", 0.8), (True, 1), ("true", True), (None, 1), ([1], [1])])
def test_values_of_different_types_are_not_compared(left: Any, right: Any) -> None:
    with pytest.raises(ExpressionError):
        conditions.evaluate(compare("Equals", left, right), lambda value: value)


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {"Type": "Between"},
        {"Type": "Equals", "LeftValue": 1},
        {"Type": "Equals", "LeftValue": 1, "RightValue": 1, "Middle": 1},
        {"Type": "Or", "Conditions": [{"Type": "No"}]},
        {"Type": "Not", "Condition": {"Type": "No"}},
        {"Type": "In", "QueryValue": 1, "Values": 2},
    ],
)
def test_malformed_conditions_are_refused(condition: Any) -> None:
    with pytest.raises(ExpressionError):
        conditions.check(condition)
