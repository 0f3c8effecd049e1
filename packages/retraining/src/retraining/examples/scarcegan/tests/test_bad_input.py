"""Files and arguments that are not what they should be: one line that says what, where, and what to do."""

import gzip
import os
import shutil
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from input_files import Change, column, damage, edit, parquet, put, relined, rewrite, save
from jobs import MODEL, call, refused, room_for, run

from job_toolkit.failure import InputError
from preparation import schema

NAMES = schema.load(MODEL / "schema.json").names
LABELLED = ("risky", "dormant", "normal", "heavy")
NO_DATA = "is no .csv, .csv.gz, .parquet file; convert it, or move it away"
NO_FILE = "is no plain file, but a link to a folder or to nothing"
NO_UTF8 = "it is not UTF-8, by its byte 0xe9; save it as UTF-8"
ROW = pl.int_range(pl.len())


def more(name: str, content: bytes = b"PK") -> Change:
    """One more file in the group."""
    return lambda source: (source / "heavy" / name).write_bytes(content)


BAD: dict[str, tuple[Change, list[str]]] = {
    # other kinds of files
    "Excel": (more("more.xlsx"), [f"more.xlsx: {NO_DATA}"]),
    "zip": (more("more.zip"), [f"more.zip: {NO_DATA}"]),
    "no suffix": (more("rows"), [f"rows: {NO_DATA}"]),
    "Excel as CSV": (rewrite(lambda raw: b"PK\x03\x04"), ["CSV (it is a zip archive or an Excel file)"]),
    "gzip as CSV": (rewrite(gzip.compress), ["CSV (it is packed by gzip; name it .csv.gz)"]),
    "Parquet as CSV": (rewrite(parquet), ["CSV (it is Parquet; name it .parquet)"]),
    "broken link": (lambda source: (source / "heavy/a.csv").symlink_to("nowhere"), [f"a.csv: {NO_FILE}"]),
    "link to itself": (lambda source: (source / "heavy/a.csv").symlink_to("a.csv"), [f"a.csv: {NO_FILE}"]),
    "link to a folder": (lambda source: (source / "heavy/a").symlink_to("."), [f"a: {NO_FILE}"]),
    "pipe": (lambda source: os.mkfifo(source / "heavy/a.csv"), [f"a.csv: {NO_FILE}"]),
    "broken gzip": (
        lambda source: (source / "heavy" / "x.csv.gz").write_bytes(
            gzip.compress((source / "normal" / "part-0000.csv").read_bytes())[:-2000]
        ),
        ["x.csv.gz", "cannot be read as CSV"],
    ),
    "name that is no UTF-8": (
        lambda source: save(b"p\xff.csv", lambda raw: b"")(source / "heavy"),
        ["heavy/p\\udcff.csv: is empty"],
    ),
    "Parquet of such a name": (
        lambda source: save(b"p\xff.parquet", parquet)(source / "heavy"),
        ["p\\udcff.parquet: Parquet is read where"],
    ),
    # text of other forms
    "Latin-1 in the header": (
        rewrite(lambda raw: raw.replace(b"share", b"shar\xe9", 1)), [f"CSV ({NO_UTF8})"]
    ),
    "Latin-1 in a key": (
        relined(lambda lines: [*lines[:7], b"Andr\xe9" + lines[7], *lines[8:]]),
        [f"part-0000.csv: row 7: cannot be read as CSV ({NO_UTF8})"],
    ),
    "not UTF-8": (rewrite(lambda raw: raw + b"\xff\xfe\n"), ["cannot be read as CSV"]),
    "UTF-16": (rewrite(lambda raw: raw.decode().encode("utf-16")), ["text in UTF-16; save it as UTF-8"]),
    "UTF-16 without a mark": (
        rewrite(lambda raw: raw.decode().encode("utf-16-le")),
        ["it holds zero bytes, as programs' own formats and UTF-16 do; save it as UTF-8"],
    ),
    "semicolons": (
        rewrite(lambda raw: raw.replace(b",", b";")),
        ["its columns are separated by semicolons; save it with commas"],
    ),
    "quoted semicolons": (
        relined(lambda lines: [b'"' + line.replace(b",", b'";"') + b'"' for line in lines]),
        ["its columns are separated by semicolons; save it with commas"],
    ),
    "tabs": (rewrite(lambda raw: raw.replace(b",", b"\t")), ["separated by tabs; save it with commas"]),
    "semicolons in the rows": (
        relined(lambda lines: [lines[0], *(line.replace(b",", b";") for line in lines[1:])]),
        ["row 1: has 1 fields where the header has 51, and semicolons: 'p0"],
    ),
    "carriage returns": (rewrite(lambda raw: raw.replace(b"\n", b"\r")), ["carriage return alone"]),
    "quote in the header": (
        rewrite(lambda raw: b'"' + raw), ["its first line names no columns (unexpected end"]
    ),
    "open quote": (rewrite(lambda raw: raw + b'"p1'), ["look at its quotes"]),
    "quote that nothing closes": (
        relined(lambda lines: [*lines[:5], b'"' + lines[5], *lines[6:]]),
        ['row 5: cannot be read as CSV (unexpected end of data); look at its quotes (")'],
    ),
    "quote that a later row closes": (
        relined(lambda lines: [*lines[:5], b'"' + lines[5], *lines[6:8], b'"' + lines[8][8:], *lines[9:]]),
        ['row 5: has a quote (") that is not closed in its line'],
    ),
    "a row after a quoted line end": (
        relined(lambda lines: [*lines[:5], b'"a\n' + lines[5].replace(b",", b'",', 1), *lines[6:]]),
        ['row 5: has a quote (") that is not closed in its line'],
    ),
    "empty line": (
        relined(lambda lines: [*lines[:5], b"", *lines[5:]]), ["row 5: is an empty line; take it out"]
    ),
    "empty first line": (rewrite(lambda raw: b"\n" + raw), ["is empty, or its first line is"]),
    "zero bytes": (rewrite(lambda raw: b""), ["part-0000.csv: is empty"]),
    "one long line": (rewrite(lambda raw: b"a" * 200_000), ["its first line names no columns (field larger"]),
    # columns
    "missing column": (
        edit("heavy", lambda table: table.drop(columns="night_share")),
        ["part-0000.csv", "missing column(s) 'night_share'"],
    ),
    "renamed column": (
        edit("heavy", lambda table: table.rename(columns={"night_share": "nightshare"})),
        ["missing column(s) 'night_share'", "unexpected column(s) 'nightshare'", "renamed to 'nightshare'"],
    ),
    "extra column": (
        edit("heavy", lambda table: table.assign(shoe_size="44")), ["unexpected column(s) 'shoe_size'"]
    ),
    "column twice": (
        rewrite(lambda raw: raw.replace(b"night_share,", b"active_days,", 1)),
        ["column 'active_days' occurs twice"],
    ),
    "long row": (
        rewrite(lambda raw: raw + b"p1" + b",1" * 51 + b"\n"), ["has 52 fields where the header has 51"]
    ),
    "short row": (rewrite(lambda raw: raw + b"p1,1,1\n"), ["has 3 fields where the header has 51"]),
    "long rows throughout": (
        rewrite(lambda raw: raw.replace(b"\n", b",1\n").replace(b",1\n", b"\n", 1)),
        ["row 1", "has 52 fields"],
    ),
    # values
    "text": (put("stake_mean", "lots"), ["row 4", "column 'stake_mean'", "'lots'", "not a number"]),
    "empty value": (put("stake_mean", ""), ["row 4", "column 'stake_mean' is empty"]),
    "NaN": (put("stake_mean", "NaN"), ["row 4", "'stake_mean'", "'NaN'", "finite"]),
    "infinity": (put("stake_mean", "inf"), ["row 4", "'stake_mean'", "'inf'", "finite"]),
    "out of range": (put("night_share", "1.5"), ["row 4", "'night_share'", "1.5", "range 0 to 1"]),
    "padded number": (put("stake_mean", " 1.5 "), ["row 4", "' 1.5 ', which is not a number"]),
    "digits of another script": (put("stake_mean", "\u0663"), ["row 4", "'stake_mean'", "not a number"]),
    "long number": (put("stake_mean", "9" * 400), [f"holds '{'9' * 60}'; only finite numbers are allowed"]),
    "many": (
        edit("heavy", lambda table: table.assign(night_share="x")),
        ["row 1", "bad values in", "rows of this file"],
    ),
    "all constant": (
        lambda source: [
            edit(group, lambda table: table.assign(**dict.fromkeys(NAMES, "0")))(source)
            for group in (*LABELLED, "unlabelled")
        ],
        ["every feature has the same value in all rows"],
    ),
    # keys
    "no key": (put("player_id", " "), ["row 4", "column 'player_id' is empty"]),
    "long key": (put("player_id", "p" * 300), ["row 4", "a key of 300 bytes; at most 256"]),
    "control character": (put("player_id", "p\x01"), ["row 4", "has no control characters"]),
    "byte order mark in a key": (
        put("player_id", "\ufeffp1"), ["row 4: column 'player_id' holds '\\ufeffp1"]
    ),
    "unit separator at the end of a key": (
        put("player_id", "p1\x1f"), ["\\x1f'; a key has no control characters"]
    ),
    "long number among spaces and keys with a no-break space": (
        relined(
            lambda lines: [
                lines[0],
                *(line.replace(b"p", b"p\xc2\xa0").replace(b",", b", ") for line in lines[1:5]),
                lines[5].rsplit(b",", 1)[0] + b"," + b"9" * 400,
                *lines[6:],
            ]
        ),
        ["row 5: column 'withdrawal_to_deposit_ratio' holds '9999"],
    ),
    "player twice": (
        edit("normal", lambda table: pd.concat([table, table.head(1)])),
        ["group 'normal'", "player_id 'p", "occurs twice"],
    ),
    "unlabelled player twice": (
        edit("unlabelled", lambda table: pd.concat([table, table.head(2)])),
        ["group 'unlabelled'", "player_id 'p", "occurs twice (2 keys do)"],
    ),
    "player in two groups": (
        lambda source: shutil.copy(source / "normal" / "part-0000.csv", source / "heavy" / "copy.csv"),
        ["player_id 'p", "'normal' and 'heavy'"],
    ),
    "every unlabelled player has a label": (
        lambda source: shutil.copy(source / "normal/part-0000.csv", source / "unlabelled/part-0000.csv"),
        ["group 'unlabelled'", "the player_id of every row has a label"],
    ),
    # too few rows
    "empty class": (
        rewrite(lambda raw: raw.split(b"\n")[0] + b"\n", "risky"),
        ["group 'risky'", "no rows in", "input/risky"],
    ),
    "no files": (
        lambda source: shutil.rmtree(source / "dormant"), ["group 'dormant'", "no .csv", "input/dormant"]
    ),
    "too few": (
        edit("risky", lambda table: table.head(2)), ["group 'risky'", "2 rows are too few", "3 folds"]
    ),
    "few unlabelled": (
        edit("unlabelled", lambda table: table.head(2)),
        ["group 'unlabelled'", "2 rows are fewer than 3 folds"],
    ),
    # Parquet
    "column of text": (
        column("stake_mean", pl.lit("1")), ["column 'stake_mean' is of the type String; numbers"]
    ),
    "boolean": (column("stake_mean", pl.lit(True)), ["'stake_mean' is of the type Boolean; numbers"]),
    "key of numbers": (column("player_id", pl.lit(1.5)), ["'player_id' is of the type Float64; text or"]),
    "null": (
        column("stake_mean", pl.when(ROW == 3).then(None).otherwise(0.5)),
        ["part-0000.parquet: row 4: column 'stake_mean' is empty"],
    ),
    "NaN in Parquet": (
        column("stake_mean", pl.when(ROW == 3).then(float("nan")).otherwise(0.5)),
        ["row 4: column 'stake_mean' holds 'nan'; only finite"],
    ),
    "null key": (column("player_id", pl.when(ROW != 3).then(pl.col("player_id"))), ["row 4", "is empty"]),
    "extra column in Parquet": (column("more", pl.lit(1)), ["unexpected column(s) 'more'"]),
    "cut off": (damage(lambda raw: raw[:-100]), ["part-0000.parquet: cannot be read as Parquet"]),
    "corrupt": (
        damage(lambda raw: raw[:200] + bytes(2000) + raw[2200:]),
        ["part-0000.parquet: cannot be read as Parquet"],
    ),
    "no bytes": (damage(lambda raw: b""), ["part-0000.parquet: cannot be read as Parquet"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line_and_no_output(case: str, base: Path) -> None:
    change, texts = BAD[case]
    change(base / "input")
    line = refused("preprocess.py", "--base", base)
    for text in texts:
        assert text in line
    if not any(text.startswith(("group ", "every ", "player_id ")) for text in texts):
        assert line.startswith("Error: group 'heavy': ")
    assert not (base / "output").exists()


def test_all_problems_are_told_at_once(base: Path) -> None:
    source = base / "input"
    put("stake_mean", "inf")(source)
    put("night_share", "7")(source)
    edit("risky", lambda table: table.assign(stake_mean="x"))(source)
    edit("unlabelled", lambda table: pd.concat([table, table.head(1)]))(source)
    rows = len(pd.read_csv(source / "risky" / "part-0000.csv"))
    ended = call("preprocess.py", "--base", base)
    assert ended.code == 1
    assert "group 'risky'" in ended.err
    assert "row 1: column 'stake_mean' holds 'x'" in ended.err
    assert f"({rows} bad values in {rows} rows of this file)" in ended.err
    assert f"{rows + 2} problems:" in ended.out
    outside = "column 'night_share' holds 7, outside the schema's range 0 to 1"
    assert f"{outside} (2 bad values in 1 rows of this file)" in ended.out
    assert "column 'stake_mean' holds 'inf'; only finite numbers are allowed" in ended.out


def test_a_bad_value_hides_no_repeated_key(base: Path) -> None:
    put("night_share", "7")(base / "input")
    edit("heavy", lambda table: pd.concat([table, table.head(1)]))(base / "input")
    ended = call("preprocess.py", "--base", base)
    assert "2 problems:" in ended.out
    assert "column 'night_share' holds 7" in ended.err
    assert "occurs twice (1 keys do)" in ended.out


def test_two_bad_files_with_odd_names_are_both_told(base: Path) -> None:
    for group in ("heavy", "risky"):
        save(b"p\xff.csv", lambda raw: b"")(base / "input" / group)
    ended = call("preprocess.py", "--base", base)
    assert ended.code == 1
    assert "2 problems:" in ended.out
    assert "heavy/p\\udcff.csv: is empty" in ended.out
    assert "risky/p\\udcff.csv: is empty" in ended.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--test-fraction", "1.5"], "--test-fraction must be between 0 and 1"),
        (["--test-fraction", "0.6", "--validation-fraction", "0.5"], "together"),
        (
            ["--test-fraction", "0.99", "--validation-fraction", "0.005"],
            "take lower fractions for validation",
        ),
        (["--folds", "1"], "--folds must be between 2 and 100"),
        (["--folds", "three"], "--folds"),
        (["--fold", "3"], "unrecognized arguments: --fold"),
        (["--groups", "risky"], "at least two different groups"),
        (["--groups", "risky,../normal"], "without a slash or leading dot"),
        (["--groups", "risky,p\udcff"], "must be the name of a folder, in UTF-8"),
        (["--schema", "nowhere.json"], "nowhere.json: cannot be read"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], text: str, base: Path) -> None:
    assert text in refused("preprocess.py", "--base", base, *arguments)


def test_a_base_that_is_no_folder_is_named(tmp_path: Path) -> None:
    line = refused("preprocess.py", "--base", tmp_path / "nowhere")
    assert f"--base {tmp_path}/nowhere is no folder" in line


def test_the_process_itself_ends_without_a_traceback(base: Path) -> None:
    put("stake_mean", "lots")(base / "input")
    done = run("preprocess.py", "--base", base)
    assert done.returncode == 1
    assert done.stderr == (base.parent / "output" / "message").read_text()
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("size", [1_000, 20_000])
def test_a_full_disk_ends_the_preprocessing_in_one_line(size: int, base: Path) -> None:
    with room_for(size):
        line = refused("preprocess.py", "--base", base)
    assert line.startswith(f"Error: {base.parent}: cannot be opened or written (File too large); make room")
    assert sorted(path.name for path in base.iterdir()) == ["input"]


@pytest.mark.parametrize("place", ["output", "output/test", "output/unlabelled_folds/fold_0.csv"])
def test_an_output_in_the_way_ends_the_preprocessing_in_one_line(place: str, base: Path) -> None:
    if place.endswith(".csv"):
        (base / place / "folder").mkdir(parents=True)
    else:
        (base / place).parent.mkdir(exist_ok=True)
        (base / place).write_text("in the way")
    line = refused("preprocess.py", "--base", base)
    assert line.startswith(f"Error: {base}/output")
    assert line.endswith("; move it out of the way")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("[", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"features": []}', "'key'"),
        ('{"key": "id", "features": []}', "at least one feature"),
        ('{"key": "id", "features": [{"name": "a", "min": 2, "max": 1}]}', "feature 1 ('a')"),
        ('{"key": "a", "features": [{"name": "a", "min": 0, "max": 1}]}', "'a' is listed twice"),
        ('{"key": "label", "features": [{"name": "a", "min": 0, "max": 1}]}', "must not be 'label'"),
        (
            '{"key": "id", "features": [{"name": " a", "min": 0, "max": 1}]}',
            "column ' a' must be text on one",
        ),
        ('{"key": "id", "features": [{"name": "\\ud800", "min": 0, "max": 1}]}', "column '\\ud800' must be"),
    ],
)
def test_a_broken_schema_is_named(document: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(document)
    with pytest.raises(InputError) as raised:
        schema.load(tmp_path / "schema.json")
    assert text in str(raised.value)
