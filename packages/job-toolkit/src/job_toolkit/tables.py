"""Reading tables, CSV or Parquet, with errors that name file, row and column.

A file is read as text first, so that one rule decides what a value means, whatever the file's format and in
training as in serving: `numbers` and `refuse` make columns of text into values. Data rows count from 1; lines
without a field are no rows.
"""

import csv
import difflib
import gzip
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from job_toolkit import processing
from job_toolkit.failure import InputError

CSV, PARQUET = (".csv", ".csv.gz"), ".parquet"
SUFFIXES = (*CSV, PARQUET)
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LONGEST_HEADER = 1 << 20  # characters
Limits = Mapping[str, tuple[float, float]]


def files(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The tables below an input's folder, as processing.files finds them."""
    return processing.files(folder, suffixes)


def read_text(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A file with all values as text; a missing value is "".

    The first line of a CSV file names the columns. With `columns` it need not: then a line of exactly these
    names, in any order, is a header, and anything else is data in the order of `columns`. Raises InputError
    for a file that cannot be read, is empty, or has rows of another width.
    """
    if path.name.lower().endswith(PARQUET):
        return _parquet(path)
    lines = _lines(path, columns)
    names = [name.strip() for name in lines[0]] if lines else []
    if columns is not None and sorted(names) != sorted(columns):
        names = list(columns)
    else:
        del lines[:1]
        if not names:
            raise InputError(f"{path}: is empty; the first line must name the columns")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(names):
            raise InputError(f"{path}: row {number} has {len(line)} fields; {_width(line, names)}")
    return pd.DataFrame(lines, columns=names, dtype=str)


def read_numbers(
    path: Path,
    columns: Sequence[str] | None = None,
    limits: Limits | None = None,
    may_be_empty: bool = False,
) -> pd.DataFrame:
    """A file of finite numbers (float64), each column within its limits, in the order of `columns`.

    Raises InputError as read_text does, for other columns, for a file without rows unless it may be empty,
    and for a value that is no number or out of its limits.
    """
    rows = read_text(path, columns)
    if columns is not None:
        check_columns(path, rows.columns, columns)
        rows = rows[list(columns)]
    check_unique(path, rows.columns)
    if rows.empty and not may_be_empty:
        raise InputError(f"{path}: has no rows")
    try:
        return pd.DataFrame(
            {name: numbers(rows[name], *(limits or {}).get(name, (-math.inf, math.inf))) for name in rows}
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def write(rows: pd.DataFrame, path: Path, header: bool = True) -> None:
    """Write a CSV file; numbers survive exactly. A batch transform takes one without a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False, header=header, encoding="utf-8")


def check_unique(where: object, columns: Iterable[str]) -> None:
    """Raise InputError, beginning with `where`, when a column occurs twice."""
    names = list(columns)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{where}: column {repeated[0]!r} occurs twice in the header")


def check_columns(where: object, columns: Iterable[str], expected: Sequence[str]) -> None:
    """Raise InputError, beginning with `where`, unless the columns are exactly the expected, in any order."""
    names = list(columns)
    _check_separator(where, ",".join(names), expected)
    if not set(names) & set(expected):
        raise InputError(f"{where}: its first line holds none of the columns' names; is the header missing?")
    check_unique(where, names)
    missing = [name for name in expected if name not in names]
    unexpected = [name for name in names if name not in expected]
    if missing:
        near = difflib.get_close_matches(missing[0], unexpected, 1, 0.6)
        hint = f"; is {near[0]!r} another name of it?" if near else ""
        more = f" ({len(missing)} columns are missing)" if len(missing) > 1 else ""
        raise InputError(f"{where}: column {missing[0]!r} is missing{hint}{more}")
    if unexpected:
        raise InputError(f"{where}: column {unexpected[0]!r} is not in the schema; leave it out")


def numbers(
    column: "pd.Series[Any]", low: float = -math.inf, high: float = math.inf, missing: bool = False
) -> "pd.Series[float]":
    """A column of text [n] as float64, exactly as Python reads numbers; where `missing`, "" becomes NaN.

    Raises ValueError with row, column and value of the first that is no finite number from low to high.
    """
    texts = column.str.strip()
    values = pd.Series(_floats(texts), index=column.index, name=column.name, dtype=np.float64)
    wrong = ~(np.isfinite(values) & values.between(low, high))
    if missing:
        wrong &= texts != ""
    if wrong.any():
        bounds = [(low, f"{low:g} or more"), (high, f"at most {high:g}")]
        given = [words for bound, words in bounds if math.isfinite(bound)]
        allowed = {0: "a finite number", 1: f"a number of {''.join(given)}"}.get(
            len(given), f"a number from {low:g} to {high:g}"
        )
        refuse(column, wrong, allowed + (", or nothing where it is unknown" if missing else ""))
    return values


def refuse(column: "pd.Series[Any]", wrong: "pd.Series[bool]", allowed: str) -> None:
    """Raise ValueError with row, column and value of the first wrong one, and what the column takes."""
    position = int(np.flatnonzero(wrong)[0])
    more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
    value = str(column.iloc[position])[:60]
    raise ValueError(f"row {position + 1}: column {column.name!r} holds {value!r}; it takes {allowed}{more}")


def _floats(texts: Iterable[str]) -> NDArray[np.float64]:
    """NaN for what is no number. Underscores, which Python allows in numbers, are none in data."""
    values = list(texts)
    try:
        if not any("_" in text for text in values):
            return np.array(values, dtype=object).astype(np.float64)
    except ValueError:
        pass
    return np.array([_float(text) for text in values], dtype=np.float64)


def _float(text: str) -> float:
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _lines(path: Path, columns: Sequence[str] | None) -> list[list[str]]:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            _check_separator(path, file.readline(_LONGEST_HEADER), columns)
            file.seek(0)
            return [line for line in csv.reader(file, strict=True) if line]
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None


def _check_separator(where: object, header: str, columns: Sequence[str] | None) -> None:
    """Raise InputError for a header that something else than commas separates.

    That is what splits it into more of the columns' names than commas do; where the names are not known, what
    splits a header that commas do not split.
    """
    split = {mark: _names(header, mark) for mark in (",", *SEPARATORS)}
    if columns is None:
        known = {mark: len(names) if len(split[","]) == 1 else 0 for mark, names in split.items()}
    else:
        known = {mark: len(names & set(columns)) for mark, names in split.items()}
    likely = max(known, key=known.__getitem__)  # the first of equal ones: the comma
    if likely != ",":
        raise InputError(f"{where}: its columns are separated by {SEPARATORS[likely]}; save it with commas")


def _names(header: str, mark: str) -> set[str]:
    rows = csv.reader([header.strip("\r\n")], delimiter=mark)
    return {name.strip() for name in next(rows, [])}


def _width(line: list[str], names: list[str]) -> str:
    text = ",".join(line)
    likely = next((mark for mark in SEPARATORS if text.count(mark) == len(names) - 1 > 0), None)
    separated = f", and {SEPARATORS[likely]} separate the line" if likely else ""
    return f"the columns are {len(names)}{separated} ({','.join(names)[:120]})"


def _parquet(path: Path) -> pd.DataFrame:
    """Values as the file has them, as text: whole numbers stay whole where some are missing."""
    try:
        columns = _parquet_columns(path)
    except ImportError:
        raise InputError(f"{path}: Parquet needs pyarrow or polars; add one to requirements.txt") from None
    except Exception as error:  # both libraries have many kinds of them
        raise InputError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    rows = zip(*(values for _, values in columns), strict=True) if columns else ()
    texts = [["" if value is None or value != value else str(value) for value in row] for row in rows]
    return pd.DataFrame(texts, columns=[name for name, _ in columns], dtype=str)


def _parquet_columns(path: Path) -> list[tuple[str, list[Any]]]:
    try:
        from pyarrow import parquet
    except ImportError:
        import polars

        return [(series.name, series.to_list()) for series in polars.read_parquet(path)]
    table = parquet.read_table(path)
    return [
        (name, column.to_pylist()) for name, column in zip(table.column_names, table.columns, strict=True)
    ]
