"""Parquet beside CSV: the same rows give the same outputs, and bad files end the job in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import failure
import preprocess


def prepare(base: Path, *arguments: str) -> int:
    argv = ["--base", str(base / "processing"), *arguments]
    return failure.run(lambda: preprocess.main(argv), base / "output" / "message")


@pytest.fixture
def base(tmp_path: Path, small: Path) -> Path:
    shutil.copytree(small, tmp_path / "processing" / "input")
    return tmp_path


def as_parquet(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows) -> Path:
    rows = pl.read_csv(path, schema_overrides={"player_id": pl.String}, infer_schema_length=None)
    target = path.with_name(path.stem + ".parquet")
    change(rows).write_parquet(target, row_group_size=100)
    path.unlink()
    return target


def test_parquet_gives_the_outputs_of_csv(base: Path) -> None:
    assert prepare(base) == 0
    out = base / "processing" / "output"
    first = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    for group in ("risky", "normal", "unlabelled"):
        path = base / "processing" / "input" / group / "part-0000.csv"
        as_parquet(path, lambda rows: rows.select(reversed(rows.columns)))
    assert prepare(base) == 0
    assert {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()} == first


def column(name: str, to: pl.Expr) -> Callable[[Path], object]:
    def change(source: Path) -> None:
        as_parquet(source / "heavy" / "part-0000.csv", lambda rows: rows.with_columns(to.alias(name)))

    return change


def damage(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def apply(source: Path) -> None:
        path = as_parquet(source / "heavy" / "part-0000.csv")
        path.write_bytes(change(path.read_bytes()))

    return apply


def test_a_parquet_file_without_rows_adds_none(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = base / "processing" / "input"
    risky = source / "risky" / "part-0000.csv"
    rows = pl.read_csv(risky, schema_overrides={"player_id": pl.String}, infer_schema_length=None)
    rows.clear().write_parquet(risky.with_name("empty.parquet"))
    assert prepare(base) == 0
    risky.unlink()
    assert prepare(base) == 1
    assert "group 'risky': no rows in" in capsys.readouterr().err


ROW = pl.int_range(pl.len())
BAD: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "text": (column("stake_mean", pl.lit("1")), ["column 'stake_mean' is of the type String; numbers"]),
    "boolean": (column("stake_mean", pl.lit(True)), ["'stake_mean' is of the type Boolean; numbers"]),
    "key of numbers": (column("player_id", pl.lit(1.5)), ["'player_id' is of the type Float64; text or"]),
    "missing": (
        column("stake_mean", pl.when(ROW == 3).then(None).otherwise(0.5)),
        ["part-0000.parquet: row 4: column 'stake_mean' is empty"],
    ),
    "NaN": (
        column("stake_mean", pl.when(ROW == 3).then(float("nan")).otherwise(0.5)),
        ["row 4: column 'stake_mean' holds 'nan'; only finite"],
    ),
    "no key": (column("player_id", pl.when(ROW != 3).then(pl.col("player_id"))), ["row 4", "is empty"]),
    "extra": (column("more", pl.lit(1)), ["unexpected column(s) 'more'"]),
    "cut off": (damage(lambda raw: raw[:-100]), ["part-0000.parquet: cannot be read as Parquet"]),
    "corrupt": (
        damage(lambda raw: raw[:200] + bytes(2000) + raw[2200:]),
        ["part-0000.parquet: cannot be read as Parquet"],
    ),
    "zero bytes": (damage(lambda raw: b""), ["part-0000.parquet: cannot be read as Parquet"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parquet_ends_with_one_line(case: str, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, texts = BAD[case]
    change(base / "processing" / "input")
    assert prepare(base) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: group 'heavy'")
    for text in texts:
        assert text in line
    assert not (base / "processing" / "output").exists()
