"""Parquet beside CSV: the same rows give the same outputs, and bad files end the job in one line."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import failure
import preprocess
from preparation import table
from preparation.table import Block, Source
from preparation.table_schema import Feature, Schema


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


NUMBERS = st.one_of(
    st.sampled_from(["0", "-0", "1.50", "+2", "7.", ".5", "1e3", "1E-05", "00012", "0.1000000000000000055"]),
    st.floats(-1e6, 1e6).map(repr),
)
KEYS = st.text(st.characters(categories=["L", "N"], include_characters=' ,"-#'), min_size=1).filter(str.strip)
SCHEMA = Schema("id", (Feature("a", -1e6, 1e6, ""), Feature("b", -1e6, 1e6, "")))


@given(
    table_of=st.lists(st.tuples(KEYS, NUMBERS, NUMBERS), min_size=1, unique_by=lambda row: row[0].strip()),
    columns=st.permutations(["id", "a", "b"]),
    around=st.sampled_from(["", " ", "\t "]),
    quoted=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_rows_and_their_lines_say_the_same(
    table_of: list[tuple[str, str, str]], columns: list[str], around: str, quoted: int, end: str, last: bool
) -> None:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, quoting=quoted, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows({"id": f"{around}{key}{around}", "a": a, "b": b} for key, a, b in table_of)
    text = file.getvalue() if last else file.getvalue().removesuffix(end)
    block = Block(Source("heavy", Path("part.csv"), tuple(columns)), 1, text.encode())
    rows = table.parse(block, SCHEMA)
    assert rows.rows() == [(key.strip(), float(a), float(b)) for key, a, b in table_of]
    lines = table.joined(table.lines(block, rows))
    assert lines.count(b"\n") == len(table_of)
    again = Block(Source("heavy", Path("part.csv"), ("id", "a", "b")), 1, lines)
    assert table.parse(again, SCHEMA).equals(rows)
    clean = not around and all(key == key.strip() for key, _, _ in table_of)
    if columns == SCHEMA.columns and end == "\n" and '"' not in text and clean:
        assert lines == text.encode() + b"\n" * (not last), "the numbers as they were written"
