"""Tables of any kind are read, or refused in one line that names file, row and column."""

import csv
import gzip
import io
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_toolkit import tables
from job_toolkit.failure import InputError

COLUMNS = ["id", "amount", "share"]
finite = st.floats(allow_nan=False, allow_infinity=False)
ROWS = [["a", "1.5", "0.25"], ["b", "-2", ""], ["c", "1e3", "1"]]


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    folder = tmp_path / "customers"
    folder.mkdir()
    return folder


def as_csv(rows: list[list[str]], header: list[str] | None = COLUMNS) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([*([header] if header else []), *rows])
    return text.getvalue().encode()


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as raised:
        work()
    return str(raised.value)


def test_the_files_of_a_channel(channel: Path) -> None:
    none = f"channel customers: no .csv, .csv.gz, .parquet file in {channel}"
    assert refused(lambda: tables.files(channel)) == none
    left = ("_SUCCESS", ".hidden.csv", "sub/.x/d.csv", "_temporary/0/e.csv", "_f.parquet", "sub_$folder$")
    for name in left:
        (channel / name).parent.mkdir(parents=True, exist_ok=True)
        (channel / name).touch()
    assert refused(lambda: tables.files(channel)) == none
    for name in ("b.CSV", "sub/a.Csv.GZ", "c.parquet", "D.PARQUET", "x.csv/part.csv"):
        (channel / name).parent.mkdir(parents=True, exist_ok=True)
        (channel / name).touch()
    names = [path.relative_to(channel).as_posix() for path in tables.files(channel)]
    assert names == ["D.PARQUET", "b.CSV", "c.parquet", "sub/a.Csv.GZ", "x.csv/part.csv"]


@pytest.mark.parametrize("name", ["houses.domain", "a.csv.bz2", "a.tsv", "b.xlsx", "part-0000", "sub/c.json"])
def test_a_file_that_would_be_left_out_is_refused(name: str, channel: Path) -> None:
    (channel / "a.csv").touch()
    (channel / name).parent.mkdir(exist_ok=True)
    (channel / name).write_text("x")
    line = f"{channel / name}: is no .csv, .csv.gz, .parquet file; convert it, or move it away"
    assert refused(lambda: tables.files(channel)) == line
    (channel / "a.csv").unlink()
    assert [path.name for path in tables.files(channel, (Path(name).suffix or name,))]


def test_a_link_to_nothing_is_refused(channel: Path) -> None:
    (channel / "a.csv").symlink_to(channel / "gone.csv")
    assert "is a link to a folder or to nothing" in refused(lambda: tables.files(channel))


@pytest.mark.parametrize("mark", list(tables.SEPARATORS))
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("names", [COLUMNS, ["id", "amount, EUR", "share"]])
def test_another_separator_is_named(mark: str, quote: str, names: list[str], channel: Path) -> None:
    path = channel / "a.csv"
    rows = [names, ["a", "1,5", "0,25"], ["b", "-2", ""]]
    path.write_text("\n".join(mark.join(f"{quote}{cell}{quote}" for cell in row) for row in rows) + "\n")
    expected = f"{path}: its columns are separated by {tables.SEPARATORS[mark]}; save it with commas"

    def read() -> None:
        rows = tables.read_text(path)
        tables.check_columns(path, rows.columns, names)

    assert refused(lambda: tables.read_numbers(path, names)) == expected
    if names == COLUMNS:
        assert refused(read) == expected
    path.write_text("\n".join(mark.join(["1,5"] * 3) for _ in range(2)))
    assert f"{tables.SEPARATORS[mark]} separate the line" in refused(lambda: tables.read_text(path, COLUMNS))


def test_every_form_of_a_file_is_the_same_table(channel: Path) -> None:
    plain = as_csv(ROWS)
    contents = {
        "a.csv": plain,
        "b.csv": b"\xef\xbb\xbf" + plain.replace(b"\r\n", b"\n\n"),
        "c.csv.gz": gzip.compress(plain),
        "d.csv": plain.replace(b"a,1.5", b'"a","1.5"').replace(b"id,", b" id ,"),
    }
    expected = pd.DataFrame(ROWS, columns=COLUMNS, dtype=str)
    for name, content in contents.items():
        (channel / name).write_bytes(content)
        pd.testing.assert_frame_equal(tables.read_text(channel / name), expected)
    frame = pd.DataFrame({"id": ["a", "b", "c"], "amount": [1.5, -2.0, 1000.0], "share": [0.25, None, 1.0]})
    frame.to_parquet(channel / "e.parquet")
    found = tables.read_text(channel / "e.parquet")
    assert found["share"].tolist() == ["0.25", "", "1.0"]
    pd.testing.assert_series_equal(
        tables.numbers(found["amount"]), tables.numbers(expected["amount"]), check_index_type=False
    )


