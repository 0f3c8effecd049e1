"""Registers every candidate of one evaluation as a model package. Runs in AWS Lambda: boto3 only.

The pipeline's Lambda step calls it after the quality gate. Event (all keys required):
``model_package_group``, ``description``, ``candidates_uri`` (prefix that holds <candidate>/model.tar.gz),
``evaluation_uri`` (prefix that holds evaluation.json, whose ``candidates`` are the metrics of each by its
name, and model_quality/<candidate>.json), ``image_uri``, ``content_types``, ``response_types``,
``transform_instance_types``, ``realtime_instance_types``, ``approval_status``, ``execution`` (pipeline
execution ARN), ``git_commit``, ``hyperparameters``, ``data`` (URIs by name).

A candidate is known by its model data: a package of the group with the same ModelDataUrl is the same
model, so a second call, or an execution whose steps were all cache hits, registers nothing twice.
"""

import json
import re
from typing import Any

import boto3

Event = dict[str, Any]

METADATA_VALUE = 256
METADATA_KEYS = 50
FORBIDDEN = re.compile(r"[^\w\s.:/=+\-@]")


class RegistrationError(Exception):
    """Some candidates could not be registered; the message names each and what happened."""


def handler(event: Event, context: object) -> dict[str, str]:
    """Register the candidates that the group does not hold yet.

    Returns:
        ``model_packages``: JSON list of ARNs, in the candidates' order; ``registered``: how many are new.

    Raises:
        RegistrationError: at least one candidate failed; the others are registered, and a second
            call completes the rest.
    """
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    metrics = candidate_metrics(s3, event["evaluation_uri"])
    ensure_group(sagemaker, event["model_package_group"], event["description"])
    existing = packages_by_model_data(sagemaker, event["model_package_group"])
    arns, failed, new = [], [], 0
    for name, values in metrics.items():
        model_data = f"{event['candidates_uri'].rstrip('/')}/{name}/model.tar.gz"
        if model_data in existing:
            arns.append(existing[model_data])
            continue
        try:
            require_object(s3, model_data)
            request = model_package(event, name, values, model_data)
            arns.append(sagemaker.create_model_package(**request)["ModelPackageArn"])
            new += 1
        except Exception as error:
            failed.append(f"{name}: {' '.join(str(error).split())}")
    if failed:
        raise RegistrationError(
            f"{event['model_package_group']}: {len(metrics) - len(failed)} of {len(metrics)} candidates are "
            f"registered; failed: {'; '.join(failed)}"
        )
    return {"model_packages": json.dumps(arns, allow_nan=False), "registered": str(new)}


def candidate_metrics(s3: Any, evaluation_uri: str) -> dict[str, dict[str, float]]:
    """``{candidate: {metric: number}}`` in the order of evaluation.json, which the evaluation wrote."""
    uri = f"{evaluation_uri.rstrip('/')}/evaluation.json"
    try:
        document = json.loads(read(s3, uri), parse_constant=no_number)
    except ValueError as error:
        raise RegistrationError(f"{uri}: cannot be read as JSON: {error}") from None
    metrics = document.get("candidates") if isinstance(document, dict) else None
    if not isinstance(metrics, dict) or not metrics:
        raise RegistrationError(f"{uri}: no candidates in it: the evaluation writes their metrics there")
    if not all(isinstance(values, dict) for values in metrics.values()):
        raise RegistrationError(f"{uri}: candidates must hold an object of metrics for each name")
    return metrics


def no_number(text: str) -> float:
    """Refuse what Python's json.dumps writes for a number that is not finite."""
    raise ValueError(f"{text} is not a number of JSON")


def ensure_group(sagemaker: Any, name: str, description: str) -> None:
    """Create the model package group unless it exists."""
    try:
        sagemaker.create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription=description or name
        )
    except sagemaker.exceptions.ClientError as error:
        if "already exists" not in error.response["Error"]["Message"]:
            raise


def packages_by_model_data(sagemaker: Any, group: str) -> dict[str, str]:
    """``{ModelDataUrl: ARN}`` of every version in the group."""
    found = {}
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for summary in (item for page in pages for item in page["ModelPackageSummaryList"]):
        package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
        for container in package.get("InferenceSpecification", {}).get("Containers", []):
            found[container.get("ModelDataUrl")] = summary["ModelPackageArn"]
    return found


def model_package(event: Event, name: str, metrics: dict[str, float], model_data: str) -> dict[str, Any]:
    """The CreateModelPackage request of one candidate."""
    inference = {
        "Containers": [{"Image": event["image_uri"], "ModelDataUrl": model_data}],
        "SupportedContentTypes": event["content_types"],
        "SupportedResponseMIMETypes": event["response_types"],
    }
    if event["transform_instance_types"]:
        inference["SupportedTransformInstanceTypes"] = event["transform_instance_types"]
    if event["realtime_instance_types"]:
        inference["SupportedRealtimeInferenceInstanceTypes"] = event["realtime_instance_types"]
    quality = f"{event['evaluation_uri'].rstrip('/')}/model_quality/{name}.json"
    return {
        "ModelPackageGroupName": event["model_package_group"],
        "ModelPackageDescription": f"{event['description']}: candidate {name}",
        "ModelApprovalStatus": event["approval_status"],
        "InferenceSpecification": inference,
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": quality}}
        },
        "CustomerMetadataProperties": metadata(event, name, metrics),
    }


def metadata(event: Event, name: str, metrics: dict[str, float]) -> dict[str, str]:
    """What is known of the candidate, as SageMaker takes it: at most 50 texts of at most 256 characters."""
    properties = {
        "candidate": name,
        "execution": event["execution"],
        "run_id": event["execution"].rsplit("/", 1)[-1],
        "git_commit": event["git_commit"],
    }
    properties |= {f"metric:{key}": value for key, value in metrics.items()}
    properties |= {f"data:{key}": value for key, value in event["data"].items()}
    properties |= {f"hyperparameter:{key}": value for key, value in event["hyperparameters"].items()}
    clean = {
        key: FORBIDDEN.sub(" ", str(value))[:METADATA_VALUE].strip() or "-"
        for key, value in properties.items()
    }
    return dict(list(clean.items())[:METADATA_KEYS])


def require_object(s3: Any, uri: str) -> None:
    """Raise where the object does not exist: a model package must not point at nothing."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        raise RegistrationError(f"{uri}: {error.response['Error'].get('Message') or 'not found'}") from None


def read(s3: Any, uri: str) -> bytes:
    """The object's bytes."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.ClientError as error:
        raise RegistrationError(
            f"{uri}: {error.response['Error'].get('Message') or 'cannot be read'}"
        ) from None
    return content
