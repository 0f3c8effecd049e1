"""Files that are not what they should be: which are read or left out, and what is said of the rest."""

import gzip
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import failure
import preprocess

Change = Callable[[Path], object]


def prepare(base: Path, *arguments: str) -> int:
    argv = ["--base", str(base / "processing"), *arguments]
    return failure.run(lambda: preprocess.main(argv), base / "output" / "message")


@pytest.fixture
def base(tmp_path: Path, small: Path) -> Path:
    shutil.copytree(small, tmp_path / "processing" / "input")
    return tmp_path


def heavy(base: Path) -> Path:
    return base / "processing" / "input" / "heavy"


def outputs(base: Path) -> dict[Path, bytes]:
    files = (base / "processing" / "output").rglob("*")
    return {path: path.read_bytes() for path in sorted(files) if path.is_file()}


def save(name: bytes, change: Callable[[bytes], bytes] = lambda raw: raw) -> Change:
    """The group's file, changed, under another name, which may be no text."""

    def apply(folder: Path) -> None:
        raw = (folder / "part-0000.csv").read_bytes()
        (folder / "part-0000.csv").unlink()
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(change(raw))

    return apply


def as_parquet(raw: bytes) -> bytes:
    rows = pl.read_csv(raw, schema_overrides={"player_id": pl.String}, infer_schema_length=None)
    content = io.BytesIO()
    rows.write_parquet(content)
    return content.getvalue()


def test_suffixes_may_be_in_capitals(base: Path) -> None:
    assert prepare(base) == 0
    first = outputs(base)
    for number, (name, change) in enumerate(
        ((b"DATA.CSV", bytes), (b"d.Csv.GZ", gzip.compress), (b"D.PARQUET", as_parquet))
    ):
        folder = heavy(base).parent / ("heavy", "normal", "risky")[number]
        save(name, change)(folder)
    assert prepare(base) == 0
    assert outputs(base) == first


