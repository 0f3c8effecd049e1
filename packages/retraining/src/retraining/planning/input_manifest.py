"""What was in the inputs of an execution when it started: the keys, sizes and ETags of their objects.

SageMaker keeps an input's URI only. `retrain run` records the manifest in the project's bucket, as
<pipeline>/manifests/<execution id>.json; an execution that something else started, such as a schedule, has
none.
"""

import itertools
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from retraining.config.configuration import Configuration

_VERSION = 1
# So many pages of a prefix, of 1000 objects each, are looked at.
_PAGES = 10
_GONE = ("NoSuchBucket", "404")


@dataclass(frozen=True)
class Content:
    """Objects below a URI: size in bytes and ETag by key, and when they were written, where that is known.

    Where not `is_complete`, the first keys only.
    """

    objects: dict[str, tuple[int, str]]
    modified: dict[str, datetime]
    is_complete: bool = True

    @property
    def last(self) -> str | None:
        """The last key that was looked at; None where all were."""
        return None if self.is_complete else max(self.objects, default="")


Manifest = dict[str, Content]


def look(uris: Iterable[str]) -> Manifest:
    """What is in these inputs now, without those that may not be listed."""
    s3 = boto3.client("s3")
    listed = list(uris)
    with ThreadPoolExecutor(8) as pool:
        contents = pool.map(lambda uri: _look(s3, uri), listed)
        return {uri: content for uri, content in zip(listed, contents, strict=True) if content is not None}


def _look(s3: Any, uri: str) -> Content | None:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    items: list[dict[str, Any]] = []
    is_truncated = False
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in itertools.islice(pages, _PAGES):
            is_truncated = page.get("IsTruncated", False)
            # S3's console makes empty objects for folders.
            items += (item for item in page.get("Contents", []) if not item["Key"].endswith("/"))
    except ParamValidationError:
        return None
    except ClientError as error:
        return Content({}, {}) if error.response["Error"]["Code"] in _GONE else None
    return Content(
        {item["Key"]: (item["Size"], item["ETag"]) for item in items},
        {item["Key"]: item["LastModified"] for item in items},
        not is_truncated,
    )


def record(configuration: Configuration, pipeline: str, arn: str, manifest: Manifest) -> None:
    """Keep the manifest of an execution. Raises ClientError where the bucket may not be written."""
    inputs = {
        uri: {"complete": content.is_complete, "objects": content.objects}
        for uri, content in manifest.items()
    }
    body = json.dumps({"version": _VERSION, "inputs": inputs}, allow_nan=False).encode()
    key_id = configuration.project.encryption_key
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
    bucket = configuration.project.bucket
    boto3.client("s3").put_object(Bucket=bucket, Key=_key(pipeline, arn), Body=body, **encryption)


def load(bucket: str, pipeline: str, arn: str) -> Manifest:
    """The manifest of an execution; empty where it has none that can be read."""
    try:
        body = boto3.client("s3").get_object(Bucket=bucket, Key=_key(pipeline, arn))["Body"].read()
        document = json.loads(body)
        if document["version"] != _VERSION:
            return {}
        return {uri: _content(item) for uri, item in document["inputs"].items()}
    except (ClientError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _content(item: dict[str, Any]) -> Content:
    objects = {key: (size, tag) for key, (size, tag) in item["objects"].items()}
    return Content(objects, {}, item["complete"])


def _key(pipeline: str, arn: str) -> str:
    return f"{pipeline}/manifests/{arn.rsplit('/', 1)[-1]}.json"
