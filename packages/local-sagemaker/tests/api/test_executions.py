"""Executions of pipelines of tiny real jobs."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from pipelines_to_run import (
    OUT,
    SCORE,
    THRESHOLD,
    Runner,
    compare,
    definition,
    gate,
    get,
    processing,
    report,
    shell,
    step,
    training,
)

from local_sagemaker.core.settings import Settings


def test_processing_feeds_training(local: Settings, runner: Runner, s3: Any, name: str) -> None:
    prepare = step(
        "Prepare",
        "Processing",
        processing(
            f"mkdir -p {OUT}/train && echo 42 > {OUT}/train/a.txt", {"train": f"s3://{local.bucket}/{name}/p"}
        ),
    )
    channel = {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": get("Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"),
            }
        },
    }
    train = step(
        "Train",
        "Training",
        training(
            "cp /opt/ml/input/data/train/a.txt /opt/ml/model/",
            f"s3://{local.bucket}/{name}/t",
            InputDataConfig=[channel],
            HyperParameters={"epochs": get("Parameters.Epochs")},
            Environment={
                "RUN": {"Std:Join": {"On": "/", "Values": ["run", get("Execution.PipelineExecutionId")]}}
            },
        ),
    )
    model = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    end = step("End", "Fail", {"ErrorMessage": model})
    declared = [{"Name": "Epochs", "Type": "String", "DefaultValue": "2"}]
    done = runner.run(name, definition(prepare, train, end, Parameters=declared), {"Epochs": "5"})
    steps = runner.steps(done["PipelineExecutionArn"])
    assert list(steps) == ["Prepare", "Train", "End"]
    job = steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    execution = done["PipelineExecutionArn"].rpartition("/")[2]
    assert job.startswith(f"pipelines-{execution}-Train-")
    described = runner.client.describe_training_job(TrainingJobName=job)
    assert described["HyperParameters"] == {"epochs": "5"}
    assert described["Environment"]["RUN"] == f"run/{execution}"
    artifact = described["ModelArtifacts"]["S3ModelArtifacts"]
    assert steps["End"]["Metadata"]["Fail"]["ErrorMessage"] == artifact
    bucket, _, key = artifact.removeprefix("s3://").partition("/")
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    tags = runner.client.list_tags(ResourceArn=described["TrainingJobArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "sagemaker:pipeline-execution-arn": done["PipelineExecutionArn"],
        "sagemaker:pipeline-name": name,
        "sagemaker:pipeline-step-name": "Train",
    }


def test_a_condition_opens_one_branch(local: Settings, runner: Runner, name: str) -> None:
    text = definition(report(local.bucket, name, 0.75), gate(get("Parameters.Limit")), Parameters=THRESHOLD)
    good = runner.run(name, text)
    assert good["PipelineExecutionStatus"] == "Succeeded"
    steps = runner.steps(good["PipelineExecutionArn"])
    assert list(steps) == ["Evaluate", "Gate", "Good"]
    assert steps["Gate"]["Metadata"]["Condition"]["Outcome"] == "True"

    bad = runner.wait(runner.start(name, {"Limit": "0.8"}))
    assert bad["PipelineExecutionStatus"] == "Failed"
    assert "TooBad: score 0.75 below 0.8" in bad["FailureReason"]
    assert runner.statuses(bad["PipelineExecutionArn"]) == {
        "Evaluate": "Succeeded",
        "Gate": "Succeeded",
        "TooBad": "Failed",
    }


def test_a_failed_step_keeps_back_only_what_depends_on_it(runner: Runner, name: str) -> None:
    text = definition(
        shell("Bad", "echo the disk is full; exit 3"),
        shell("Other"),
        shell("AfterBad", DependsOn=["Bad"]),
        shell("AfterOther", DependsOn=["Other"]),
    )
    done = runner.run(name, text)
    assert done["PipelineExecutionStatus"] == "Failed"
    steps = runner.steps(done["PipelineExecutionArn"])
    assert {name: item["StepStatus"] for name, item in steps.items()} == {
        "Bad": "Failed",
        "Other": "Succeeded",
        "AfterOther": "Succeeded",
    }
    reason = steps["Bad"]["FailureReason"]
    assert "the disk is full" in reason
    assert "Step failure: One or multiple steps failed." in done["FailureReason"]
    assert f"Bad: {reason}" in done["FailureReason"]


def test_a_step_can_wait_for_a_failure(runner: Runner, name: str) -> None:
    text = definition(
        shell("Bad", "exit 1"),
        shell("Notify", DependsOn=[{"Step": "Bad", "Trigger": "Failed"}]),
        shell("Never", DependsOn=[{"Step": "Notify", "Trigger": "Failed"}]),
    )
    done = runner.run(name, text)
    assert done["PipelineExecutionStatus"] == "CompletedWithFailures"
    assert runner.statuses(done["PipelineExecutionArn"]) == {"Bad": "Failed", "Notify": "Succeeded"}


def test_independent_steps_run_at_the_same_time(local: Settings, runner: Runner, name: str) -> None:
    """Two jobs that each wait for a file which the other uploads can only end together."""
    meet = local.root / f"{name}-meet"
    meet.mkdir()
    script = f"touch {meet}/$ME; until [ -e {meet}/$OTHER ]; do sleep 0.05; done"
    try:
        steps = [
            step(me, "Processing", processing(script, Environment={"ME": me, "OTHER": other}))
            for me, other in (("A", "B"), ("B", "A"))
        ]
        assert runner.run(name, definition(*steps))["PipelineExecutionStatus"] == "Succeeded"
    finally:
        shutil.rmtree(meet)


def test_parallelism_can_be_limited(runner: Runner, name: str) -> None:
    runner.create(name, definition(*[shell(f"S{index}") for index in range(4)]))
    done = runner.wait(runner.start(name, ParallelismConfiguration={"MaxParallelExecutionSteps": 1}))
    assert done["PipelineExecutionStatus"] == "Succeeded"
    assert done["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    steps = sorted(runner.steps(done["PipelineExecutionArn"]).values(), key=lambda item: item["StartTime"])
    assert len(steps) == 4
    for before, after in pairwise(steps):
        assert before["EndTime"] <= after["StartTime"]


def test_a_lambda_gets_its_inputs_and_gives_its_outputs(
    runner: Runner, make_function: Callable[[str, str], str], name: str
) -> None:
    function = make_function(
        name,
        "def handler(event, context):\n"
        "    return {'sum': event['a'] + event['b'], 'text': {'k': event['run']}}\n",
    )
    call = step(
        "Call",
        "Lambda",
        {"a": get("Parameters.A"), "b": 2, "run": get("Execution.PipelineExecutionId")},
        FunctionArn=function,
        OutputParameters=[
            {"OutputName": "sum", "OutputType": "Integer"},
            {"OutputName": "text", "OutputType": "String"},
        ],
    )
    check = step(
        "Check",
        "Condition",
        {
            "Conditions": [compare("Equals", get("Steps.Call.OutputParameters['sum']"), 5)],
            "IfSteps": [],
            "ElseSteps": [],
        },
    )
    declared = [{"Name": "A", "Type": "Integer"}]
    done = runner.run(name, definition(call, check, Parameters=declared), {"A": "3"})
    steps = runner.steps(done["PipelineExecutionArn"])
    execution = done["PipelineExecutionArn"].rpartition("/")[2]
    assert steps["Call"]["Metadata"]["Lambda"] == {
        "Arn": function,
        "OutputParameters": [
            {"Name": "sum", "Value": "5"},
            {"Name": "text", "Value": json.dumps({"k": execution})},
        ],
    }
    assert steps["Check"]["Metadata"]["Condition"]["Outcome"] == "True"


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("def handler(event, context):\n    raise ValueError('no model')\n", "no model"),
        ("def handler(event, context):\n    return {'other': 1}\n", "no output 'sum'; it returned: other"),
        ("def handler(event, context):\n    return {'sum': '1'}\n", "declared Integer; it returned '1'"),
        ("def handler(event, context):\n    return 3\n", "must return an object with sum"),
    ],
)
def test_a_lambda_that_fails_the_step(
    runner: Runner, make_function: Callable[[str, str], str], name: str, source: str, part: str
) -> None:
    outputs = [{"OutputName": "sum", "OutputType": "Integer"}]
    call = step("Call", "Lambda", {}, FunctionArn=make_function(name, source), OutputParameters=outputs)
    done = runner.run(name, definition(call))
    assert done["PipelineExecutionStatus"] == "Failed"
    assert part in runner.steps(done["PipelineExecutionArn"])["Call"]["FailureReason"]


def test_a_lambda_that_does_not_exist(local: Settings, runner: Runner, name: str) -> None:
    function = f"arn:aws:lambda:{local.region}:{local.account}:function:{name}"
    done = runner.run(name, definition(step("Call", "Lambda", {}, FunctionArn=function)))
    assert (
        f"{function} cannot be invoked" in runner.steps(done["PipelineExecutionArn"])["Call"]["FailureReason"]
    )


def test_registering_a_model(runner: Runner, name: str) -> None:
    request = {
        "ModelPackageGroupName": name,
        "ModelApprovalStatus": "Approved",
        "CustomerMetadataProperties": {"run": get("Execution.PipelineExecutionId")},
        "InferenceSpecification": {
            "Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    register = step("Register", "RegisterModel", request)
    end = step("End", "Fail", {"ErrorMessage": get("Steps.Register.ModelPackageArn")})
    done = runner.run(name, definition(register, end))
    steps = runner.steps(done["PipelineExecutionArn"])
    arn = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert steps["End"]["Metadata"]["Fail"]["ErrorMessage"] == arn
    package = runner.client.describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"] == {"run": done["PipelineExecutionArn"].rpartition("/")[2]}
    assert package["ModelPackageVersion"] == 1


@pytest.mark.parametrize(
    ("last", "part"),
    [
        (
            step(
                "End",
                "Fail",
                {"ErrorMessage": {"Std:JsonGet": {**SCORE["Std:JsonGet"], "Path": "metrics.mae"}}},
            ),
            "property file 'Report' of step 'Evaluate' has no 'mae'; it has: score",
        ),
        (
            step(
                "End",
                "Condition",
                {"Conditions": [compare("GreaterThan", SCORE, "0.5")], "IfSteps": [], "ElseSteps": []},
            ),
            "cannot compare 0.75, a Number, with '0.5', a String",
        ),
        (
            step("End", "Processing", processing("true", Environment={"SCORE": SCORE})),
            "Value '0.75' at 'environment.SCORE' failed to satisfy constraint: Member must be of type String",
        ),
        (
            step(
                "End",
                "Fail",
                {
                    "ErrorMessage": {
                        "Std:JsonGet": {
                            "S3Uri": {
                                "Std:Join": {"On": "/", "Values": ["s3:/", "local-bucket", "nothing.json"]}
                            },
                            "Path": "a",
                        }
                    }
                },
            ),
            "s3://local-bucket/nothing.json cannot be read",
        ),
    ],
)
def test_a_value_that_is_not_there_fails_the_step(
    local: Settings, runner: Runner, name: str, last: dict[str, Any], part: str
) -> None:
    done = runner.run(name, definition(report(local.bucket, name, 0.75), last))
    step_ = runner.steps(done["PipelineExecutionArn"])["End"]
    assert step_["StepStatus"] == "Failed"
    assert part in step_["FailureReason"]


def test_a_property_file_that_the_job_did_not_write(local: Settings, runner: Runner, name: str) -> None:
    evaluate = report(local.bucket, name, 1.0)
    evaluate["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["/bin/true"]
    done = runner.run(name, definition(evaluate, gate(0.5)))
    uri = f"s3://{local.bucket}/{name}/report/report.json"
    assert f"property file 'Report' of step 'Evaluate': {uri} cannot be read" in done["FailureReason"]


@pytest.mark.parametrize("number", ["Infinity", "-1e999"])
def test_a_number_that_json_does_not_know_fails_the_gate(
    local: Settings, runner: Runner, name: str, number: str
) -> None:
    """It is larger than any limit, or less than any."""
    evaluate = report(local.bucket, name, 1.0)
    command = evaluate["Arguments"]["AppSpecification"]["ContainerEntrypoint"]
    command[-1] = command[-1].replace("1.0", number)
    done = runner.run(name, definition(evaluate, gate(0.5)))
    assert runner.statuses(done["PipelineExecutionArn"]) == {"Evaluate": "Succeeded", "Gate": "Failed"}
    uri = f"s3://{local.bucket}/{name}/report/report.json"
    words = f"property file 'Report' of step 'Evaluate': {uri} is not JSON: metrics.score: {number} is not a"
    assert words in done["FailureReason"]


def test_what_is_refused_by_the_job_fails_the_step(runner: Runner, name: str) -> None:
    arguments = processing("true")
    arguments["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    arguments["NetworkConfig"] = {"EnableNetworkIsolation": True}
    done = runner.run(name, definition(step("Two", "Processing", arguments)))
    assert "InstanceCount" in done["FailureReason"]