def test_what_other_programs_leave_behind_is_left_out(base: Path) -> None:
    folder = heavy(base)
    for name in ("_SUCCESS", "_committed_17", "_delta_log/0.json", ".part.csv.crc", "heavy_$folder$"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("" if name.endswith("$") else "x")
    (folder / "x.csv").mkdir()
    save(b"x.csv/part.csv")(folder)
    assert prepare(base) == 0


def rows(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    """A change of the lines of the group's file, the header first."""
    return save(b"part-0000.csv", lambda raw: b"\n".join(change(raw.split(b"\n"))))


def raw(change: Callable[[bytes], bytes]) -> Change:
    return save(b"part-0000.csv", change)


NO_DATA = "is no .csv, .csv.gz, .parquet file; convert it, or move it away"
NO_FILE = "is no plain file, but a link to a folder or to nothing"
NO_UTF8 = "it is not UTF-8, by its byte 0xe9; save it as UTF-8"
BAD: dict[str, tuple[Change, str]] = {
    "Excel": (lambda folder: (folder / "more.xlsx").write_bytes(b"PK"), f"more.xlsx: {NO_DATA}"),
    "zip": (lambda folder: (folder / "more.zip").write_bytes(b"PK"), f"more.zip: {NO_DATA}"),
    "no suffix": (lambda folder: (folder / "rows").write_text("a,b"), f"rows: {NO_DATA}"),
    "Excel as CSV": (raw(lambda raw: b"PK\x03\x04"), "CSV (it is a zip archive or an Excel file)"),
    "gzip as CSV": (raw(gzip.compress), "CSV (it is packed by gzip; name it .csv.gz)"),
    "Parquet as CSV": (raw(as_parquet), "CSV (it is Parquet; name it .parquet)"),
    "broken link": (lambda folder: (folder / "a.csv").symlink_to("nowhere"), f"a.csv: {NO_FILE}"),
    "link to itself": (lambda folder: (folder / "a.csv").symlink_to("a.csv"), f"a.csv: {NO_FILE}"),
    "link to a folder": (lambda folder: (folder / "a").symlink_to("."), f"a: {NO_FILE}"),
    "pipe": (lambda folder: os.mkfifo(folder / "a.csv"), f"a.csv: {NO_FILE}"),
    "Latin-1 in the header": (raw(lambda raw: raw.replace(b"share", b"shar\xe9", 1)), f"CSV ({NO_UTF8})"),
    "Latin-1 in a key": (
        rows(lambda lines: [*lines[:7], b"Andr\xe9" + lines[7], *lines[8:]]),
        f"part-0000.csv: row 7: cannot be read as CSV ({NO_UTF8})",
    ),
    "byte order mark in a key": (
        rows(lambda lines: [*lines[:7], b"\xef\xbb\xbf" + lines[7], *lines[8:]]),
        "row 7: column 'player_id' holds '\\ufeffp0",
    ),
    "unit separator at the end of a key": (
        rows(lambda lines: [*lines[:7], lines[7].replace(b",", b"\x1f,", 1), *lines[8:]]),
        "\\x1f'; a key has no control characters",
    ),
    "long number among spaces and keys with a no-break space": (
        rows(
            lambda lines: [
                lines[0],
                *(line.replace(b"p", b"p\xc2\xa0").replace(b",", b", ") for line in lines[1:5]),
                lines[5].rsplit(b",", 1)[0] + b"," + b"9" * 400,
                *lines[6:],
            ]
        ),
        "row 5: column 'withdrawal_to_deposit_ratio' holds '9999",
    ),
    "UTF-16": (raw(lambda raw: raw.decode().encode("utf-16")), "it is text in UTF-16; save it as UTF-8"),
    "UTF-16 without a mark": (
        raw(lambda raw: raw.decode().encode("utf-16-le")),
        "it holds zero bytes, as programs' own formats and UTF-16 do; save it as UTF-8",
    ),
    "semicolons": (
        raw(lambda raw: raw.replace(b",", b";")),
        "its columns are separated by semicolons; save it with commas",
    ),
    "quoted semicolons": (
        rows(lambda lines: [b'"' + line.replace(b",", b'";"') + b'"' for line in lines]),
        "its columns are separated by semicolons; save it with commas",
    ),
    "tabs": (raw(lambda raw: raw.replace(b",", b"\t")), "separated by tabs; save it with commas"),
    "semicolons in the rows": (
        rows(lambda lines: [lines[0], *(line.replace(b",", b";") for line in lines[1:])]),
        "row 1: has 1 fields where the header has 51, and semicolons: 'p0",
    ),
    "quote in the header": (raw(lambda raw: b'"' + raw), "its first line names no columns (unexpected end"),
    "quote that nothing closes": (
        rows(lambda lines: [*lines[:5], b'"' + lines[5], *lines[6:]]),
        'row 5: cannot be read as CSV (unexpected end of data); look at its quotes (")',
    ),
    "quote that a later row closes": (
        rows(lambda lines: [*lines[:5], b'"' + lines[5], *lines[6:8], b'"' + lines[8][8:], *lines[9:]]),
        'row 5: has a quote (") that is not closed in its line',
    ),
    "a row after a quoted line end": (
        rows(lambda lines: [*lines[:5], b'"a\n' + lines[5].replace(b",", b'",', 1), *lines[6:]]),
        'row 5: has a quote (") that is not closed in its line',
    ),
    "empty line": (rows(lambda lines: [*lines[:5], b"", *lines[5:]]), "row 5: is an empty line; take it out"),
    "empty first line": (raw(lambda raw: b"\n" + raw), "is empty, or its first line is"),
    "one long line": (raw(lambda raw: b"a" * 200_000), "its first line names no columns (field larger"),
    "long number": (
        rows(lambda lines: [*lines[:5], lines[5].rsplit(b",", 1)[0] + b"," + b"9" * 400, *lines[6:]]),
        f"holds '{'9' * 60}'; only finite numbers are allowed",
    ),
    "name that is no UTF-8": (save(b"p\xff.csv", lambda raw: b""), "heavy/p\\udcff.csv: is empty"),
    "Parquet of such a name": (save(b"p\xff.parquet", as_parquet), "p\\udcff.parquet: Parquet is read where"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_that_says_why(
    case: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, text = BAD[case]
    change(heavy(base))
    assert prepare(base) == 1
    assert "Traceback" not in capsys.readouterr().err
    reason = (base / "output" / "message").read_text()
    assert reason.startswith("Error: group 'heavy': ")
    assert text in reason
    assert reason.count("\n") == 1
    assert not (base / "processing" / "output").exists()


def test_a_csv_file_is_read_whatever_bytes_its_name_has(base: Path) -> None:
    assert prepare(base) == 0
    first = outputs(base)
    save(b"p\xff.csv")(heavy(base))
    assert prepare(base) == 0
    assert outputs(base) == first


@pytest.mark.parametrize(
    "change", [lambda raw: b"\xef\xbb\xbf" + raw, lambda raw: raw.replace(b"\n", b"\r\n")]
)
def test_marks_and_line_ends_of_windows_do_not_matter(change: Callable[[bytes], bytes], base: Path) -> None:
    assert prepare(base) == 0
    first = outputs(base)
    raw(change)(heavy(base))
    assert prepare(base) == 0
    assert outputs(base) == first


def test_two_bad_files_with_odd_names_are_both_told(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for group in ("heavy", "risky"):
        save(b"p\xff.csv", lambda raw: b"")(base / "processing" / "input" / group)
    assert prepare(base) == 1
    told = capsys.readouterr().out
    assert "2 problems:" in told
    assert "heavy/p\\udcff.csv: is empty" in told
    assert "risky/p\\udcff.csv: is empty" in told


def test_a_group_whose_name_is_no_text_is_refused(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(base, "--groups", "risky,p\udcff") == 1
    assert "must be the name of a folder, in UTF-8" in capsys.readouterr().err
