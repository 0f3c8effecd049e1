"""Reading a group's CSV files: every value is a number within its range, or the job says which one is not."""

import csv
import difflib
import gzip
import math
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from failure import InputError
from table_schema import Schema

SUFFIXES = (".csv", ".csv.gz")
UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error)


def read_group(folder: Path, group: str, schema: Schema) -> pd.DataFrame:
    """All rows of the CSV files (plain or gzip) in `folder`, with the schema's columns in the schema's order.

    Columns may come in any order, but must be exactly the schema's. Raises InputError naming group, file, row
    (data rows count from 1), column and value for a bad file, header, value or key, and for a group without
    rows.
    """
    paths = sorted(path for path in folder.glob("**/*") if path.is_file() and path.name.endswith(SUFFIXES))
    if not paths:
        raise InputError(f"group {group!r}: no .csv or .csv.gz file in {folder}")
    tables = [_read(path, group, schema) for path in paths]
    if not sum(len(table) for table in tables):
        raise InputError(f"group {group!r}: no rows in {folder} ({len(paths)} file(s) with a header alone)")
    rows = pd.concat(tables, ignore_index=True)
    repeated = rows[schema.key].duplicated()
    if repeated.any():
        count, first = int(repeated.sum()), rows[schema.key][repeated].iloc[0]
        raise InputError(
            f"group {group!r}: {schema.key} {first!r} occurs twice ({count} repeated rows in {folder})"
        )
    return rows


def _read(path: Path, group: str, schema: Schema) -> pd.DataFrame:
    where = f"group {group!r}: {path}"
    try:
        with _open(path) as file:
            _check_header(where, next(csv.reader(file), []), schema)
        types = dict.fromkeys(schema.names, np.float64) | {schema.key: str}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                dtype=types,
                index_col=False,
                na_filter=False,
                encoding="utf-8-sig",
                skip_blank_lines=False,
            )
    except UNREADABLE as error:
        raise InputError(f"{where}: cannot be read as CSV ({error})") from None
    except (ValueError, pd.errors.ParserWarning) as error:
        raise _find_fault(where, path, schema) or InputError(
            f"{where}: cannot be read as CSV ({error})"
        ) from None
    table = table[schema.columns]
    values = table[schema.names].to_numpy()
    low = np.array([feature.minimum for feature in schema.features])
    high = np.array([feature.maximum for feature in schema.features])
    keys = table[schema.key].str.strip()
    if not ((values >= low) & (values <= high)).all() or (keys == "").any():
        raise _find_fault(where, path, schema) or InputError(f"{where}: a value is not allowed by the schema")
    return table.assign(**{schema.key: keys})


def _open(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _check_header(where: str, header: list[str], schema: Schema) -> None:
    if not header:
        raise InputError(f"{where}: is empty; the first line must name the columns")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"{where}: column {repeated[0]!r} occurs twice in the header")
    missing = [name for name in schema.columns if name not in header]
    unexpected = [name for name in header if name not in schema.columns]
    if not missing and not unexpected:
        return
    parts = []
    if missing:
        parts.append(f"missing column(s) {_listed(missing)}")
    if unexpected:
        parts.append(f"unexpected column(s) {_listed(unexpected)}")
    near = [
        (name, match) for name in missing for match in difflib.get_close_matches(name, unexpected, 1, 0.6)
    ]
    hint = f"; was {near[0][0]!r} renamed to {near[0][1]!r}?" if near else ""
    raise InputError(f"{where}: {' and '.join(parts)}{hint}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _find_fault(where: str, path: Path, schema: Schema) -> InputError | None:
    """Go through the file slowly: the first fault in full, and how many rows have one."""
    faults = []
    with _open(path) as file:
        reader = csv.reader(file)
        header = next(reader)
        try:
            for number, row in enumerate(reader, start=1):
                faults += _faults(number, row, header, schema)
        except UNREADABLE as error:
            faults.append((reader.line_num, f"cannot be read as CSV ({error})"))
    if not faults:
        return None
    number, text = faults[0]
    rows = len({row for row, _ in faults})
    more = f" ({len(faults)} bad values in {rows} rows of this file)" if len(faults) > 1 else ""
    return InputError(f"{where}: row {number}: {text}{more}")


def _faults(number: int, row: list[str], header: list[str], schema: Schema) -> Iterator[tuple[int, str]]:
    if len(row) != len(header):
        yield number, f"has {len(row)} fields where the header has {len(header)}"
        return
    ranges = {feature.name: feature for feature in schema.features}
    for name, text in zip(header, row, strict=True):
        if name == schema.key:
            if not text.strip():
                yield number, f"column {name!r} is empty"
            continue
        value = _number(text)
        if value is None:
            yield (
                number,
                f"column {name!r} holds {text!r}, which is not a number"
                if text.strip()
                else (f"column {name!r} is empty"),
            )
        elif not math.isfinite(value):
            yield number, f"column {name!r} holds {text!r}; only finite numbers are allowed"
        elif not ranges[name].minimum <= value <= ranges[name].maximum:
            allowed = f"{ranges[name].minimum:g} to {ranges[name].maximum:g}"
            yield number, f"column {name!r} holds {text}, outside the schema's range {allowed}"


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
