"""From an input object of a transform job to the payloads of its requests, and back.

A payload holds the object's bytes unchanged: a record that is a line keeps its line end.
Lines without any character are no records.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

MEGABYTE = 1024 * 1024


class RecordError(Exception):
    """An object that cannot be transformed because of what it holds; one line, for `ClientError`."""


@dataclass(frozen=True)
class Record:
    """What is sent of a record, and, where results are to be joined to it, its whole value."""

    payload: bytes
    source: Any = None


Reading = Callable[[bytes], Record]


def read(path: Path, *, gzipped: bool, by_line: bool, reading: Reading = Record) -> Iterator[Record]:
    """The records of the file `path`: its lines, or the whole. Raises RecordError."""
    try:
        with _opened(path, gzipped) as file:
            if not by_line:
                yield reading(file.read())
                return
            for line in file:
                if line.strip(b"\r\n"):
                    yield reading(line)
    except (gzip.BadGzipFile, EOFError) as error:
        raise RecordError(f"the object is not a whole gzip file: {error}") from error


def batches(records: Iterable[Record], *, many: bool, limit: int | None) -> Iterator[list[Record]]:
    """Group records for one request each: one, or (`many`) as many as fit into `limit` bytes.

    Without a limit all of them fit. Raises RecordError for one that is larger than the limit, after
    the groups before it.
    """
    batch: list[Record] = []
    size = 0
    for record in records:
        weight = len(record.payload)
        if limit is not None and weight > limit:
            if batch:
                yield batch
            raise RecordError(
                f"Too much data for max payload size: a record of {weight} bytes, MaxPayloadInMB allows"
                f" {limit}"
            )
        if batch and (not many or (limit is not None and size + weight > limit)):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += weight
    if batch:
        yield batch


def payload(batch: Iterable[Record]) -> bytes:
    """The body of the request for `batch`; a last line without an end may be in the middle of none."""
    return b"".join(record.payload for record in batch)


def assembled(result: bytes, *, by_line: bool) -> bytes:
    """A result as it is appended to the output object (AssembleWith)."""
    return result + b"\n" if by_line and not result.endswith(b"\n") else result


def _opened(path: Path, gzipped: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if gzipped else path.open("rb")
