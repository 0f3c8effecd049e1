"""A group's files, CSV or Parquet, as blocks of rows that are read and checked one by one."""

import csv
import difflib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from data import csv_blocks
from data.csv_blocks import UNREADABLE
from job_toolkit import processing
from job_toolkit.failure import InputError
from preparation.schema import Schema

SUFFIXES = (".csv", ".csv.gz", ".parquet")  # in capitals too
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
PARQUET_ROWS = 32_768  # rows of a block


@dataclass(frozen=True)
class Source:
    """A file of a group, and its columns in its own order."""

    group: str
    path: Path
    columns: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"group {self.group!r}: {self.path}"


@dataclass(frozen=True)
class Block:
    """Rows of a file from row `first` of it on (data rows count from 1): CSV text, or a table."""

    source: Source
    first: int
    data: bytes | pl.DataFrame


def files(folder: Path) -> list[Path]:
    """All files below `folder`, but no hidden ones and no markers, which other programs leave behind.

    Those that are no data files are among them: open_source refuses them, as nobody would miss their rows.
    """
    paths = (path for path in folder.glob("**/*") if path.is_symlink() or not path.is_dir())
    return sorted(path for path in paths if not processing.is_left_behind(path, folder))


def _ends(path: Path, *suffixes: str) -> bool:
    return path.name.lower().endswith(suffixes)


def size(path: Path) -> int:
    """About how many bytes the file's rows have as plain CSV."""
    return path.stat().st_size * (1 if _ends(path, ".csv") else 4)


def open_source(path: Path, group: str, schema: Schema) -> Source:
    """Look at a file's columns. They may come in any order, but must be exactly the schema's.

    Raises InputError for a file that cannot be read, other columns, or a Parquet column of another type.
    """
    where = f"group {group!r}: {path}"
    if not path.is_file():
        raise InputError(
            f"{where}: is no plain file, but a link to a folder or to nothing; put the file there"
        )
    if not _ends(path, *SUFFIXES):
        raise InputError(f"{where}: is no {', '.join(SUFFIXES)} file; convert it, or move it away")
    columns = (_parquet_columns if _ends(path, ".parquet") else _csv_columns)(path, where, schema)
    return Source(group, path, tuple(columns))


def blocks(source: Source) -> Iterator[Block]:
    """The file's rows. Raises InputError when it cannot be read to its end."""
    first = 1
    try:
        if _ends(source.path, ".parquet"):
            for table in pl.scan_parquet(source.path).collect_batches(chunk_size=PARQUET_ROWS):
                if table.height:
                    yield Block(source, first, table)
                first += table.height
            return
        with csv_blocks.open_file(source.path) as file:
            csv_blocks.read_header(file)
            for data in csv_blocks.blocks(file):
                yield Block(source, first, data)
                first += np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    except UNREADABLE as error:
        raise InputError(f"{source.where}: cannot be read as CSV ({csv_blocks.reason(error)})") from None
    except PolarsError as error:
        raise InputError(f"{source.where}: cannot be read as Parquet ({_first_line(error)})") from None


def parse(block: Block, schema: Schema) -> pl.DataFrame:
    """The block with the schema's columns in the schema's order: the key as text, the features as Float64.

    Raises PolarsError where the text is no such table.
    """
    table = block.data
    if isinstance(table, bytes):
        types = {name: schema.types[name] for name in block.source.columns}
        table = pl.read_csv(table, has_header=False, schema=types)
    return table.select(
        pl.col(schema.key).cast(pl.String).str.strip_chars(), pl.col(schema.names).cast(pl.Float64)
    )


def lines(block: Block, rows: pl.DataFrame) -> pl.Series:
    """The parsed rows of the block as CSV lines, without their ends; no key holds a line's end.

    They are the file's own where these will do: to write numbers takes as long as to read them.
    """
    data = block.data
    in_order = list(block.source.columns) == rows.columns
    if isinstance(data, bytes) and in_order and b'"' not in data and b"\r" not in data:
        own = _lines(data)
        if len(own) == rows.height and own.str.starts_with(rows.to_series(0) + ",").all():
            return own
    return _lines(as_csv(rows))


def as_csv(rows: pl.DataFrame, quote_style: Literal["necessary", "never"] = "necessary") -> bytes:
    """Rows as CSV, without a header."""
    text = io.BytesIO()
    rows.write_csv(text, include_header=False, quote_style=quote_style)
    return text.getvalue()


def joined(lines: pl.Series) -> bytes:
    """Lines, each with its end."""
    return as_csv(lines.to_frame(), quote_style="never")


def _lines(text: bytes) -> pl.Series:
    line = {"line": pl.String}
    return pl.read_csv(text, has_header=False, schema=line, separator="\0", quote_char=None).to_series()


def _parquet_columns(path: Path, where: str, schema: Schema) -> list[str]:
    if not str(path).isprintable():
        raise InputError(f"{where}: Parquet is read where the name is UTF-8 text; rename it")
    try:
        types = dict(pl.read_parquet_schema(path))
    except (PolarsError, OSError) as error:
        raise InputError(f"{where}: cannot be read as Parquet ({_first_line(error)})") from None
    _check_names(where, list(types), schema)
    for name in schema.columns:
        is_key, kind = name == schema.key, types[name]
        if not (kind.is_integer() or kind == pl.String if is_key else kind.is_numeric()):
            allowed = "text or whole numbers" if is_key else "numbers"
            raise InputError(f"{where}: column {name!r} is of the type {kind}; {allowed} are expected")
    return list(types)


def _csv_columns(path: Path, where: str, schema: Schema) -> list[str]:
    try:
        with csv_blocks.open_file(path) as file:
            header = csv_blocks.read_header(file)
    except UNREADABLE as error:
        raise InputError(f"{where}: cannot be read as CSV ({csv_blocks.reason(error)})") from None
    if "\r" in header:
        raise InputError(f"{where}: its lines end in a carriage return alone; save it with line feeds")
    if not header:
        raise InputError(f"{where}: is empty, or its first line is; that must name the columns")
    try:
        known = {mark: len({*schema.columns} & {*_fields(header, mark)}) for mark in (",", *SEPARATORS)}
        if (likely := max(known, key=known.__getitem__)) != ",":
            raise InputError(
                f"{where}: its columns are separated by {SEPARATORS[likely]}; save it with commas"
            )
        columns = _fields(header, ",", strict=True)
    except csv.Error as error:
        raise InputError(f"{where}: its first line names no columns ({error}); look at its quotes") from None
    _check_names(where, columns, schema)
    return columns


def _fields(header: str, separator: str, strict: bool = False) -> list[str]:
    return next(csv.reader([header], delimiter=separator, strict=strict))


def _check_names(where: str, header: list[str], schema: Schema) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"{where}: column {repeated[0]!r} occurs twice in the header")
    missing = [name for name in schema.columns if name not in header]
    unexpected = [name for name in header if name not in schema.columns]
    if not missing and not unexpected:
        return
    listed = {"missing": missing, "unexpected": unexpected}
    parts = [f"{kind} column(s) {_listed(names)}" for kind, names in listed.items() if names]
    hint = ""
    for name in missing:
        if not hint and (near := difflib.get_close_matches(name, unexpected, 1, 0.6)):
            hint = f"; was {name!r} renamed to {near[0][:60]!r}?"
    raise InputError(f"{where}: {' and '.join(parts)}{hint}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
