"""Deploys a definition: code objects, Lambda functions, pipeline. Only what changed is sent."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.compile.compiled import read
from retraining.compile.definition import Definition
from retraining.compile.differences import Difference
from retraining.compile.lambdas import Function, functions_of
from retraining.config.configuration import Configuration
from retraining.errors import UserError

INLINE_LIMIT = 100 * 1024
CODE = "code"
_TAGS = "Tags"


def deploy(configuration: Configuration, definition: Definition) -> list[str]:
    """Upload, create or update; returns one line for each thing that changed.

    Raises:
        UserError: AWS refused; the line carries its reason.
    """
    try:
        deployed = deployed_pipeline(definition.name)
        return [
            *_upload(configuration, definition),
            *(
                line
                for function in functions_of(configuration)
                for line in _function(configuration, function, deployed)
            ),
            *_pipeline(configuration, definition, deployed),
        ]
    except ClientError as error:
        raise UserError(f"{error.operation_name}: {error.response['Error'].get('Message', error)}") from None


def _upload(configuration: Configuration, definition: Definition) -> list[str]:
    """Keys contain the hash of their content: an object that exists is the same."""
    s3 = boto3.client("s3")
    bucket = configuration.project.bucket
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{definition.name}/code/")
    present = {(bucket, item["Key"]) for page in pages for item in page.get("Contents", [])}
    missing = {key: content for key, content in definition.uploads.items() if key not in present}
    key_id = configuration.project.encryption_key
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda item: s3.put_object(Bucket=item[0][0], Key=item[0][1], Body=item[1], **encryption),
                missing.items(),
            )
        )
    return (
        [f"uploaded {len(missing)} code objects to s3://{bucket}/{definition.name}/code/"] if missing else []
    )


def _function(configuration: Configuration, function: Function, deployed: dict[str, Any] | None) -> list[str]:
    """Create the function, or update its code, its settings and its tags where they differ."""
    client = boto3.client("lambda")
    name = function.name
    differences = function_differences(configuration, function, deployed)
    if differences is None:
        client.create_function(
            FunctionName=name,
            Code={"ZipFile": function.package},
            Tags=configuration.project.tags,
            **function.settings,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return [f"created Lambda function {name}"]
    changed = list(dict.fromkeys(item.path.partition(".")[0] for item in differences))
    if CODE in changed:
        client.update_function_code(FunctionName=name, ZipFile=function.package)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
    if set(changed) - {CODE, _TAGS}:
        client.update_function_configuration(FunctionName=name, **function.settings)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
    arn = function.arn
    put, gone = _tag_changes(differences)
    if put:
        client.tag_resource(Resource=arn, Tags=put)
    if gone:
        client.untag_resource(Resource=arn, TagKeys=gone)
    return [f"updated Lambda function {name}: {', '.join(changed)}"] if changed else []


def function_differences(
    configuration: Configuration, function: Function, deployed: dict[str, Any] | None
) -> list[Difference] | None:
    """How a function differs in AWS from here (`CODE`, its settings, its tags); None where AWS has none of
    this name.

    Args:
        deployed: DescribePipeline's answer for the pipeline, if it is there.
    """
    client = boto3.client("lambda")
    try:
        present = client.get_function_configuration(FunctionName=function.name)
    except client.exceptions.ResourceNotFoundException:
        return None
    package = base64.b64encode(hashlib.sha256(function.package).digest()).decode()
    code = [Difference(CODE, present["CodeSha256"], package)] if present["CodeSha256"] != package else []
    tags = client.list_tags(Resource=function.arn)["Tags"]
    return [*code, *_missing(present, function.settings), *_tag_differences(configuration, tags, deployed)]


def _missing(present: Any, wanted: dict[str, Any], path: str = "") -> Iterator[Difference]:
    """Where `present` differs from `wanted`; what it has in addition is AWS's own."""
    for key, value in wanted.items():
        there = present.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            yield from _missing(there, value, f"{path}{key}.")
        elif there != value:
            yield Difference(f"{path}{key}", there, value)


