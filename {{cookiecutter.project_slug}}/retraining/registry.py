"""The model registry as `retrain models` shows and changes it."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.configuration import Configuration
from retraining.errors import UserError

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
    return [unit.registry.model_package_group for unit in configuration.units.values() if unit.registry]


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
        key.removeprefix("metric:"): value for key, value in metadata.items() if key.startswith("metric:")
    }
    quality = found.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    return ModelPackage(
        arn=found["ModelPackageArn"],
        group=found["ModelPackageGroupName"],
        version=found["ModelPackageVersion"],
        status=found["ModelApprovalStatus"],
        candidate=metadata.get("candidate", ""),
        metrics={key: number for key, value in metrics.items() if (number := _number(value)) is not None},
        model_quality_uri=quality.get("S3Uri", ""),
        execution=metadata.get("execution", ""),
    )


def _number(text: str) -> float | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
