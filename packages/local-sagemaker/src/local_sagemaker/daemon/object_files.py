"""ministack's S3 objects as files: an object is on disk, wholly, before its request is answered.

ministack 1.5.33 keeps an object as a file and what describes it as ``<file>.meta.json`` beside it. It logs
an error of the file system and answers that all is well, and a kill between the two files leaves an object
whose length is not what its description says. docs/ministack.md offers both repairs upstream.
"""

import contextlib
import json
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_META = ".meta.json"
_DRAFT = re.compile(r"(?P<file>.+)\.(?P<mark>[0-9a-f]{16})\.tmp")


@dataclass
class Failures:
    """What the file system refused during one request: its last error, and the objects concerned."""

    error: OSError | None = None
    reading: bool = False
    objects: set[tuple[str, str, str]] = field(default_factory=set)  # account, bucket, key


_current: ContextVar[Failures | None] = ContextVar("failures", default=None)


def recover(folder: Path) -> None:
    """Before ministack reads its objects: finish or drop the writes that a kill cut off.

    The description of an object names the draft that its file becomes: from when the description is in its
    place, the write counts.
    """
    for path in folder.rglob("*.tmp"):
        match = _DRAFT.fullmatch(str(path))
        if match and _mark(match["file"]) == match["mark"]:
            path.replace(match["file"])
        else:
            path.unlink()


def _mark(file: str) -> str | None:
    try:
        mark: str | None = json.loads(Path(file + _META).read_text()).get("draft")
    except (OSError, ValueError, AttributeError):
        return None
    return mark


def install() -> None:
    """Change the imported ministack in this process."""
    from ministack.services import s3

    s3._persist_object = _persist
    logging.getLogger("s3").addFilter(_note)


@contextlib.contextmanager
def watched() -> Iterator[Failures]:
    """Collect the failures of a request that ministack handles in this context."""
    failures = Failures()
    token = _current.set(failures)
    try:
        yield failures
    finally:
        _current.reset(token)


def _persist(bucket: str, key: str, record: Any) -> None:
    """In place of ministack's function: write the object's file and description as one."""
    from ministack.services import s3

    try:
        file = str(s3._object_disk_path(bucket, key))
        os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
        described = isinstance(record, dict)
        content = record.get("body") if described else record
        meta = {"key": key}
        if described:
            meta = {**s3._object_meta_from_record(record), **s3._key_history_meta(bucket, key), **meta}
        if content is None:  # only the description changes
            _replace(file + _META, json.dumps(meta).encode())
        else:
            mark = secrets.token_hex(8)
            draft = f"{file}.{mark}.tmp"
            with _dropped_on_error(draft):
                _write(draft, content)
                _replace(file + _META, json.dumps({**meta, "draft": mark}).encode())
            os.replace(draft, file)
        s3._remove_key_files(s3._other_key_disk_path(_bucket_folder(bucket), key, file))
    except OSError as error:
        _add(error, bucket, key)
        raise
    if described:
        record["body"] = None  # ministack reads it from the file


def _bucket_folder(bucket: str, account: str | None = None) -> str:
    from ministack.core import responses
    from ministack.services import s3

    return os.path.join(s3.DATA_DIR, account or responses.get_account_id(), bucket)


def _replace(file: str, content: bytes) -> None:
    with _dropped_on_error(file + ".tmp"):
        _write(file + ".tmp", content)
        os.replace(file + ".tmp", file)


def _write(file: str, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)


@contextlib.contextmanager
def _dropped_on_error(file: str) -> Iterator[None]:
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(file)
        raise


def _note(record: logging.LogRecord) -> bool:
    """A filter of ministack's log: what it only logs becomes a failure of the request."""
    words = record.args if isinstance(record.args, tuple) else ()
    match words:
        case (str(bucket), str(key), OSError() as error):
            _add(error, bucket, key, reading="read" in record.msg)
        case (*_, OSError() as error):
            _add(error)
    return True


def _add(error: OSError, bucket: str = "", key: str = "", reading: bool = False) -> None:
    from ministack.core import responses

    if (failures := _current.get()) is not None:
        failures.error, failures.reading = error, reading
        if bucket:
            failures.objects.add((responses.get_account_id(), bucket, key))


def reload(objects: set[tuple[str, str, str]]) -> None:
    """Make of `objects` in memory what a restart would: what their files say."""
    from ministack.services import s3

    for account, bucket, key in objects:
        known = s3._buckets._data.get((account, bucket))
        if known is None:
            continue
        known["objects"].pop(key, None)
        s3._object_versions._data.pop((account, (bucket, key)), None)
        for store in (s3._object_tags, s3._object_acl, s3._object_annotations):
            for entry in [
                entry for entry in store._data if entry[0] == account and entry[1][:2] == (bucket, key)
            ]:
                del store._data[entry]
        _load(account, bucket, key)


def _load(account: str, bucket: str, key: str) -> None:
    """ministack's own reading of a bucket, for one key."""
    from ministack.services import s3

    files = s3._persisted_key_files
    s3._persisted_key_files = lambda folder, sidecars: [
        (file, name) for file, name in files(folder, sidecars) if name == key
    ]
    try:
        folder = _bucket_folder(bucket, account)
        if os.path.isdir(folder):
            s3._load_persisted_bucket(account, bucket, folder)
    finally:
        s3._persisted_key_files = files
