"""The model registry as `retrain models` shows and changes it."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.results.model_quality import numbers

STATUSES = {"approve": "Approved", "reject": "Rejected"}


@dataclass(frozen=True)
class ModelPackage:
    """One registered model version; `metrics` are those of the test set."""

    arn: str
    group: str
    version: int
    status: str
    candidate: str
    metrics: dict[str, float]
    model_quality_uri: str
    execution: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def packages(configuration: Configuration) -> list[ModelPackage]:
    """All versions in the project's model package groups, oldest first in each."""
    client = boto3.client("sagemaker")
    found: list[ModelPackage] = []
    for group in groups(configuration):
        try:
            pages = client.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Ascending"
            )
            arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFound", "ValidationException"):
                raise
            continue
        found += [_package(client.describe_model_package(ModelPackageName=arn)) for arn in arns]
    return found


def groups(configuration: Configuration) -> list[str]:
    """The model package groups that the configuration registers to."""
    found = [configuration.package_group(name) for name, unit in configuration.units.items() if unit.registry]
    return list(dict.fromkeys(found))


def find(configuration: Configuration, name: str) -> ModelPackage:
    """A package by version number, ``group/version`` or ARN.

    Raises:
        UserError: there is none, or the number is ambiguous among groups.
    """
    known = packages(configuration)
    found = [item for item in known if name in (item.arn, f"{item.group}/{item.version}", str(item.version))]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"model {name!r}: several groups have that version: "
            f"{', '.join(f'{item.group}/{item.version}' for item in found)}"
        )
    versions = (
        ", ".join(f"{item.group}/{item.version}" for item in known)
        or "none yet: `retrain run` registers some"
    )
    raise UserError(f"model {name!r}: no such version; registered: {versions}")


def details(package: ModelPackage) -> dict[str, Any]:
    """Everything the registry knows of one version."""
    found: dict[str, Any] = boto3.client("sagemaker").describe_model_package(ModelPackageName=package.arn)
    found.pop("ResponseMetadata", None)
    return package.as_json() | {
        "description": found.get("ModelPackageDescription"),
        "created": found["CreationTime"].isoformat(),
        "approval_description": found.get("ApprovalDescription"),
        "inference": found.get("InferenceSpecification"),
        "metadata": found.get("CustomerMetadataProperties", {}),
    }


def decide(package: ModelPackage, status: str, reason: str | None) -> None:
    """Set the approval status ("Approved" or "Rejected") with an optional reason."""
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=package.arn,
        ModelApprovalStatus=status,
        **({"ApprovalDescription": reason} if reason else {}),
    )


def _package(found: dict[str, Any]) -> ModelPackage:
    metadata = found.get("CustomerMetadataProperties", {})
    metrics = {
        key.removeprefix("metric:"): number
        for key, value in metadata.items()
        if key.startswith("metric:") and (number := _number(value)) is not None
    }
    quality = found.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
    if quality and not metrics:
        metrics = _quality_metrics(quality)
    return ModelPackage(
        arn=found["ModelPackageArn"],
        group=found["ModelPackageGroupName"],
        version=found["ModelPackageVersion"],
        status=found["ModelApprovalStatus"],
        candidate=metadata.get("candidate", ""),
        metrics=metrics,
        model_quality_uri=quality,
        execution=metadata.get("execution", metadata.get("PIPELINE_ARN", "")),
    )


def _quality_metrics(uri: str) -> dict[str, float]:
    """The numbers of a package's model-quality JSON; none where it cannot be read."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return numbers(json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()))
    except (ClientError, ValueError):
        return {}


def _number(text: str) -> float | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
