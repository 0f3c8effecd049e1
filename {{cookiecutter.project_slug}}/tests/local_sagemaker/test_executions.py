"""Executions of pipelines of tiny real jobs."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker import stack
from local_sagemaker.api import create_app
from local_sagemaker.jobs import Jobs
from local_sagemaker.layout import Settings
from local_sagemaker.store import Store
from tests.local_sagemaker.conftest import make_settings
from tests.local_sagemaker.pipelines_to_run import Runner, definition, processing, step, training, until

OUT = "/opt/ml/processing/output"


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def shell(name: str, script: str = "true", **members: Any) -> dict[str, Any]:
    return step(name, "Processing", processing(script), **members)


def report(bucket: str, name: str, value: float) -> dict[str, Any]:
    """A step whose property file Report holds {"metrics": {"score": value}}."""
    content = json.dumps({"metrics": {"score": value}})
    script = f"mkdir -p {OUT}/report && echo '{content}' > {OUT}/report/report.json"
    files = [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"}]
    uri = f"s3://{bucket}/{name}/report"
    return step("Evaluate", "Processing", processing(script, {"report": uri}), PropertyFiles=files)


SCORE = {
    "Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.Report"), "Path": "metrics.score"},
}


def gate(limit: Any) -> dict[str, Any]:
    fail = step(
        "TooBad",
        "Fail",
        {"ErrorMessage": {"Std:Join": {"On": " ", "Values": ["score", SCORE, "below", limit]}}},
    )
    condition = compare("GreaterThanOrEqualTo", SCORE, limit)
    arguments = {"Conditions": [condition], "IfSteps": [shell("Good")], "ElseSteps": [fail]}
    return step("Gate", "Condition", arguments)


LIMIT = [{"Name": "Limit", "Type": "Float", "DefaultValue": 0.5}]


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
    text = definition(report(local.bucket, name, 0.75), gate(get("Parameters.Limit")), Parameters=LIMIT)
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


def test_what_is_refused_by_the_job_fails_the_step(runner: Runner, name: str) -> None:
    arguments = processing("true")
    arguments["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    done = runner.run(name, definition(step("Two", "Processing", arguments)))
    assert "InstanceCount" in done["FailureReason"]


def test_stopping(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    text = definition(shell("Long", f"touch {flag}; sleep 600"), shell("Next", DependsOn=["Long"]))
    runner.create(name, text)
    arn = runner.start(name)
    until(flag.exists)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    done = runner.wait(arn)
    flag.unlink()
    assert done["PipelineExecutionStatus"] == "Stopped"
    assert runner.statuses(arn) == {"Long": "Stopped"}
    with pytest.raises(ClientError, match="it cannot be stopped"):
        runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)


@pytest.mark.parametrize("pause", [0.0, 0.03, 0.1, 0.2, 0.3])
def test_stopping_at_any_moment_of_the_start(runner: Runner, name: str, pause: float) -> None:
    runner.create(name, definition(shell("Long", "sleep 600"), shell("Next", DependsOn=["Long"])))
    arn = runner.start(name)
    time.sleep(pause)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Stopped"
    assert set(runner.statuses(arn).items()) <= {("Long", "Stopped")}


def test_a_fail_step_stops_what_only_starts_beside_it(runner: Runner, name: str) -> None:
    done = runner.run(name, definition(shell("Long", "sleep 600"), step("No", "Fail", {})))
    assert done["PipelineExecutionStatus"] == "Failed"
    assert runner.statuses(done["PipelineExecutionArn"]).get("Long") in ("Stopped", None)


def test_a_fail_step_stops_what_runs_beside_it(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    text = definition(
        shell("Long", f"touch {flag}; sleep 600"),
        shell("Short", f"until [ -e {flag} ]; do sleep 0.05; done"),
        step("No", "Fail", {}, DependsOn=["Short"]),
    )
    done = runner.run(name, text)
    flag.unlink()
    assert done["PipelineExecutionStatus"] == "Failed"
    statuses = runner.statuses(done["PipelineExecutionArn"])
    assert statuses == {"Long": "Stopped", "Short": "Succeeded", "No": "Failed"}


def test_retrying_an_execution_runs_what_failed(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    runner.create(
        name,
        definition(
            shell("First"),
            shell("Second", f"test -e {flag}", DependsOn=["First"]),
            shell("Third", DependsOn=["Second"]),
        ),
    )
    arn = runner.start(name)
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Failed"
    first = runner.steps(arn)["First"]
    flag.touch()
    runner.client.retry_pipeline_execution(PipelineExecutionArn=arn)
    done = runner.wait(arn)
    flag.unlink()
    assert done["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in done
    assert runner.statuses(arn) == {"First": "Succeeded", "Second": "Succeeded", "Third": "Succeeded"}
    assert runner.steps(arn)["First"] == first
    with pytest.raises(ClientError, match="only Failed and Stopped ones"):
        runner.client.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_retry_policies(local: Settings, runner: Runner, name: str) -> None:
    """A job folder that cannot be made is an internal error, which the policy retries."""
    policy = {
        "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"],
        "MaxAttempts": 20,
        "IntervalSeconds": 1,
        "BackoffRate": 1.0,
    }
    runner.create(name, definition(shell("Shaky", RetryPolicies=[policy])))
    away = local.jobs.with_name("jobs-away")
    local.jobs.rename(away)
    local.jobs.symlink_to(local.root / "nowhere")
    try:
        arn = runner.start(name)
        until(lambda: runner.steps(arn).get("Shaky", {}).get("AttemptCount", 0) >= 2)
    finally:
        local.jobs.unlink()
        away.rename(local.jobs)
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert runner.steps(arn)["Shaky"]["AttemptCount"] >= 2


def test_selected_steps_take_the_rest_from_an_earlier_execution(
    local: Settings, runner: Runner, name: str
) -> None:
    end = step("End", "Fail", {"ErrorMessage": SCORE})
    runner.create(name, definition(report(local.bucket, name, 0.75), shell("Aside"), end))
    source = runner.start(name)
    runner.wait(source)
    config = {"SourcePipelineExecutionArn": source, "SelectedSteps": [{"StepName": "End"}]}
    done = runner.wait(runner.start(name, SelectiveExecutionConfig=config))
    steps = runner.steps(done["PipelineExecutionArn"])
    assert list(steps) == ["Evaluate", "End"]
    assert steps["Evaluate"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert steps["End"]["Metadata"]["Fail"]["ErrorMessage"] == "0.75"
    for wrong, part in (
        ({"SelectedSteps": [{"StepName": "Nope"}]}, "there is no step 'Nope'"),
        ({"SelectedSteps": [{"StepName": "End"}]}, "needs a SourcePipelineExecutionArn"),
    ):
        with pytest.raises(ClientError, match=part):
            runner.start(name, SelectiveExecutionConfig=wrong)


def test_what_an_execution_tells(runner: Runner, name: str) -> None:
    declared = [
        {"Name": "N", "Type": "Integer", "DefaultValue": 1},
        {"Name": "B", "Type": "Boolean", "DefaultValue": True},
    ]
    config = {
        "ExperimentName": get("Execution.PipelineName"),
        "TrialName": get("Execution.PipelineExecutionId"),
    }
    text = definition(shell("S"), Parameters=declared, PipelineExperimentConfig=config)
    runner.create(name, text)
    arn = runner.start(
        name,
        {"N": "7"},
        PipelineExecutionDisplayName="shown",
        PipelineExecutionDescription="why",
        ClientRequestToken="t" * 32 + name,
    )
    again = runner.start(name, {"N": "8"}, ClientRequestToken="t" * 32 + name)
    assert again == arn
    done = runner.wait(arn)
    assert done["PipelineExperimentConfig"] == {"ExperimentName": name, "TrialName": arn.rpartition("/")[2]}
    assert (done["PipelineExecutionDisplayName"], done["PipelineExecutionDescription"]) == ("shown", "why")
    assert done["PipelineVersionId"] == 1
    listed = runner.client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn, MaxResults=1)
    rest = runner.client.list_pipeline_parameters_for_execution(
        PipelineExecutionArn=arn, NextToken=listed["NextToken"]
    )
    assert listed["PipelineParameters"] + rest["PipelineParameters"] == [
        {"Name": "N", "Value": "7"},
        {"Name": "B", "Value": "true"},
    ]
    used = runner.client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert used["PipelineDefinition"] == text
    runner.client.update_pipeline_execution(PipelineExecutionArn=arn, PipelineExecutionDescription="because")
    (summary,) = runner.client.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    assert summary["PipelineExecutionArn"] == arn
    assert summary["PipelineExecutionDescription"] == "because"
    for missing in (arn[:-1] + "!", arn.replace(name, name + "x")):
        with pytest.raises(runner.client.exceptions.ResourceNotFound):
            runner.client.describe_pipeline_execution(PipelineExecutionArn=missing)


def test_a_token_belongs_to_its_pipeline(runner: Runner, name: str) -> None:
    token = "t" * 20 + name
    text = definition(step("No", "Fail", {}))
    runner.create(name, text)
    first = runner.start(name, ClientRequestToken=token)
    other = f"{name}-other"
    runner.create(other, text)
    assert runner.start(other, ClientRequestToken=token) != first
    runner.wait(first)
    runner.client.delete_pipeline(PipelineName=name)
    runner.create(name, text)
    assert runner.start(name, ClientRequestToken=token) != first


def test_many_starts_at_once(runner: Runner, name: str) -> None:
    """Each with a registration of its own; the pipeline is updated while they run."""
    register = step("Reg", "RegisterModel", {"ModelPackageGroupName": name}, DependsOn=["S"])
    register["Arguments"]["InferenceSpecification"] = {
        "Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}]
    }
    runner.create(name, definition(shell("S"), register))
    with ThreadPoolExecutor(20) as pool:
        arns = list(pool.map(lambda _: runner.start(name), range(20)))
    update = definition(step("No", "Fail", {}))
    runner.client.update_pipeline(PipelineName=name, PipelineDefinition=update)
    assert {runner.wait(arn)["PipelineExecutionStatus"] for arn in arns} == {"Succeeded"}
    listed = runner.client.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]
    assert sorted(package["ModelPackageVersion"] for package in listed) == list(range(1, 21))


def test_a_registration_is_not_repeated_after_a_crash(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """The server is killed; the record of the step says that it had not ended, as after a crash in it."""
    settings = make_settings(tmp_path_factory.mktemp("killed") / ".local")
    stack.up(settings)
    try:
        runner = Runner(settings.client("sagemaker"))
        arguments = {
            "ModelPackageGroupName": name,
            "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": "s3://b/m"}]},
        }
        long = shell("Long", "sleep 600", DependsOn=["Reg"])
        runner.create(name, definition(step("Reg", "RegisterModel", arguments), long))
        arn = runner.start(name)
        until(lambda: runner.statuses(arn).get("Long") == "Executing")
        for service in stack.status(settings)["services"]:
            os.kill(service["pid"], signal.SIGKILL)
        until(lambda: not any(service["pid"] for service in stack.status(settings)["services"]))
        store = Store(settings.database)
        store.update("step", f"{arn}/Reg", lambda body: body.update(StepStatus="Executing", Metadata={}))
        store.close()
        stack.up(settings)
        assert runner.wait(arn)["PipelineExecutionStatus"] == "Failed"
        assert runner.statuses(arn) == {"Reg": "Failed", "Long": "Failed"}
        runner.client.retry_pipeline_execution(PipelineExecutionArn=arn)
        until(lambda: runner.statuses(arn).get("Long") == "Executing")
        listed = runner.client.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]
        assert [package["ModelPackageVersion"] for package in listed] == [1]
        runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
        assert runner.wait(arn)["PipelineExecutionStatus"] == "Stopped"
    finally:
        stack.down(settings)


def test_tokens_are_forgotten_after_a_day(
    local: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "sagemaker.db")
    now = time.time()
    for token, age in (("old", 86_500.0), ("young", 86_300.0)):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda age=age: now - age)
            store.create("token", token, {"Arn": "arn"})
    create_app(local, store, Jobs(local, store))
    assert store.get("token", "old") is None
    assert store.get("token", "young") == {"Arn": "arn"}
    store.close()


def test_executions_that_a_server_left_behind_have_failed(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    settings = make_settings(tmp_path_factory.mktemp("restart") / ".local")
    stack.up(settings)
    try:
        runner = Runner(settings.client("sagemaker"))
        runner.create(name, definition(shell("Quick"), shell("Long", "sleep 600", DependsOn=["Quick"])))
        arn = runner.start(name)
        until(lambda: runner.statuses(arn).get("Long") == "Executing")
        stack.down(settings)
        stack.up(settings)
        left = runner.wait(arn)
        assert left["PipelineExecutionStatus"] == "Failed"
        assert "start it again: finished steps are cache hits" in left["FailureReason"]
        assert runner.statuses(arn) == {"Quick": "Succeeded", "Long": "Failed"}
        runner.client.delete_pipeline(PipelineName=name)
    finally:
        stack.down(settings)