def test_whole_numbers_and_booleans_of_parquet_stay_as_they_are(channel: Path) -> None:
    frame = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64"), "b": [True, False, True]})
    frame.to_parquet(channel / "a.parquet")
    assert tables.read_text(channel / "a.parquet").to_numpy().tolist() == [
        ["1", "True"],
        ["", "False"],
        ["3", "True"],
    ]


def test_parquet_needs_pyarrow_or_polars(channel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = channel / "a.parquet"
    pd.DataFrame({"n": [1, 2], "t": ["x", None]}).to_parquet(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert refused(lambda: tables.read_text(path)) == (
        f"{path}: Parquet needs pyarrow or polars; add one to requirements.txt"
    )
    monkeypatch.delitem(sys.modules, "polars")
    pytest.importorskip("polars", reason="the extra polars is not installed")
    assert tables.read_text(path).to_numpy().tolist() == [["1", "x"], ["2", ""]]


def test_a_header_may_be_absent_where_the_columns_are_known(channel: Path) -> None:
    path = channel / "a.csv"
    for content in (as_csv(ROWS, None), as_csv(ROWS), as_csv([row[::-1] for row in ROWS], COLUMNS[::-1])):
        path.write_bytes(content)
        found = tables.read_text(path, COLUMNS)
        assert found[COLUMNS].to_numpy().tolist() == ROWS
    path.write_bytes(as_csv([], COLUMNS))
    assert tables.read_text(path, COLUMNS).empty


BROKEN: list[tuple[str, bytes, str]] = [
    ("a.csv", b"", "is empty; the first line must name the columns"),
    ("a.csv", b"\n\n", "is empty; the first line must name the columns"),
    ("a.csv", as_csv([["a", "1", "2", "3"]]), "row 1 has 4 fields; the columns are 3 (id,amount,share)"),
    ("a.csv", as_csv([*ROWS, ["a"]]), "row 4 has 1 fields; the columns are 3"),
    ("a.csv", as_csv([["a;1;2"]]), "row 1 has 1 fields; the columns are 3, and semicolons separate"),
    ("a.csv", as_csv(ROWS) + b'"open', "cannot be read as CSV"),
    ("a.csv", b"\xff\xfe", "cannot be read as CSV"),
    ("a.csv.gz", b"\x1f\x8b\x08\x00broken", "cannot be read as CSV"),
    ("a.csv.gz", gzip.compress(as_csv(ROWS) * 99, mtime=0)[:-20], "cannot be read as CSV"),
    ("a.parquet", b"PAR1", "cannot be read as Parquet"),
]


@pytest.mark.parametrize(("name", "content", "expected"), BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, expected: str, channel: Path) -> None:
    path = channel / name
    path.write_bytes(content)
    line = refused(lambda: tables.read_text(path))
    assert line.startswith(f"{path}: {expected}")
    assert "\n" not in line


def test_a_file_that_is_not_there_is_named(channel: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "a.parquet"):
        assert str(channel / name) in refused(lambda name=name: tables.read_text(channel / name))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["share", "id", "amount"], None),
        (["id", "share"], "x: column 'amount' is missing"),
        (["id"], "x: column 'amount' is missing (2 columns are missing)"),
        (["id", "Amount", "share"], "x: column 'amount' is missing; is 'Amount' another name of it?"),
        ([*COLUMNS, "more"], "x: column 'more' is not in the schema; leave it out"),
        ([*COLUMNS, "id"], "x: column 'id' occurs twice in the header"),
        (["1", "2"], "x: its first line holds none of the columns' names; is the header missing?"),
        (["id;amount;share"], "x: its columns are separated by semicolons; save it with commas"),
        (["id\tamount\tshare"], "x: its columns are separated by tabs; save it with commas"),
    ],
)
def test_other_columns_are_refused(found: list[str], expected: str | None) -> None:
    if expected is None:
        tables.check_columns("x", found, COLUMNS)
    else:
        assert refused(lambda: tables.check_columns("x", found, COLUMNS)) == expected


def column(values: list[str]) -> "pd.Series[str]":
    return pd.Series(values, name="amount", dtype=str)


@given(st.lists(finite, min_size=1, max_size=20))
def test_numbers_are_read_exactly(values: list[float]) -> None:
    found = tables.numbers(column([f" {value!r} " for value in values]))
    assert found.dtype == np.float64
    assert found.tolist() == values


