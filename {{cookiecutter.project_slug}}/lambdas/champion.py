"""Says what a candidate must reach so as not to fall behind the champion. Runs in AWS Lambda: boto3 only.

The pipeline calls it before a quality gate that names a champion: the newest approved version of the
model package group, with the number that its registered model-quality JSON holds. Event:
``model_package_group``, ``json_path`` (``binary_classification_metrics.auc.value``, lists by ``[0]``),
``tolerance`` (how far a candidate may fall behind), and either ``minimum`` (greater is better) or
``maximum`` (smaller is better).
"""

import json
import math
import re
from typing import Any

import boto3
from botocore.exceptions import ClientError

Event = dict[str, Any]


class ChampionError(Exception):
    """The champion's number cannot be told; the message says of which version and why."""


def handler(event: Event, context: object) -> dict[str, Any]:
    """The bound for the candidate's number, and why it is this one.

    Returns:
        ``bound``: a number; ``reason``: in words; ``champion``: the version's ARN, or empty where no
        version is approved yet.

    Raises:
        ChampionError: the champion has no number at ``json_path``, or a bound is none.
    """
    sagemaker = boto3.client("sagemaker")
    greater = "minimum" in event
    configured = finite(event, "minimum" if greater else "maximum")
    tolerance = finite(event, "tolerance")
    words = (
        f"{'at least' if greater else 'at most'} {configured:g}, the {'minimum' if greater else 'maximum'}"
    )
    arn = champion(sagemaker, event["model_package_group"])
    if arn is None:
        return {"bound": configured, "reason": f"{words}; no version is approved yet", "champion": ""}
    value = number(sagemaker, arn, event["json_path"])
    allowed = value - tolerance if greater else value + tolerance
    bound = max(configured, allowed) if greater else min(configured, allowed)
    version = arn.partition(":model-package/")[2]
    compared = f"{'at least' if greater else 'at most'} {allowed:g}: the champion {version} has {value:g}"
    if tolerance:
        compared += f", tolerance {tolerance:g}"
    return {"bound": bound, "reason": f"{words}, and {compared}", "champion": arn}


def finite(event: Event, name: str) -> float:
    """A number of the event, which may arrive as text: NaN would let every candidate pass."""
    value = float(event[name])
    if not math.isfinite(value):
        raise ChampionError(f"{name} is {event[name]!r}: a finite number is expected")
    return value


def champion(sagemaker: Any, group: str) -> str | None:
    """ARN of the newest approved version of a group; None where there is none."""
    try:
        approved = sagemaker.list_model_packages(
            ModelPackageGroupName=group,
            ModelApprovalStatus="Approved",
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=1,
        )["ModelPackageSummaryList"]
    except ClientError as error:
        # The first registration makes the group; SageMaker says both of one that is not there.
        said = error.response["Error"]
        if said["Code"] == "ResourceNotFound" or "does not exist" in said["Message"]:
            return None
        raise
    return str(approved[0]["ModelPackageArn"]) if approved else None


def number(sagemaker: Any, arn: str, path: str) -> float:
    """The number at `path` in the version's registered model-quality JSON.

    Raises:
        ChampionError: there is no such document, or no number there.
    """
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    uri = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
    if not uri:
        raise ChampionError(f"{arn} was registered without a model-quality JSON: approve a version with one")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        value = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except (ClientError, ValueError) as error:
        raise ChampionError(f"{arn}: {uri} cannot be read as JSON: {error}") from None
    for part in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ChampionError(f"{arn}: no {path!r} in {uri}: set gate.champion.json_path") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ChampionError(f"{arn}: {path!r} in {uri} is {value!r}, not a finite number")
    return float(value)
