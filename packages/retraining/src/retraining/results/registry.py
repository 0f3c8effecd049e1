"""The model registry as `retrain models` shows and changes it."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.config.configuration import AnyConfiguration
from retraining.errors import UserError
from retraining.results import model_quality

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

    @property
    def shown(self) -> str:
        """``group/version``."""
        return f"{self.group}/{self.version}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def packages(configuration: AnyConfiguration) -> list[ModelPackage]:
    """All versions in the project's model package groups, oldest first in each."""
    client = boto3.client("sagemaker")
    versions: list[ModelPackage] = []
    for group in dict.fromkeys(configuration.package_groups.values()):
        try:
            pages = client.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Ascending"
            )
            arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFound", "ValidationException"):
                raise
            continue
        versions += [_package(client.describe_model_package(ModelPackageName=arn)) for arn in arns]
    return versions


def find(configuration: AnyConfiguration, name: str) -> ModelPackage:
    """A package by version number, ``group/version`` or ARN; of a group's name, the project's part may be
    left out, or the model's name be given.

    Raises:
        UserError: there is none, or the name is ambiguous among groups.
    """
    known = packages(configuration)
    named = [item for item in known if name in (item.arn, item.shown, str(item.version))]
    if not named:
        short = _short_groups(configuration)
        named = [item for item in known if name in {f"{group}/{item.version}" for group in short[item.group]}]
    if len(named) == 1:
        return named[0]
    if named:
        versions = ", ".join(item.shown for item in named)
        raise UserError(f"model {name!r}: several groups have that version: {versions}")
    versions = ", ".join(item.shown for item in known) or "none yet: `retrain run` registers some"
    raise UserError(f"model {name!r}: no such version; registered: {versions}")


def _short_groups(configuration: AnyConfiguration) -> dict[str, set[str]]:
    """Of each group, its name without the project's, and those of the models that are registered in it."""
    prefix = f"{configuration.project.project}-"
    short: dict[str, set[str]] = {}
    for model, group in configuration.package_groups.items():
        short.setdefault(group, {group.removeprefix(prefix)}).add(model)
    return short


def details(package: ModelPackage) -> dict[str, Any]:
    """Everything the registry knows of one version."""
    answer: dict[str, Any] = boto3.client("sagemaker").describe_model_package(ModelPackageName=package.arn)
    return package.as_json() | {
        "description": answer.get("ModelPackageDescription"),
        "created": answer["CreationTime"].isoformat(),
        "approval_description": answer.get("ApprovalDescription"),
        "inference": answer.get("InferenceSpecification"),
        "metadata": answer.get("CustomerMetadataProperties", {}),
    }


def decide(package: ModelPackage, status: str, reason: str | None) -> None:
    """Set the approval status ("Approved" or "Rejected") with an optional reason."""
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=package.arn,
        ModelApprovalStatus=status,
        **({"ApprovalDescription": reason} if reason else {}),
    )


def _package(answer: dict[str, Any]) -> ModelPackage:
    metadata = answer.get("CustomerMetadataProperties", {})
    metrics = {
        key.removeprefix("metric:"): number
        for key, value in metadata.items()
        if key.startswith("metric:") and (number := _number(value)) is not None
    }
    quality = answer.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
    if quality and not metrics:
        metrics = _quality_metrics(quality)
    return ModelPackage(
        arn=answer["ModelPackageArn"],
        group=answer["ModelPackageGroupName"],
        version=answer["ModelPackageVersion"],
        status=answer["ModelApprovalStatus"],
        candidate=metadata.get("candidate", ""),
        metrics=metrics,
        model_quality_uri=quality,
        execution=metadata.get("execution", metadata.get("PIPELINE_ARN", "")),
    )


def _quality_metrics(uri: str) -> dict[str, float]:
    """The numbers of a package's model-quality JSON; none where it cannot be read."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return model_quality.numbers([boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()])
    except ClientError:
        return {}


def _number(text: str) -> float | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
