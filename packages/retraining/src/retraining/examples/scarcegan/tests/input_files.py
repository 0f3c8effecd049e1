"""Changes of files: functions of the folder with all groups, `source`, or of one group's, `folder`."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl

Change = Callable[[Path], object]
Bytes = Callable[[bytes], bytes]


def content(out: Path) -> dict[Path, bytes]:
    """All files of an output folder."""
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def save(name: bytes, change: Bytes = bytes) -> Change:
    """The group's file, changed, under another name, which may be no text."""

    def apply(folder: Path) -> None:
        raw = (folder / "part-0000.csv").read_bytes()
        (folder / "part-0000.csv").unlink()
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(change(raw))

    return apply


def rewrite(change: Bytes, group: str = "heavy") -> Change:
    """The bytes of a group's CSV."""
    return lambda source: save(b"part-0000.csv", change)(source / group)


def relined(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    """The lines of a group's CSV, the header first."""
    return rewrite(lambda raw: b"\n".join(change(raw.split(b"\n"))))


def edit(group: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """The table in a group's CSV, whose values are text."""

    def apply(source: Path) -> None:
        path = source / group / "part-0000.csv"
        change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)

    return apply


def put(column: str, value: str, row: int = 3) -> Change:
    """One value."""
    return edit(
        "heavy", lambda table: table.assign(**{column: table[column].where(table.index != row, value)})
    )


def as_parquet(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows) -> Path:
    """A CSV file as a Parquet file."""
    rows = pl.read_csv(path, schema_overrides={"player_id": pl.String}, infer_schema_length=None)
    target = path.with_name(path.stem + ".parquet")
    change(rows).write_parquet(target, row_group_size=100)
    path.unlink()
    return target


def parquet(raw: bytes) -> bytes:
    """The bytes of a CSV file as those of a Parquet file."""
    rows = pl.read_csv(raw, schema_overrides={"player_id": pl.String}, infer_schema_length=None)
    content = io.BytesIO()
    rows.write_parquet(content)
    return content.getvalue()


def column(name: str, to: pl.Expr) -> Change:
    """A column of a group that is a Parquet file."""
    return lambda source: as_parquet(
        source / "heavy" / "part-0000.csv", lambda rows: rows.with_columns(to.alias(name))
    )


def damage(change: Bytes) -> Change:
    """The bytes of a group that is a Parquet file."""

    def apply(source: Path) -> None:
        path = as_parquet(source / "heavy" / "part-0000.csv")
        path.write_bytes(change(path.read_bytes()))

    return apply
