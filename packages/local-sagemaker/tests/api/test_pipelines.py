"""Pipelines: creating, updating, versions, deleting; also through the SageMaker Python SDK."""

import json
import os
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from pipelines_to_run import ROLE, Runner, definition, processing, step, until

from local_sagemaker.core.settings import Settings

TRUE = definition(step("S", "Processing", processing("true")))
OTHER = definition(step("T", "Processing", processing("true")))


def test_versions(runner: Runner, name: str) -> None:
    client = runner.client
    arn = runner.create(
        name, TRUE, PipelineDescription="one", ParallelismConfiguration={"MaxParallelExecutionSteps": 3}
    )
    first = client.describe_pipeline(PipelineName=name)
    assert (first["PipelineDefinition"], first["PipelineDescription"]) == (TRUE, "one")
    assert client.update_pipeline(PipelineName=name, PipelineDefinition=OTHER)["PipelineVersionId"] == 2
    assert client.update_pipeline(PipelineName=name, PipelineDescription="two")["PipelineVersionId"] == 2
    latest = client.describe_pipeline(PipelineName=arn)
    assert (latest["PipelineDefinition"], latest["PipelineDescription"]) == (OTHER, "two")
    assert latest["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert client.describe_pipeline(PipelineName=name, PipelineVersionId=1)["PipelineDefinition"] == TRUE
    old = runner.start(name, PipelineVersionId=1)
    runner.wait(old)
    assert list(runner.steps(old)) == ["S"]
    client.update_pipeline_version(PipelineArn=arn, PipelineVersionId=1, PipelineVersionDisplayName="old")
    versions = client.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]
    assert [item["PipelineVersionId"] for item in versions] == [2, 1]
    assert versions[1]["PipelineVersionDisplayName"] == "old"
    assert versions[1]["LastExecutionPipelineExecutionArn"] == old
    with pytest.raises(client.exceptions.ResourceNotFound, match="no version 3; the latest is 2"):
        client.describe_pipeline(PipelineName=name, PipelineVersionId=3)


def test_a_name_is_taken_unless_the_token_is_the_same(runner: Runner, name: str) -> None:
    token = "t" * 32 + name
    arn = runner.create(name, TRUE, ClientRequestToken=token)
    assert runner.create(name, TRUE, ClientRequestToken=token) == arn
    with pytest.raises(ClientError, match="already exists") as caught:
        runner.create(name, TRUE)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_refused_definition_changes_nothing(runner: Runner, name: str) -> None:
    bad = definition(step("T", "Callback", {}))
    with pytest.raises(ClientError, match="steps of type 'Callback' are not run"):
        runner.create(name, bad)
    with pytest.raises(runner.client.exceptions.ResourceNotFound):
        runner.client.describe_pipeline(PipelineName=name)
    runner.create(name, TRUE)
    with pytest.raises(ClientError, match="Callback"):
        runner.client.update_pipeline(PipelineName=name, PipelineDefinition=bad)
    assert runner.client.describe_pipeline(PipelineName=name)["PipelineDefinition"] == TRUE


def test_a_definition_in_s3(local: Settings, runner: Runner, s3: Any, name: str) -> None:
    location = {"Bucket": local.bucket, "ObjectKey": f"{name}.json"}
    with pytest.raises(ClientError, match=f"s3://{local.bucket}/{name}.json cannot be read"):
        runner.client.create_pipeline(PipelineName=name, PipelineDefinitionS3Location=location, RoleArn=ROLE)
    s3.put_object(Bucket=local.bucket, Key=f"{name}.json", Body=TRUE.encode())
    runner.client.create_pipeline(PipelineName=name, PipelineDefinitionS3Location=location, RoleArn=ROLE)
    assert runner.client.describe_pipeline(PipelineName=name)["PipelineDefinition"] == TRUE
    with pytest.raises(ClientError, match="Either PipelineDefinition or"):
        runner.client.create_pipeline(PipelineName=f"{name}-none", RoleArn=ROLE)


