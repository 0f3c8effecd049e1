"""ministack's S3 answers by an index in memory; here the index follows what happens to its files.

People remove and edit files in the folder of a running service. Without this, S3 lists the objects until its
next start, and sends a body that does not fit the headers, which clients take for a broken connection.
"""

import os
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from urllib.parse import unquote

_SIDECAR = ".meta.json"
# A listing is checked as a whole with its first page.
_LATER_PAGES = {"continuation-token", "start-after", "marker", "key-marker"}


def follow() -> None:
    """Compare the index with the files at each request, before ministack answers it."""
    from ministack.services import s3

    answer = s3._dispatch

    def dispatch(
        method: str, bucket: str, key: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        index = s3._buckets.get(bucket)
        if index is not None and key:
            _compare(s3, bucket, index["objects"], [key])
        elif index is not None and method in ("GET", "DELETE") and not _LATER_PAGES & query.keys():
            prefix = s3._qp(query, "prefix", "")
            keys = [name for name in index["objects"] if name.startswith(prefix)]
            _compare(s3, bucket, index["objects"], keys)
        if source := headers.get("x-amz-copy-source"):
            other, _, name = unquote(source.partition("?")[0]).lstrip("/").partition("/")
            if (index := s3._buckets.get(other)) is not None:
                _compare(s3, other, index["objects"], [name])
        return answer(method, bucket, key, headers, body, query)

    s3._dispatch = dispatch


def _compare(s3: Any, bucket: str, objects: dict[str, Any], keys: Iterable[str]) -> None:
    """Forget objects whose files are gone; read those again whose files somebody else wrote."""
    root = os.path.join(s3.DATA_DIR, s3.get_account_id(), bucket)
    for key in keys:
        record = objects.get(key)
        if record is None or record.get("body") is not None:
            continue  # not in a file
        path = os.path.join(root, key) if s3._plain_path_key(key) else ""
        if not _is_file(path):
            path = s3._object_disk_path(bucket, key)  # which is slow
        if not _is_file(path):
            del objects[key]
            s3._delete_persisted_object(bucket, key)
        elif _is_foreign(path, record):
            _take(s3, bucket, key, record, path)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _is_foreign(path: str, record: dict[str, Any]) -> bool:
    """ministack writes an object's file first, and then the one next to it."""
    file = os.stat(path)
    try:
        return file.st_size != record["size"] or file.st_mtime_ns > os.stat(path + _SIDECAR).st_mtime_ns
    except FileNotFoundError:
        return True


def _take(s3: Any, bucket: str, key: str, record: dict[str, Any], path: str) -> None:
    with open(path, "rb") as file:
        content = file.read()
    written = datetime.fromtimestamp(os.stat(path).st_mtime, UTC)
    record["etag"] = f'"{md5(content, usedforsecurity=False).hexdigest()}"'
    record["size"] = len(content)
    record["checksums"] = {}
    record["last_modified"] = written.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    s3._persist_object(bucket, key, record)  # only the file next to it: the record has no body
