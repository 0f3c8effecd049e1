"""Files as objects in S3, which carry the hash of their content: what is there already is not sent again."""

import hashlib
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError


def metadata(path: Path) -> dict[str, str]:
    """The metadata of a file's object: the SHA-256 of its content in hexadecimal."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def has(s3: Any, bucket: str, key: str, wanted: dict[str, str]) -> bool:
    """Whether an object with exactly this metadata is there."""
    try:
        return bool(s3.head_object(Bucket=bucket, Key=key)["Metadata"] == wanted)
    except ClientError:
        return False


def put(s3: Any, bucket: str, key: str, path: Path, mark: dict[str, str] | None = None) -> None:
    """Upload a file, unless an object with the same content and mark is there.

    An object with the same content stays as it is: a newer one would look like new data.

    Raises:
        S3UploadFailedError: S3 refuses it.
    """
    wanted = (mark or {}) | metadata(path)
    if not has(s3, bucket, key, wanted):
        s3.upload_file(str(path), bucket, key, ExtraArgs={"Metadata": wanted})
