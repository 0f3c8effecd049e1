"""Where in S3 the results of a job are, and whether they are still there.

SageMaker reuses a cached step without looking; here buckets are emptied more often.
"""

from collections.abc import Iterable
from typing import Any

from local_sagemaker.core import s3
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Document


def locations(kind: str, description: Document) -> list[str]:
    """The S3 URIs of what a step of type `kind` made, by the description of its job."""
    if kind == "Processing":
        outputs: list[Any] = description.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return [output["S3Output"]["S3Uri"] for output in outputs]
    if kind == "Training":
        return [description["ModelArtifacts"]["S3ModelArtifacts"]]
    if kind == "Tuning":
        base = description["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        jobs: list[Any] = description["TrainingJobSummaries"]
        return [f"{base}/{job['TrainingJobName']}/output" for job in jobs]
    if kind == "Transform":
        return [description["TransformOutput"]["S3OutputPath"]]
    return []


def filled(settings: Settings, uris: Iterable[str]) -> list[str]:
    """Those of `uris` that hold objects: an output may have been empty from the start."""
    return [uri for uri in uris if _exists(settings, uri)]


def first_missing(settings: Settings, uris: Iterable[str]) -> str | None:
    """The first of `uris` where nothing is left."""
    return next((uri for uri in uris if not _exists(settings, uri)), None)


def _exists(settings: Settings, uri: str) -> bool:
    try:
        return s3.exists(settings.client("s3"), uri)
    except s3.TransferError:  # not even the bucket
        return False
