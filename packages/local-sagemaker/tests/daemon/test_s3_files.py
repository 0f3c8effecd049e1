"""What happens to the files of S3 under the running services is what happened to the objects."""

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jobs_to_run import Processing, source

from local_sagemaker.core.settings import Settings


class Objects:
    """Objects below a prefix of their own, and their files."""

    def __init__(self, local: Settings, s3: Any, name: str) -> None:
        self.s3, self.bucket, self.prefix = s3, local.bucket, f"{name}/"
        self.folder = local.s3 / local.account / local.bucket / name

    def put(self, *names: str) -> None:
        for name in names:
            self.s3.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=b"content")

    def get(self, name: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read()
        return body

    def listed(self) -> dict[str, tuple[int, str]]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        items = [item for page in pages for item in page.get("Contents", [])]
        return {item["Key"].removeprefix(self.prefix): (item["Size"], item["ETag"]) for item in items}


@pytest.fixture
def objects(local: Settings, s3: Any, name: str) -> Objects:
    return Objects(local, s3, name)


def test_a_removed_file_is_a_removed_object(objects: Objects) -> None:
    objects.put("a", "sub/b", "sub/c", "odd//d", "e")
    (objects.folder / "a").unlink()
    for file in (objects.folder / "sub").iterdir():
        file.unlink()
    (objects.folder / "sub").rmdir()
    for operation in (objects.s3.get_object, objects.s3.head_object):
        with pytest.raises(ClientError) as raised:
            operation(Bucket=objects.bucket, Key=objects.prefix + "a")
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(ClientError, match="NoSuchKey"):
        objects.s3.copy_object(
            Bucket=objects.bucket,
            Key=f"{objects.prefix}f",
            CopySource=f"{objects.bucket}/{objects.prefix}sub/b",
        )
    assert list(objects.listed()) == ["e", "odd//d"]
    objects.put("a")
    assert list(objects.listed()) == ["a", "e", "odd//d"]
    assert objects.get("a") == b"content"


@pytest.mark.parametrize("content", [b"tnetnoc", b"more content", b""])
def test_an_edited_file_is_a_new_content(objects: Objects, content: bytes) -> None:
    objects.put("a", "b")
    before = objects.listed()
    (objects.folder / "a").write_bytes(content)
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    assert objects.listed() == {"a": (len(content), etag), "b": before["b"]}
    assert objects.get("a") == content
    objects.put("a")
    assert objects.listed() == before


def test_an_input_without_its_file_is_missing_at_once(
    processing: Processing, objects: Objects, name: str
) -> None:
    """It is no fault that a retry would heal."""
    objects.put("a", "b")
    for file in objects.folder.iterdir():
        file.unlink()
    inputs = [source("in", f"s3://{objects.bucket}/{objects.prefix}")]
    job = processing.run(name, "true", ProcessingInputs=inputs)
    assert job["FailureReason"].startswith("ClientError: Data download failed: no objects at ")