def test_deleting_takes_the_executions_along(runner: Runner, name: str) -> None:
    runner.create(name, definition(step("S", "Processing", processing("sleep 600"))))
    arn = runner.start(name)
    until(lambda: runner.statuses(arn) == {"S": "Executing"})
    with pytest.raises(runner.client.exceptions.ConflictException, match="while an execution runs"):
        runner.client.delete_pipeline(PipelineName=name)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    runner.wait(arn)
    runner.client.delete_pipeline(PipelineName=name)
    with pytest.raises(runner.client.exceptions.ResourceNotFound):
        runner.client.describe_pipeline_execution(PipelineExecutionArn=arn)
    runner.create(name, TRUE)
    assert runner.client.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"N": "x"}, "Parameter 'N' is of type Integer; 'x' is not a Integer"),
        ({"N": "1", "M": "1"}, "Parameter 'M' is not declared by the pipeline; declared: N"),
        ({}, r"Parameter 'N' \(Integer\) has no default value and none was given"),
    ],
)
def test_parameters_are_checked_at_the_start(
    runner: Runner, name: str, parameters: dict[str, str], part: str
) -> None:
    declared = [{"Name": "N", "Type": "Integer"}]
    runner.create(name, definition(step("F", "Fail", {}), Parameters=declared))
    with pytest.raises(ClientError, match=part) as caught:
        runner.start(name, parameters)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert runner.client.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []


def test_executions_are_listed_newest_first(runner: Runner, name: str) -> None:
    runner.create(name, TRUE)
    arns = [runner.start(name) for _ in range(3)]
    listed = runner.client.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    assert [item["PipelineExecutionArn"] for item in listed] == arns[::-1]
    for arn in arns:
        runner.wait(arn)


@pytest.fixture
def session(local: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's PipelineSession on the local services, by nothing but environment variables."""
    for variable in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    for variable, value in {**local.environment(), "SAGEMAKER_VALIDATE_ROLE": "false"}.items():
        monkeypatch.setenv(variable, value)
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    return PipelineSession(boto_session=boto3.session.Session(), default_bucket=local.bucket)


def test_the_sdk_is_a_client(local: Settings, runner: Runner, session: Any, name: str) -> None:
    """Pipeline.upsert, start, wait and list_steps of the SDK, with a report, a condition and a cache."""
    from sagemaker.core.processing import Processor
    from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
    from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join, JsonGet
    from sagemaker.core.workflow.parameters import ParameterFloat
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep

    limit = ParameterFloat("Limit", 0.5)
    output = ProcessingOutput(
        output_name="report",
        s3_output=ProcessingS3Output(
            s3_uri=f"s3://{local.bucket}/{name}",
            local_path="/opt/ml/processing/report",
            s3_upload_mode="EndOfJob",
        ),
    )
    script = (
        """mkdir -p /opt/ml/processing/report; echo '{"a": {"b": 0.75}}' > /opt/ml/processing/report/r.json"""
    )
    processor = Processor(
        role=ROLE,
        image_uri="image",
        instance_count=1,
        instance_type="ml.m5.large",
        entrypoint=["/bin/sh", "-c", script],
        sagemaker_session=session,
    )
    report = PropertyFile(name="Report", output_name="report", path="r.json")
    evaluate = ProcessingStep(
        name="Evaluate",
        step_args=processor.run(outputs=[output]),
        property_files=[report],
        cache_config=CacheConfig(enable_caching=True, expire_after="P1D"),
    )
    score = JsonGet(step_name="Evaluate", property_file=report, json_path="a.b")
    no = FailStep("No", error_message=Join(on=" ", values=["below", limit, ExecutionVariables.PIPELINE_NAME]))
    gate = ConditionStep(
        "Gate", conditions=[ConditionGreaterThanOrEqualTo(score, limit)], if_steps=[], else_steps=[no]
    )
    pipeline = Pipeline(name=name, parameters=[limit], steps=[evaluate, gate], sagemaker_session=session)
    pipeline.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "a"}])
    first = pipeline.start()
    first.wait(delay=1)
    assert {item["StepName"]: item["StepStatus"] for item in first.list_steps()} == {
        "Evaluate": "Succeeded",
        "Gate": "Succeeded",
    }
    pipeline.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "b"}])
    assert pipeline.latest_pipeline_version_id == 2
    second = pipeline.start(parameters={"Limit": 0.8})
    described = runner.wait(second.arn)
    assert f"No: below 0.8 {name}" in described["FailureReason"]
    evaluated = runner.steps(second.arn)["Evaluate"]
    assert evaluated["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}
    assert pipeline.build_parameters_from_execution(second.arn) == {"Limit": "0.8"}
    assert json.loads(pipeline.describe()["PipelineDefinition"])["Version"] == "2020-12-01"
    pipeline.delete()