def _tag_differences(
    configuration: Configuration, present: dict[str, str], deployed: dict[str, Any] | None
) -> Iterator[Difference]:
    """Where a resource's tags differ from the project's.

    A tag that the project no longer has is to be removed only if it came from here: it is also one of the
    jobs' tags in the deployed definition. All others are somebody else's.
    """
    wanted = configuration.project.tags
    yield from _missing(present, wanted, f"{_TAGS}.")
    ours = _job_tags(deployed["PipelineDefinition"]) if deployed else set()
    for key, value in present.items():
        if key not in wanted and (key, value) in ours:
            yield Difference(f"{_TAGS}.{key}", value, None)


def _job_tags(definition: str) -> set[tuple[str, str]]:
    """The tags that all steps of a pipeline definition share, of those that have any."""
    arguments = (step.arguments.get(_TAGS) for step in read(definition).steps.values())
    by_step = [{(tag["Key"], tag["Value"]) for tag in tags} for tags in arguments if tags]
    return set.intersection(*by_step) if by_step else set()


def _tag_changes(differences: list[Difference]) -> tuple[dict[str, str], list[str]]:
    """The tags to put, and the keys of those to remove."""
    tags = {
        item.path.removeprefix(f"{_TAGS}."): item.new
        for item in differences
        if item.path.startswith(f"{_TAGS}.")
    }
    put = {key: value for key, value in tags.items() if value is not None}
    return put, [key for key in tags if key not in put]


def _pipeline(
    configuration: Configuration, definition: Definition, present: dict[str, Any] | None
) -> list[str]:
    client = boto3.client("sagemaker")
    request = settings(configuration, definition)
    if present is None:
        tags = _as_list(configuration.project.tags)
        client.create_pipeline(**request, **_definition_argument(configuration, definition), Tags=tags)
        return [f"created pipeline {definition.name}"]
    differences = pipeline_differences(configuration, definition, present)
    if present["PipelineDefinition"] == definition.text and not differences:
        return []
    # Before the definition, which says what the tags were.
    put, gone = _tag_changes(differences)
    if put:
        client.add_tags(ResourceArn=present["PipelineArn"], Tags=_as_list(put))
    if gone:
        client.delete_tags(ResourceArn=present["PipelineArn"], TagKeys=gone)
    client.update_pipeline(**request, **_definition_argument(configuration, definition))
    return [f"updated pipeline {definition.name}"]


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def settings(configuration: Configuration, definition: Definition) -> dict[str, Any]:
    """What the pipeline has beside its definition and its tags, as CreatePipeline takes it."""
    project = configuration.project
    return {
        "PipelineName": definition.name,
        "RoleArn": project.role,
        "PipelineDescription": project.description or project.project,
    }


def deployed_pipeline(name: str) -> dict[str, Any] | None:
    """DescribePipeline's answer; None where there is no such pipeline."""
    try:
        answer: dict[str, Any] = boto3.client("sagemaker").describe_pipeline(PipelineName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        return None
    return answer


def pipeline_differences(
    configuration: Configuration, definition: Definition, present: dict[str, Any]
) -> list[Difference]:
    """How a deployed pipeline differs from here apart from its definition: role, description and tags."""
    pages = boto3.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=present["PipelineArn"])
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    own = _missing(present, settings(configuration, definition))
    return [*own, *_tag_differences(configuration, tags, present)]


def _definition_argument(configuration: Configuration, definition: Definition) -> dict[str, Any]:
    """The definition itself, or, from 100 KiB on, its object in S3."""
    content = definition.text.encode()
    if len(content) < INLINE_LIMIT:
        return {"PipelineDefinition": definition.text}
    bucket = configuration.project.bucket
    key = f"{definition.name}/definition/{hashlib.sha256(content).hexdigest()[:32]}.json"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return {"PipelineDefinitionS3Location": {"Bucket": bucket, "ObjectKey": key}}


def git_commit(root: Path) -> str:
    """The sources' commit, with ``-dirty`` when they differ from it; ``unknown`` where git has none.

    The same where there is no git.
    """
    if _git(root, "ls-files", "--error-unmatch", "pipeline.py") is None:
        return "unknown"
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return "unknown"
    return commit + ("-dirty" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *words: str) -> str | None:
    """What git says, or None where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
