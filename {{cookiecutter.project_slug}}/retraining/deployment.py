"""Puts a definition where it runs: code objects, Lambda function, pipeline. Only what changed is sent."""

import base64
import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.configuration import Configuration
from retraining.definition import Definition
from retraining.errors import UserError
from retraining.steps import function_name

INLINE_LIMIT = 100 * 1024
LAMBDA_TIMEOUT_SECONDS = 300
LAMBDA_RUNTIME = "python3.12"


def deploy(configuration: Configuration, definition: Definition) -> list[str]:
    """Upload, create or update; returns one line for each thing that changed.

    Raises:
        UserError: AWS refused; the line carries its reason.
    """
    try:
        return [
            *_upload(configuration, definition),
            *_function(configuration),
            *_pipeline(configuration, definition),
        ]
    except ClientError as error:
        raise UserError(f"{error.operation_name}: {error.response['Error'].get('Message', error)}") from None


def _upload(configuration: Configuration, definition: Definition) -> list[str]:
    """Keys hold the hash of their content: what is there already is the same."""
    s3 = boto3.client("s3")
    bucket = configuration.project.SMP_S3BUCKETNAME
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{definition.name}/code/")
    present = {(bucket, item["Key"]) for page in pages for item in page.get("Contents", [])}
    missing = {key: content for key, content in definition.uploads.items() if key not in present}
    key_id = configuration.project.kms_key
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


def function_package(configuration: Configuration) -> bytes:
    """The function's zip: the same source gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        info = zipfile.ZipInfo("register_models.py", date_time=(1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        package.writestr(info, (configuration.root / "lambdas" / "register_models.py").read_bytes())
    return buffer.getvalue()


def _function(configuration: Configuration) -> list[str]:
    """Create the function, or update its code and its settings where either differs."""
    client = boto3.client("lambda")
    name, package = function_name(configuration), function_package(configuration)
    project = configuration.project
    vpc = {"SubnetIds": project.SMP_SUBNETS, "SecurityGroupIds": project.SMP_SECURITYGROUPS}
    settings: dict[str, Any] = {
        "Role": project.lambda_role,
        "Handler": "register_models.handler",
        "Runtime": LAMBDA_RUNTIME,
        "Timeout": LAMBDA_TIMEOUT_SECONDS,
        "Environment": {"Variables": {"PROJECT": project.project}},
        **({"KMSKeyArn": project.kms_key} if project.kms_key else {}),
        **({"VpcConfig": vpc} if project.SMP_SUBNETS else {}),
    }
    try:
        present = client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        client.create_function(FunctionName=name, Code={"ZipFile": package}, Tags=project.tags, **settings)
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return [f"created Lambda function {name}"]
    changed = []
    if present["CodeSha256"] != base64.b64encode(hashlib.sha256(package).digest()).decode():
        client.update_function_code(FunctionName=name, ZipFile=package)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        changed.append("code")
    different = [key for key, value in settings.items() if not _same(present.get(key), value)]
    if different:
        client.update_function_configuration(FunctionName=name, **settings)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        changed += different
    return [f"updated Lambda function {name}: {', '.join(changed)}"] if changed else []


def _same(present: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(present, dict):
        return all(_same(present.get(key), value) for key, value in wanted.items())
    return bool(present == wanted)


def _pipeline(configuration: Configuration, definition: Definition) -> list[str]:
    client = boto3.client("sagemaker")
    project = configuration.project
    request: dict[str, Any] = {
        "PipelineName": definition.name,
        "RoleArn": project.SMP_ROLE,
        "PipelineDescription": project.description or project.project,
    }
    try:
        present = client.describe_pipeline(PipelineName=definition.name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        client.create_pipeline(
            **request,
            **_definition_argument(configuration, definition),
            Tags=[{"Key": key, "Value": value} for key, value in project.tags.items()],
        )
        return [f"created pipeline {definition.name}"]
    same = present["PipelineDefinition"] == definition.text
    if same and all(present.get(key) == value for key, value in request.items()):
        return []
    client.update_pipeline(**request, **_definition_argument(configuration, definition))
    return [f"updated pipeline {definition.name}"]


def _definition_argument(configuration: Configuration, definition: Definition) -> dict[str, Any]:
    """The definition itself, or, from 100 KiB on, its place in S3."""
    content = definition.text.encode()
    if len(content) < INLINE_LIMIT:
        return {"PipelineDefinition": definition.text}
    bucket = configuration.project.SMP_S3BUCKETNAME
    key = f"{definition.name}/definition/{hashlib.sha256(content).hexdigest()[:32]}.json"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return {"PipelineDefinitionS3Location": {"Bucket": bucket, "ObjectKey": key}}
