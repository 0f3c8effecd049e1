"""Reading dialogues with summaries, in the schema of SAMSum (https://arxiv.org/abs/1911.12237).

A record is an object with `id`, `dialogue` (one turn per line) and `summary`, all text. Files are .jsonl (a
record per line) or .json (a list of records, as SAMSum is published), plain or as .gz.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from job_toolkit import processing, strict_json
from job_toolkit.failure import InputError

FIELDS = ("id", "dialogue", "summary")
SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz")


@dataclass(frozen=True)
class Dialogue:
    id: str
    dialogue: str
    summary: str


@dataclass
class Left:
    """What was left out: records without text in `dialogue` or `summary`, and other fields than `FIELDS`."""

    empty: int
    fields: set[str]


def read(folder: Path) -> tuple[list[Dialogue], Left]:
    """All records of the files in `folder`, sorted by id, so that number and names of files do not matter.

    Raises InputError naming the file and the record (counted from 1) for a file that is no JSON, a record
    without one of the fields, a value that is no text, and an id that occurs twice; also for no records.
    """
    paths = processing.files(folder, SUFFIXES)
    by_id: dict[str, Dialogue] = {}
    left = Left(0, set())
    for path in paths:
        for number, record in _records(path):
            dialogue = _dialogue(record, f"{path}: record {number}", left)
            if not dialogue.dialogue.strip() or not dialogue.summary.strip():
                left.empty += 1
            elif dialogue.id in by_id:
                raise InputError(f"{path}: record {number}: id {dialogue.id!r} occurs twice; ids must differ")
            else:
                by_id[dialogue.id] = dialogue
    if not by_id:
        raise InputError(f"channel dialogues: no record with a dialogue and a summary in {folder}")
    return [by_id[key] for key in sorted(by_id)], left


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    if text.lstrip().startswith("["):
        records = _json(text, f"{path}")
        yield from enumerate(records, start=1)
        return
    # Not splitlines: JSON text may hold line separators of Unicode.
    lines = (line for line in text.split("\n") if line.strip())
    for number, line in enumerate(lines, start=1):
        yield number, _json(line, f"{path}: record {number}")


def _json(text: str, where: str) -> Any:
    try:
        return strict_json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{where}: not JSON ({error}); a file holds one record per line, or one list of records"
        ) from None


def _dialogue(record: Any, where: str, left: Left) -> Dialogue:
    if not isinstance(record, dict):
        raise InputError(f"{where}: must be an object with {', '.join(FIELDS)}, not {type(record).__name__}")
    for name in FIELDS:
        if name not in record:
            raise InputError(f"{where}: has no {name!r}; a record has {', '.join(FIELDS)}")
        if not isinstance(record[name], str):
            raise InputError(
                f"{where}: {name!r} must be text, not {json.dumps(record[name], allow_nan=False)[:60]}"
            )
    if not record["id"].strip():
        raise InputError(f"{where}: 'id' is empty")
    left.fields |= record.keys() - set(FIELDS)
    return Dialogue(record["id"], record["dialogue"], record["summary"])
