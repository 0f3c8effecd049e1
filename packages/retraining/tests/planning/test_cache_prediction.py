"""Predictions on definitions and executions made by hand: what local runs of three jobs do not show."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining.compile.compiled import Run, read
from retraining.compile.differences import Difference, differences, words
from retraining.errors import UserError
from retraining.planning.cache_prediction import Prediction, predict
from retraining.planning.history import Past, PastStep

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ARN = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/p/execution/"
CACHE = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
ID = {"Get": "Execution.PipelineExecutionId"}
PREPARE = {
    "Name": "Prepare",
    "Type": "Processing",
    "Arguments": {
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "train",
                    "S3Output": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://b", ID]}}},
                },
                {"OutputName": "fixed", "S3Output": {"S3Uri": "s3://b/fixed"}},
            ]
        },
    },
    **CACHE,
}


def reading(name: str, reference: str, **members: Any) -> dict[str, Any]:
    """A processing job that reads what `reference` stands for."""
    data = {"InputName": "data", "S3Input": {"S3Uri": {"Get": reference}}}
    return {"Name": name, "Type": "Processing", "Arguments": {"ProcessingInputs": [data]}, **CACHE, **members}


def run(*steps: dict[str, Any], arn: str | None = None, **parameters: Any) -> Run:
    return Run(read(json.dumps({"Steps": steps})), parameters, arn, "p")


def past(name: str, *steps: dict[str, Any], days: int = 1, **parameters: Any) -> Past:
    made = run(*steps, arn=ARN + name, **parameters)
    return Past(made, {step["Name"]: PastStep(NOW - timedelta(days=days)) for step in steps})


def hits(predictions: dict[str, Prediction]) -> dict[str, str]:
    return {name: prediction.outcome for name, prediction in predictions.items()}


READ_TRAIN = reading("Read", "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri")
READ_FIXED = reading("Read", "Steps.Prepare.ProcessingOutputConfig.Outputs['fixed'].S3Output.S3Uri")


def test_results_of_the_same_execution_belong_together() -> None:
    other = {**PREPARE, "Arguments": {**PREPARE["Arguments"], "Environment": {"A": "1"}}}  # type: ignore[dict-item]
    history = [past("two", other, READ_TRAIN, days=1), past("one", PREPARE, READ_TRAIN, days=2)]
    predictions = predict(run(PREPARE, READ_TRAIN), history, NOW)
    assert hits(predictions) == {"Prepare": "hit", "Read": "hit"}
    assert {prediction.source and prediction.source.arn for prediction in predictions.values()} == {
        ARN + "one"
    }


def test_a_newer_result_is_taken_and_its_readers_run() -> None:
    history = [past("two", PREPARE, days=1), past("one", PREPARE, READ_TRAIN, days=2)]
    predictions = predict(run(PREPARE, READ_TRAIN), history, NOW)
    assert hits(predictions) == {"Prepare": "hit", "Read": "miss"}
    assert predictions["Read"].reasons == ("reads another result of Prepare",)


def test_a_fixed_place_is_the_same_whoever_wrote_there() -> None:
    off = {**PREPARE, "CacheConfig": {"Enabled": False}}
    predictions = predict(run(off, READ_FIXED), [past("one", off, READ_FIXED)], NOW)
    assert hits(predictions) == {"Prepare": "miss", "Read": "hit"}


def test_a_hit_counts_as_the_run_that_it_took() -> None:
    origin = past("one", PREPARE, READ_TRAIN, days=3)
    later = past("two", PREPARE, READ_TRAIN, days=3)
    later.run.origins["Prepare"] = origin.run
    predictions = predict(run(PREPARE, READ_TRAIN), [later, origin], NOW)
    assert hits(predictions) == {"Prepare": "hit", "Read": "hit"}
    assert predictions["Prepare"].source is origin.run


CALL = {
    "Name": "Call",
    "Type": "Lambda",
    "FunctionArn": "arn:f",
    "OutputParameters": [{"OutputName": "uri", "OutputType": "String"}],
    "Arguments": {"a": 1},
}


def test_what_a_function_returns_is_open() -> None:
    step = reading("Read", "Steps.Call.OutputParameters['uri']")
    predictions = predict(run(CALL, step), [past("one", CALL, step)], NOW)
    assert hits(predictions) == {"Call": "miss", "Read": "open"}
    assert predictions["Read"].reasons == ("depends on what Call gives",)
    cached = {**CALL, **CACHE}
    assert hits(predict(run(cached, step), [past("one", cached, step)], NOW)) == {
        "Call": "hit",
        "Read": "hit",
    }
    other = {**cached, "Arguments": {"a": 2}}
    assert predict(run(other), [past("one", cached)], NOW)["Call"].differences == (
        Difference("Arguments.a", 1, 2),
    )


def test_a_model_is_made_anew_each_time() -> None:
    model = {"Name": "Create", "Type": "Model", "Arguments": {"PrimaryContainer": {"Image": "i"}}}
    transform = {
        "Name": "Transform",
        "Type": "Transform",
        "Arguments": {"ModelName": {"Get": "Steps.Create.ModelName"}, "TransformInput": {"x": "y"}},
        **CACHE,
    }
    predictions = predict(run(model, transform), [past("one", model, transform)], NOW)
    assert hits(predictions) == {"Create": "never", "Transform": "miss"}
    assert predictions["Transform"].reasons == ("Create will run again",)


def test_an_executions_own_values_never_hit() -> None:
    step = reading("Read", "Execution.PipelineExecutionId")
    prediction = predict(run(step), [past("one", step)], NOW)["Read"]
    assert (prediction.outcome, prediction.reasons) == ("miss", ("PipelineExecutionId differs in every run",))


def test_the_step_of_another_type_is_another_step() -> None:
    other = {"Name": "Prepare", "Type": "Training", "Arguments": {}}
    assert predict(run(PREPARE), [past("one", other)], NOW)["Prepare"].reasons == ("never ran",)


@pytest.mark.parametrize(("days", "outcome"), [(29, "hit"), (31, "miss")])
def test_results_expire(days: int, outcome: str) -> None:
    prediction = predict(run(PREPARE), [past("one", PREPARE, days=days)], NOW)["Prepare"]
    assert prediction.outcome == outcome
    assert prediction.reasons == () or prediction.reasons[0].startswith("its cache expired on 2026-04-30")


def test_deleted_results_are_not_taken() -> None:
    prediction = predict(run(PREPARE), [past("one", PREPARE)], NOW, {(ARN + "one", "Prepare")})["Prepare"]
    assert prediction.reasons == ("its outputs were deleted",)


def test_steps_inside_conditions_and_property_files() -> None:
    test = {"JsonGet": 1}
    gate = {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {"Conditions": [test], "IfSteps": [READ_TRAIN], "ElseSteps": []},
    }
    steps = (PREPARE, gate)
    earlier = past("one", *steps)
    earlier.steps["Read"] = PastStep(NOW - timedelta(days=1))
    assert hits(predict(run(*steps), [earlier], NOW)) == {"Prepare": "hit", "Gate": "never", "Read": "hit"}


@pytest.mark.parametrize(
    ("expires", "outcome"), [("P2D", "hit"), ("2d", "hit"), ("T16m", "miss"), ("P9999Y", "hit")]
)
def test_a_result_is_reused_until_it_expires(expires: str, outcome: str) -> None:
    cache = {"Enabled": True, "ExpireAfter": expires}
    prepare = {**PREPARE, "CacheConfig": cache}
    assert hits(predict(run(prepare), [past("one", prepare)], NOW)) == {"Prepare": outcome}


def test_an_expiry_that_is_no_duration_is_one_line() -> None:
    prepare = {**PREPARE, "CacheConfig": {"Enabled": True, "ExpireAfter": "soon"}}
    with pytest.raises(
        UserError, match=r"^step Prepare: CacheConfig\.ExpireAfter must be a duration .*'soon'$"
    ):
        predict(run(prepare), [past("one", prepare)], NOW)


def test_differences_by_name() -> None:
    old = {
        "Inputs": [{"InputName": "a", "x": 1}, {"InputName": "b", "x": 2}],
        "Args": ["--n", "1", "--m", "2"],
    }
    new = {
        "Inputs": [{"InputName": "b", "x": 3}, {"InputName": "c", "x": 4}],
        "Args": ["--m", "2", "--n", "5"],
    }
    assert [str(difference) for difference in differences(old, new)] == [
        'Inputs.a: {"x": 1} is gone',
        "Inputs.b.x: 2 -> 3",
        'Inputs.c: {"x": 4} is new',
        "Args.--n: 1 -> 5",
    ]


@pytest.mark.parametrize(
    ("path", "name", "noun"),
    [
        ("ProcessingInputs", "InputName", "input"),
        ("InputDataConfig", "ChannelName", "input"),
        ("TrainingJobDefinition.InputDataConfig", "ChannelName", "input"),
        ("ProcessingOutputConfig.Outputs", "OutputName", "output"),
    ],
)
def test_an_input_more_and_one_less_are_called_by_name(path: str, name: str, noun: str) -> None:
    uri = {"S3Input": {"S3Uri": "s3://bucket/prefix/", "S3CompressionType": "None"}}
    old, new = ([{name: word, **uri}, {name: "same", **uri}] for word in ("risky", "left"))
    assert [str(difference) for difference in differences(old, new, path)] == [
        f"{noun} risky is gone",
        f"{noun} left is new",
    ]
    other = [{name: "same", "S3Input": {"S3Uri": "s3://bucket/prefix/", "S3InputMode": "File"}}]
    assert [str(difference) for difference in differences(new[1:], other, path)] == [
        f"{path}.same.S3Input.S3CompressionType: None is gone",
        f"{path}.same.S3Input.S3InputMode: File is new",
    ]


SCORE = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.r"}, "Path": "score"}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Get": "Parameters.Epochs"}, "Parameters.Epochs"),
        ({"Std:Join": {"On": "/", "Values": ["s3://b", ID]}}, "s3://b/{Execution.PipelineExecutionId}"),
        ('"20"', "20"),
        ("", "''"),
        (True, "true"),
        (
            [{"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.Epochs"}, "RightValue": 3}],
            "Parameters.Epochs > 3",
        ),
        ([{"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1, "Values": [2]}}], "not (1 in [2])"),
        (
            [{"Type": "LessThan", "LeftValue": SCORE, "RightValue": 1}] * 2,
            "score of Steps.E.PropertyFiles.r < 1 and score of Steps.E.PropertyFiles.r < 1",
        ),
    ],
)
def test_values_in_words(value: Any, expected: str) -> None:
    assert words(value) == expected
