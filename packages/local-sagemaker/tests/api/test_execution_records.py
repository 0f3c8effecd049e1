"""What is kept of executions: what they tell, tokens, crashes and restarts."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pipelines_to_run import Runner, definition, get, shell, step, until

from local_sagemaker.api.operations import create_app
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Store
from local_sagemaker.daemon import stack
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.testing import make_settings


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
