"""Which files of a code package changed: packages are stored in S3 under the hash of their content."""

import io
import re
import tarfile
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.compile.differences import Difference
from retraining.compile.sdk_internals import Uploads

_PACKAGE = re.compile(r"s3://([^/]+)/((?P<pipeline>.+)/code/[0-9a-f]{32}/.*)", re.DOTALL)


class CodePackages:
    """The contents of code packages: those to be uploaded, and those that are in S3 already."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._s3 = boto3.client("s3")
        self._files = cache(self._read)

    def changes(self, difference: Difference) -> list[str] | None:
        """``["train.py changed"]`` where the difference is between two packages, or else None."""
        before, after = (_PACKAGE.fullmatch(str(value)) for value in (difference.old, difference.new))
        if before is None or after is None:
            return None
        old, new = (self._files(match[1], match[2]) for match in (before, after))
        if not old:
            return ["changed; the package of before is deleted"]
        changes = [
            *(f"{name} changed" for name in old if name in new and old[name] != new[name]),
            *(f"{name} is new" for name in new if name not in old),
            *(f"{name} is gone" for name in old if name not in new),
        ]
        return changes or [_elsewhere(before, after)]

    def _read(self, bucket: str, key: str) -> dict[str, bytes]:
        prefix = key.rstrip("/")
        objects = {
            name: content
            for (owner, name), content in self._uploads.items()
            if owner == bucket and (name == key or name.startswith(f"{prefix}/"))
        }
        files: dict[str, bytes] = {}
        for name, content in (objects or self._download(bucket, key)).items():
            files.update(_files(name.rpartition("/")[2] if name == key else name[len(prefix) + 1 :], content))
        return dict(sorted(files.items()))

    def _download(self, bucket: str, key: str) -> dict[str, bytes]:
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
            names = [item["Key"] for page in pages for item in page.get("Contents", [])]
            return {name: self._get(bucket, name) for name in names}
        except ClientError:
            return {}

    def _get(self, bucket: str, name: str) -> bytes:
        content: Any = self._s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        return bytes(content)


def _elsewhere(old: re.Match[str], new: re.Match[str]) -> str:
    """How two packages of the same files differ."""
    if old[1] != new[1]:
        return f"the same files, in the bucket {new[1]} instead of {old[1]}"
    if old["pipeline"] != new["pipeline"]:
        return f"the same files, under {new['pipeline']}/ instead of {old['pipeline']}/"
    return "the same files, packed otherwise"


def _files(name: str, content: bytes) -> dict[str, bytes]:
    """The members of an archive, or the object itself."""
    if not name.endswith(".tar.gz"):
        return {name: content}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [(item, archive.extractfile(item)) for item in archive if item.isfile()]
        return {item.name: file.read() for item, file in members if file is not None}
