"""Objects under an S3 prefix to a folder, and a folder to a prefix."""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

_AT_ONCE = 8
_MULTIPART = 64 * 1024 * 1024  # bytes; boto3 sends larger files in parts


class TransferError(Exception):
    """A download or an upload that cannot be done; one line."""


def split(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` -> (bucket, key). TransferError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise TransferError(f"{uri!r} is not an S3 URI (s3://bucket/prefix)")
    return bucket, key


@dataclass(frozen=True)
class Download:
    """What a download came to: `copied` of `objects`.

    `neighbours` are keys that merely start with the same text (``runs/10/x`` for ``s3://b/runs/1``):
    SageMaker's S3Prefix may take them too, we do not.
    """

    copied: int
    objects: int
    neighbours: list[str]


def download(client: Any, uri: str, folder: Path, rank: int = 0, parts: int = 1) -> Download:
    """Copy what `uri` names into `folder`, made if needed: an object, or all objects of a "folder".

    Of several `parts`, only the one `rank`, from 0: in the order of their keys, each part gets the next
    object in turn. When nothing but neighbours exists, `uri` is a true prefix (``part-``) and they are
    copied.
    """
    bucket, key = split(uri)
    folder.mkdir(parents=True, exist_ok=True)
    inside: list[str] = []
    neighbours: list[str] = []
    for name in _keys(client, bucket, key):
        exact = name == key or not key or key.endswith("/") or name.startswith(key + "/")
        (inside if exact else neighbours).append(name)
    if not inside:
        inside, neighbours = neighbours, []
    base = key if key.endswith("/") or not key else key + "/"
    if not any(name.startswith(base) for name in inside):
        base = key[: key.rfind("/") + 1]
    objects = sorted(name for name in inside if not name.endswith("/"))
    copies = [(name, _target(folder, name, base)) for name in objects[rank::parts]]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda copy: _get(client, bucket, *copy), copies))
    return Download(len(copies), len(objects), neighbours)


def exists(client: Any, uri: str) -> bool:
    """True when there is an object `uri`, or one below it as a folder. TransferError without the bucket."""
    bucket, key = split(uri)
    folder = key if key.endswith("/") or not key else key + "/"
    try:
        for prefix in (key, folder):
            entries = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents", [])
            if entries and (entries[0]["Key"] == key or prefix == folder):
                return True
    except ClientError as error:
        raise TransferError(f"s3://{bucket}/{key}: {error.response['Error']['Message']}") from error
    return False


def read(client: Any, uri: str) -> bytes:
    """The content of the object `uri`."""
    bucket, key = split(uri)
    try:
        content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise TransferError(f"s3://{bucket}/{key}: {error.response['Error']['Message']}") from error
    return content


def files(folder: Path) -> list[Path]:
    """Every file below `folder`, in order. Links are followed."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def upload(client: Any, folder: Path, paths: Sequence[Path], uri: str) -> None:
    """Copy each of `paths`, files below `folder`, to `uri`/<relative path>."""
    bucket, key = split(uri)
    prefix = key.rstrip("/") + "/" if key.rstrip("/") else ""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(
            pool.map(
                lambda path: _put(client, path, bucket, prefix + path.relative_to(folder).as_posix()), paths
            )
        )


def upload_file(client: Any, path: Path, uri: str) -> None:
    """Copy the file `path` to the object `uri`."""
    _put(client, path, *split(uri))


def _keys(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield entry["Key"]
    except ClientError as error:
        raise TransferError(f"s3://{bucket}/{prefix}: {error.response['Error']['Message']}") from error


def _target(folder: Path, key: str, base: str) -> Path:
    relative = PurePosixPath(key.removeprefix(base) if key.startswith(base) else PurePosixPath(key).name)
    if relative.is_absolute() or ".." in relative.parts:
        raise TransferError(f"the object key {key!r} would leave the folder it is copied to")
    return folder / relative


def _get(client: Any, bucket: str, key: str, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
        with target.open("wb") as file, body:
            shutil.copyfileobj(body, file, 1024 * 1024)
    except ClientError as error:
        raise TransferError(f"s3://{bucket}/{key}: {error.response['Error']['Message']}") from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise TransferError(f"s3://{bucket}/{key} is an object and a folder of others at once") from error


def _put(client: Any, path: Path, bucket: str, key: str) -> None:
    try:
        if path.stat().st_size > _MULTIPART:
            client.upload_file(str(path), bucket, key)
        else:
            with path.open("rb") as body:
                client.put_object(Bucket=bucket, Key=key, Body=body)
    except ClientError as error:
        raise TransferError(f"s3://{bucket}/{key}: {error.response['Error']['Message']}") from error