@given(st.text(max_size=8))
def test_any_text_is_a_number_or_refused_by_its_own_spelling(text: str) -> None:
    try:
        is_number = math.isfinite(float(text)) and "_" not in text
    except ValueError:
        is_number = False
    if is_number:
        assert tables.numbers(column(["1", text])).iloc[1] == float(text)
        return
    with pytest.raises(ValueError, match=r"^row 2: column 'amount' holds ") as raised:
        tables.numbers(column(["1", text]))
    assert repr(text) in str(raised.value)


def test_a_missing_number_is_nan_where_it_may_be_missing() -> None:
    assert np.isnan(tables.numbers(column(["", " "]), missing=True)).all()
    with pytest.raises(ValueError, match=r"holds ''; it takes a finite number \(2 such rows\)$"):
        tables.numbers(column(["", " "]))


@pytest.mark.parametrize(
    ("text", "bounds", "expected"),
    [
        ("lots", (-math.inf, math.inf), "row 2: column 'amount' holds 'lots'; it takes a finite number"),
        ("NaN", (-math.inf, math.inf), "holds 'NaN'; it takes a finite number"),
        ("inf", (0, math.inf), "holds 'inf'; it takes a number of 0 or more"),
        ("-1", (0, math.inf), "holds '-1'; it takes a number of 0 or more"),
        ("2", (-math.inf, 1), "holds '2'; it takes a number of at most 1"),
        ("1.5", (0, 1), "holds '1.5'; it takes a number from 0 to 1"),
        ("1_0", (0, 99), "holds '1_0'; it takes a number from 0 to 99"),
        ("x" * 99, (0, 1), f"holds '{'x' * 60}'; it takes"),
    ],
)
def test_a_value_out_of_its_limits_is_named(text: str, bounds: tuple[float, float], expected: str) -> None:
    with pytest.raises(ValueError, match="column 'amount'") as raised:
        tables.numbers(column(["1", text]), *bounds)
    assert expected in str(raised.value)
    with pytest.raises(ValueError, match=r", or nothing where it is unknown$"):
        tables.numbers(column(["", text]), *bounds, missing=True)


@given(st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=20))
def test_numbers_survive_a_file_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "deep" / "table.csv"
    written = pd.DataFrame(rows, columns=COLUMNS)
    tables.write(written, path)
    pd.testing.assert_frame_equal(tables.read_numbers(path), written, check_exact=True)


def test_a_table_of_numbers(channel: Path) -> None:
    path = channel / "new" / "a.csv"
    written = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)), columns=COLUMNS)
    tables.write(written, path)
    pd.testing.assert_frame_equal(tables.read_numbers(path), written)
    tables.write(written, path, header=False)
    pd.testing.assert_frame_equal(tables.read_numbers(path, COLUMNS), written)
    tables.write(written[COLUMNS[::-1]], path)
    pd.testing.assert_frame_equal(tables.read_numbers(path, COLUMNS), written)
    written[COLUMNS[::-1]].to_parquet(channel / "a.parquet")
    pd.testing.assert_frame_equal(tables.read_numbers(channel / "a.parquet", COLUMNS), written)
    (channel / "a.parquet").unlink()
    written[COLUMNS[1:]].to_parquet(channel / "a.parquet")
    line = refused(lambda: tables.read_numbers(channel / "a.parquet", COLUMNS))
    assert line == f"{channel / 'a.parquet'}: column 'id' is missing"


def test_an_empty_part_of_a_table_may_be_allowed(channel: Path) -> None:
    path = channel / "a.csv"
    for content in (b"", as_csv([])):
        path.write_bytes(content)
        assert tables.read_numbers(path, COLUMNS, may_be_empty=True).shape == (0, 3)
        assert refused(lambda: tables.read_numbers(path, COLUMNS)) == f"{path}: has no rows"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"id,amount\n", "has no rows"),
        (b"id,id\n1,2\n", "column 'id' occurs twice in the header"),
        (b"id,amount\n1,2\n3,x\n", "row 2: column 'amount' holds 'x'; it takes a number from 0 to 5"),
        (b"id,amount\n1,7\n", "row 1: column 'amount' holds '7'; it takes a number from 0 to 5"),
    ],
)
def test_a_table_of_something_else_is_refused(content: bytes, expected: str, channel: Path) -> None:
    path = channel / "a.csv"
    path.write_bytes(content)
    line = refused(lambda: tables.read_numbers(path, limits={"amount": (0, 5)}))
    assert line == f"{path}: {expected}"
