"""Registers models as versions of a model package group, each once. Runs in AWS Lambda: boto3 only.

The pipeline's Lambda step calls it, after the quality gate if there is one. Event: ``model_package_group``,
``description``, ``image_uri``, ``environment`` (variables of the serving container), ``content_types``,
``response_types``, ``transform_instance_types``, ``realtime_instance_types``, ``approval_status``,
``execution`` (pipeline execution ARN), ``git_commit``, ``hyperparameters``, ``data`` (URIs by name); and

one model
    ``model_data`` (URI of its model.tar.gz), and, if it was measured, ``model_quality`` (``ContentType`` and
    ``S3Uri`` of its model-quality JSON); or
several candidates
    ``candidates_uri`` (prefix that holds <candidate>/model.tar.gz) and ``evaluation_uri`` (prefix that holds
    evaluation.json, whose ``candidates`` are the metrics of each by its name, and
    model_quality/<candidate>.json).

A model is known by its model data: a version of the group with the same ModelDataUrl is the same model, so
a second call, or an execution whose steps were all cache hits, registers nothing twice.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

Event = dict[str, Any]

METADATA_VALUE = 256
METADATA_KEYS = 50
FORBIDDEN = re.compile(r"[^\w\s.:/=+\-@]")


class RegistrationError(Exception):
    """Some models could not be registered; the message names each and what happened."""


@dataclass(frozen=True)
class Model:
    """One model to register; `name` is empty unless it is one of several candidates.

    Attributes:
        data: URI of its model.tar.gz.
        quality: content type and URI of its model-quality JSON; empty if it was not measured.
        metrics: its metrics on the test set, for the version's metadata.
    """

    name: str
    data: str
    quality: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def handler(event: Event, context: object) -> dict[str, str]:
    """Register the models that the group does not hold yet.

    Returns:
        ``model_packages``: JSON list of ARNs, in the models' order; ``registered``: how many are new.

    Raises:
        RegistrationError: at least one failed; the others are registered, and a second call completes the
            rest.
    """
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    group = event["model_package_group"]
    models = models_of(s3, event)
    ensure_group(sagemaker, group, event["description"])
    existing = packages_by_model_data(sagemaker, group)
    arns, failed, new = [], [], 0
    for model in models:
        try:
            if model.data not in existing:
                require_object(s3, model.data)
                existing[model.data] = create(sagemaker, model_package(event, model))
                new += 1
            arns.append(existing[model.data])
        except Exception as error:
            words = " ".join(str(error).split())
            failed.append(f"{model.name}: {words}" if model.name else words)
    if failed:
        noun = "candidates are" if len(models) > 1 else "models are"
        raise RegistrationError(
            f"{group}: {len(arns)} of {len(models)} {noun} registered; failed: {'; '.join(failed)}"
        )
    return {"model_packages": json.dumps(arns, allow_nan=False), "registered": str(new)}


def models_of(s3: Any, event: Event) -> list[Model]:
    """The model that the event names, or the candidates of its evaluation."""
    if "candidates_uri" not in event:
        return [Model("", event["model_data"], event.get("model_quality", {}))]
    candidates, evaluation = event["candidates_uri"].rstrip("/"), event["evaluation_uri"].rstrip("/")
    return [
        Model(
            name,
            f"{candidates}/{name}/model.tar.gz",
            {"ContentType": "application/json", "S3Uri": f"{evaluation}/model_quality/{name}.json"},
            values,
        )
        for name, values in candidate_metrics(s3, evaluation).items()
    ]


def create(sagemaker: Any, request: dict[str, Any]) -> str:
    """CreateModelPackage; the ARN, which two calls at the same moment both get for one version.

    The token comes from what the model is known by. Another execution describes the same model with other
    metadata, so SageMaker may also refuse the second call: then the version of the first is there.
    """
    (container,) = request["InferenceSpecification"]["Containers"]
    group, data = request["ModelPackageGroupName"], container["ModelDataUrl"]
    token = hashlib.sha256(f"{group}\n{data}".encode()).hexdigest()[:36]
    try:
        arn: str = sagemaker.create_model_package(**request, ClientToken=token)["ModelPackageArn"]
    except ClientError:
        existing = packages_by_model_data(sagemaker, group)
        if data not in existing:
            raise
        arn = existing[data]
    return arn


def candidate_metrics(s3: Any, evaluation_uri: str) -> dict[str, dict[str, float]]:
    """``{candidate: {metric: number}}`` in the order of evaluation.json, which the evaluation wrote."""
    uri = f"{evaluation_uri}/evaluation.json"
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
    except ClientError as error:
        if "already exists" not in error.response["Error"]["Message"]:
            raise


def packages_by_model_data(sagemaker: Any, group: str) -> dict[str, str]:
    """``{ModelDataUrl: ARN}`` of every version in the group."""
    arns = {}
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for summary in (item for page in pages for item in page["ModelPackageSummaryList"]):
        package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
        for container in package.get("InferenceSpecification", {}).get("Containers", []):
            arns[container.get("ModelDataUrl")] = summary["ModelPackageArn"]
    return arns


def model_package(event: Event, model: Model) -> dict[str, Any]:
    """The CreateModelPackage request of one model."""
    inference = {
        "Containers": [
            {
                "Image": event["image_uri"],
                "ModelDataUrl": model.data,
                "Environment": event["environment"],
            }
        ],
        "SupportedContentTypes": event["content_types"],
        "SupportedResponseMIMETypes": event["response_types"],
    }
    if event["transform_instance_types"]:
        inference["SupportedTransformInstanceTypes"] = event["transform_instance_types"]
    if event["realtime_instance_types"]:
        inference["SupportedRealtimeInferenceInstanceTypes"] = event["realtime_instance_types"]
    description = ": candidate ".join(filter(None, (event["description"], model.name)))
    return {
        "ModelPackageGroupName": event["model_package_group"],
        **({"ModelPackageDescription": description} if description else {}),
        "ModelApprovalStatus": event["approval_status"],
        "InferenceSpecification": inference,
        **({"ModelMetrics": {"ModelQuality": {"Statistics": model.quality}}} if model.quality else {}),
        "CustomerMetadataProperties": metadata(event, model),
    }


def metadata(event: Event, model: Model) -> dict[str, str]:
    """What is known of the model, as SageMaker takes it: at most 50 texts of at most 256 characters."""
    properties = {
        **({"candidate": model.name} if model.name else {}),
        "execution": event["execution"],
        "run_id": event["execution"].rsplit("/", 1)[-1],
        "git_commit": event["git_commit"],
    }
    properties |= {f"metric:{key}": value for key, value in model.metrics.items()}
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
    except ClientError as error:
        raise RegistrationError(f"{uri}: {error.response['Error'].get('Message') or 'not found'}") from None


def read(s3: Any, uri: str) -> bytes:
    """The object's bytes."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise RegistrationError(
            f"{uri}: {error.response['Error'].get('Message') or 'cannot be read'}"
        ) from None
    return content
