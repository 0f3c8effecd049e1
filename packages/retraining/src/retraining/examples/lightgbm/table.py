"""Reading CSV files as text, so that schema.py alone decides what a value means."""

import csv
import difflib
import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import schema
from failure import InputError

SUFFIXES = (".csv", ".csv.gz")


def read_folder(folder: Path) -> pd.DataFrame:
    """All rows of the CSV files (plain or gzip) in `folder`: the features as text, the target as 0 or 1.

    Columns may come in any order, but must be exactly the schema's. Raises InputError naming file, row (data
    rows count from 1), column and value, and for a folder without rows.
    """
    paths = sorted(path for path in folder.glob("**/*") if path.is_file() and path.name.endswith(SUFFIXES))
    if not paths:
        raise InputError(f"channel {folder.name}: no .csv or .csv.gz file in {folder}")
    rows = pd.concat([read(path) for path in paths], ignore_index=True)
    if rows.empty:
        raise InputError(f"channel {folder.name}: no rows in {folder}, a header alone")
    return rows


def read_parsed(folder: Path) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Parsed rows and labels [n] of a channel. Raises InputError as `read_folder`, and for a single class."""
    rows = read_folder(folder)
    labels = rows.pop(schema.TARGET).to_numpy()
    if len(np.unique(labels)) < 2:
        raise InputError(f"channel {folder.name}: all rows have {schema.TARGET} {labels[0]}; it needs both")
    return schema.parse(rows), labels


def read(path: Path) -> pd.DataFrame:
    """One file, checked as `read_folder` says."""
    rows = read_text(path)
    _check_columns(path, list(rows.columns))
    try:
        schema.parse(rows)
        rows[schema.TARGET] = schema.parse_target(rows[schema.TARGET])
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return rows[[*schema.FEATURES, schema.TARGET]]


def read_text(path: Path) -> pd.DataFrame:
    """A CSV file with a header, all values as text. Raises InputError for a file that is not such."""
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    if not header:
        raise InputError(f"{path}: is empty; the first line must name the columns")
    names = [name.strip() for name in header]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(f"{path}: row {number} has {len(row)} fields where the header has {len(names)}")
    return pd.DataFrame(rows, columns=names, dtype=str)


def _check_columns(path: Path, names: list[str]) -> None:
    expected = [*schema.FEATURES, schema.TARGET]
    if not set(names) & set(expected):
        raise InputError(f"{path}: its first line holds none of the columns' names; is the header missing?")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: column {repeated[0]!r} occurs twice in the header")
    missing = [name for name in expected if name not in names]
    unexpected = [name for name in names if name not in expected]
    if missing:
        near = difflib.get_close_matches(missing[0], unexpected, 1, 0.6)
        hint = f"; is {near[0]!r} another name of it?" if near else ""
        raise InputError(f"{path}: column {missing[0]!r} is missing{hint}")
    if unexpected:
        raise InputError(f"{path}: column {unexpected[0]!r} is not in the schema; leave it out")
