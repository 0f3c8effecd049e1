"""The wire: operations by name, validation in the service's words, pages, errors."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipelines_to_run import ROLE, Runner, definition, processing, step, until

from local_sagemaker.core.settings import Settings

FAIL = definition(step("F", "Fail", {"ErrorMessage": "no"}))


def post(settings: Settings, target: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """A request as no client library would send it."""
    request = urllib.request.Request(
        settings.sagemaker_url,
        body,
        {
            "X-Amz-Target": target,
            "X-Amz-Security-Token": settings.session_token,
            "Content-Type": "application/x-amz-json-1.1",
            **headers,
        },
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, json.loads(content) if content.startswith(b"{") else {}


def test_health(local: Settings) -> None:
    with urllib.request.urlopen(f"{local.sagemaker_url}/health") as response:
        answer = json.load(response)
    assert answer["service"] == "local-sagemaker"
    assert answer["root"] == str(local.root)


def test_an_operation_that_is_not_there_is_refused_by_name(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match="does not implement ListDomains; it knows: AddTags, ") as caught:
        sagemaker.list_domains()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("target", "body", "code", "part"),
    [
        ("", b"{}", "UnknownOperationException", "X-Amz-Target"),
        ("SageMaker.Nothing", b"{}", "UnknownOperationException", "does not implement Nothing"),
        ("SageMaker.ListPipelines", b"{", "SerializationException", "not JSON"),
        (
            "SageMaker.ListPipelines",
            b"[]",
            "SerializationException",
            "Start of list found where not expected",
        ),
        ("SageMaker.ListPipelines", b'"x"', "SerializationException", "Unexpected field type"),
        ("SageMaker.ListPipelines", b"null", "SerializationException", "Unexpected field type"),
        (
            "SageMaker.ListPipelines",
            b'{"MaxResults": "3"}',
            "SerializationException",
            "STRING_VALUE can not be converted to an Integer (at 'maxResults')",
        ),
        (
            "SageMaker.ListPipelines",
            b'{"MaxResults": true}',
            "SerializationException",
            "TRUE_VALUE can not be converted to an Integer",
        ),
        (
            "SageMaker.ListPipelines",
            b'{"PipelineNamePrefix": {}}',
            "SerializationException",
            "Start of structure or map found where not expected.",
        ),
        ("SageMaker.AddTags", b'{"Tags": {}}', "SerializationException", "Start of structure or map found"),
        ("SageMaker.AddTags", b'{"Tags": [3]}', "SerializationException", "field type (at 'tags.1.member')"),
        ("SageMaker.AddTags", b"{}", "ValidationException", "2 validation errors detected: Value null at"),
        (
            "SageMaker.DescribeTrainingJob",
            b'{"TrainingJobName": "no"}',
            "ValidationException",
            "Requested res",
        ),
        (
            "SageMaker.StopTrainingJob",
            b'{"TrainingJobName": "no"}',
            "ValidationException",
            "Requested resource not found.",
        ),
        (
            "SageMaker.DescribeProcessingJob",
            b'{"ProcessingJobName": "no"}',
            "ValidationException",
            "Could not find requested job with name: no",
        ),
        (
            "SageMaker.DescribeTransformJob",
            b'{"TransformJobName": "no"}',
            "ValidationException",
            "Could not find requested job with name: no",
        ),
        (
            "SageMaker.DescribeHyperParameterTuningJob",
            b'{"HyperParameterTuningJobName": "no"}',
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job called no.",
        ),
        (
            "SageMaker.DescribePipeline",
            b"{}",
            "ValidationException",
            "Value null at 'pipelineName' failed to satisfy",
        ),
        (
            "SageMaker.DescribePipeline",
            b'{"PipelineName": 3}',
            "SerializationException",
            "NUMBER_VALUE can not be converted to a String",
        ),
        (
            "SageMaker.ListPipelines",
            b'{"MaxResults": 101}',
            "ValidationException",
            "value less than or equal to 100",
        ),
        (
            "SageMaker.ListPipelines",
            b'{"SortBy": "Size"}',
            "ValidationException",
            "enum value set: [Name, CreationTime]",
        ),
        ("SageMaker.ListPipelines", b'{"Sort": "Name"}', "ValidationException", "Unknown member 'Sort'"),
        ("SageMaker.ListPipelines", b'{"NextToken": "zzz"}', "ValidationException", "is not a token"),
        ("SageMaker.ListPipelines", b'{"NextToken": "bnVsbA=="}', "ValidationException", "is not a token"),
        (
            "SageMaker.ListPipelines",
            b'{"NextToken": "WzFlOTk5LDFd"}',
            "ValidationException",
            "is not a token",
        ),
        ("SageMaker.ListPipelines", b"[" * 100_000, "SerializationException", "nested deeper than 100"),
        ("SageMaker.ListPipelines", b'{"a":' * 150 + b"1" + b"}" * 150, "SerializationException", "deeper"),
        ("SageMaker.ListPipelines", b'{"MaxResults": NaN}', "SerializationException", "NaN is not a number"),
        ("SageMaker.ListPipelines", b'{"MaxResults": 1e999}', "SerializationException", "1e999 is not"),
        ("SageMaker.ListPipelines", b"\xff", "SerializationException", "not JSON"),
        (
            "SageMaker.ListPipelineExecutionSteps",
            b"{}",
            "ValidationException",
            "PipelineExecutionArn must be given",
        ),
    ],
)
def test_bad_requests(local: Settings, target: str, body: bytes, code: str, part: str) -> None:
    status, answer = post(local, target, body)
    assert (status, answer["__type"]) == (400, code)
    assert part in answer["message"]


def test_what_only_the_service_checks(sagemaker: Any) -> None:
    with pytest.raises(
        ClientError, match=r"2 validation errors detected: .*regular expression pattern"
    ) as caught:
        sagemaker.create_pipeline(
            PipelineName="a_b", PipelineDefinition=FAIL, RoleArn="arn:aws:iam::1:user/x"
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_jobs_through_the_api(runner: Runner, name: str) -> None:
    client = runner.client
    request = {**processing("exit 0"), "ProcessingJobName": name, "Tags": [{"Key": "k", "Value": "v"}]}
    arn = client.create_processing_job(**request)["ProcessingJobArn"]
    with pytest.raises(client.exceptions.ResourceInUse, match="already exists"):
        client.create_processing_job(**request)
    until(
        lambda: client.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Completed"
    )
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    (summary,) = client.list_processing_jobs(NameContains=name.upper(), StatusEquals="Completed")[
        "ProcessingJobSummaries"
    ]
    assert summary["ProcessingJobArn"] == arn
    assert (
        client.list_processing_jobs(NameContains=name, StatusEquals="Failed")["ProcessingJobSummaries"] == []
    )
    with pytest.raises(ClientError):
        client.describe_training_job(TrainingJobName=name)


def test_a_running_job_can_be_stopped(local: Settings, runner: Runner, name: str) -> None:
    client = runner.client
    client.create_processing_job(**processing("echo it runs; sleep 600"), ProcessingJobName=name)
    until(lambda: local.job_log(name).is_file() and "it runs" in local.job_log(name).read_text())
    client.stop_processing_job(ProcessingJobName=name)
    until(lambda: client.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped")


def test_a_job_can_be_stopped_right_after_it_was_created(runner: Runner, name: str) -> None:
    client = runner.client
    client.create_processing_job(**processing("sleep 600"), ProcessingJobName=name)
    client.stop_processing_job(ProcessingJobName=name)
    until(lambda: client.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped")


def test_pages_neither_repeat_nor_lose_items(runner: Runner, name: str) -> None:
    client = runner.client
    names = [f"{name}-{index}" for index in range(7)]
    for item in names:
        client.create_pipeline(PipelineName=item, PipelineDefinition=FAIL, RoleArn=ROLE)
    pages = client.get_paginator("list_pipelines").paginate(
        PipelineNamePrefix=name, PaginationConfig={"PageSize": 2}
    )
    seen = []
    for index, page in enumerate(pages):
        seen += [item["PipelineName"] for item in page["PipelineSummaries"]]
        if index == 0:  # one appears in front and the last one seen vanishes, between two pages
            client.create_pipeline(PipelineName=f"{name}-new", PipelineDefinition=FAIL, RoleArn=ROLE)
    assert seen == names[::-1]
    ascending = client.list_pipelines(
        PipelineNamePrefix=name, SortBy="Name", SortOrder="Ascending", MaxResults=3
    )
    assert [item["PipelineName"] for item in ascending["PipelineSummaries"]] == names[:3]


def test_tags(sagemaker: Any, name: str) -> None:
    arn = sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=FAIL, RoleArn=ROLE, Tags=[{"Key": "a", "Value": "1"}]
    )["PipelineArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": "3"},
    ]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "none"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
    with pytest.raises(ClientError, match="50 are the most"):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": str(index), "Value": "x"} for index in range(50)])
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.list_tags(ResourceArn=arn + "-none")
    sagemaker.delete_pipeline(PipelineName=name)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.list_tags(ResourceArn=arn)
