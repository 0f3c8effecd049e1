import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import MODEL, Chain, run

import dataset
import failure
import preprocess
import scaler
from preparation import outputs, table_schema

COLUMNS = table_schema.load(MODEL / "schema.json")
LABELLED = ("risky", "dormant", "normal", "heavy")
Change = Callable[[Path], object]


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={0: str})


def prepare(base: Path, *arguments: str) -> int:
    """The job in this process, with the exit code and the reason file of the real one."""
    argv = ["--base", str(base / "processing"), *arguments]
    return failure.run(lambda: preprocess.main(argv), base / "output" / "message")


@pytest.fixture
def base(tmp_path: Path, small: Path) -> Path:
    shutil.copytree(small, tmp_path / "processing" / "input")
    return tmp_path


def test_there_are_ten_outputs(chain: Chain) -> None:
    assert sorted(path.name for path in chain.preprocessed.iterdir()) == sorted(outputs.OUTPUTS)
    assert len(outputs.OUTPUTS) == 10
    for path in chain.preprocessed.rglob("data.csv"):
        assert list(read(path).columns) == COLUMNS.columns


def test_no_player_is_in_two_splits_and_none_is_lost(chain: Chain) -> None:
    out = chain.preprocessed
    source = chain.root / "preprocess" / "input"
    places = ("train_label/label.csv", "validation_label/label.csv", "test/label.csv")
    labels = pd.concat([read(out / place) for place in places])
    expected = {
        key: group for group in LABELLED for key in read(source / group / "part-0000.csv")["player_id"]
    }
    assert labels["player_id"].is_unique
    assert dict(zip(labels["player_id"], labels["label"], strict=True)) == expected
    for place in places:
        folder = "test" if place.startswith("test") else place.split("_")[0] + "_data"
        assert list(read(out / place)["player_id"]) == list(read(out / folder / "data.csv")["player_id"])
    unlabelled = pd.concat([read(path) for path in sorted((out / "unlabelled_folds").iterdir())])
    assert unlabelled["player_id"].is_unique
    assert set(unlabelled["player_id"]) == set(read(source / "unlabelled" / "part-0000.csv")["player_id"])
    assert not set(unlabelled["player_id"]) & set(expected)


def test_splits_are_stratified(chain: Chain) -> None:
    out = chain.preprocessed
    counts = {
        name: read(out / place)["label"].value_counts()
        for name, place in (
            ("train", "train_label/label.csv"),
            ("validation", "validation_label/label.csv"),
            ("test", "test/label.csv"),
        )
    }
    total = sum(counts.values())
    for group in LABELLED:
        assert abs(counts["validation"][group] - 0.2 * total[group]) <= 0.5
        assert abs(counts["test"][group] - 0.2 * total[group]) <= 0.5


def test_folds_hold_each_row_out_once_and_never_a_test_row(chain: Chain) -> None:
    out = chain.preprocessed
    held_out, test = [], set(read(out / "test/label.csv")["player_id"])
    for number in range(3):
        train = read(out / f"kfold_train_label/fold_{number}.csv")
        validation = read(out / f"kfold_validation_label/fold_{number}.csv")
        for name, rows in (("train", train), ("validation", validation)):
            data = read(out / f"kfold_{name}_data/fold_{number}.csv")
            assert list(data["player_id"]) == list(rows["player_id"])
            assert set(rows["label"]) == set(LABELLED)
        assert not set(train["player_id"]) & set(validation["player_id"])
        assert not test & (set(train["player_id"]) | set(validation["player_id"]))
        held_out += list(validation["player_id"])
    everything = [read(out / f"{name}_label/label.csv")["player_id"] for name in ("train", "validation")]
    assert sorted(held_out) == sorted(pd.concat(everything))


def test_a_first_group_that_is_not_the_scarcest_is_told(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {group: len(read(base / f"processing/input/{group}/part-0000.csv")) for group in LABELLED}
    assert rows["risky"] == min(rows.values())
    assert prepare(base) == 0
    assert "Warning" not in capsys.readouterr().out
    assert prepare(base, "--groups", "normal,dormant,risky,heavy") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: ")]
    assert line == (
        f"Warning: the first group is the scarce class, but 'normal' has {rows['normal']} rows and 'risky' "
        f"{rows['risky']}; if 'risky' is the scarce one, write it first in groups, of preprocess and of train"
    )


def test_the_scaler_is_fitted_on_the_training_rows_alone(chain: Chain) -> None:
    fitted = scaler.load(chain.preprocessed / "train_data" / "scaler.json")
    raw = read(chain.preprocessed / "train_data" / "data.csv")[COLUMNS.names].to_numpy()
    again = scaler.fit(COLUMNS.names, raw)
    assert again == fitted
    scaled = fitted.transform(raw)
    assert np.abs(scaled).max() <= scaler.CLIP
    assert np.abs(scaled.mean(axis=0)).max() < 0.1


def test_a_constant_feature_scales_to_zero() -> None:
    fitted = scaler.fit(["a", "b"], np.array([[3.0, 1.0], [3.0, 2.0]]))
    assert fitted.transform(np.array([[3.0, 1.0]]))[0, 0] == 0


def test_number_and_compression_of_the_files_do_not_matter(base: Path, tmp_path: Path) -> None:
    assert prepare(base) == 0
    first = {p: p.read_bytes() for p in sorted((base / "processing" / "output").rglob("*")) if p.is_file()}
    part = base / "processing" / "input" / "normal" / "part-0000.csv"
    rows = part.read_text().splitlines()
    (part.parent / "z.csv.gz").write_bytes(gzip.compress("\n".join([rows[0], *rows[1:40]]).encode()))
    columns = list(reversed(rows[0].split(",")))
    reordered = pd.read_csv(part, dtype=str).iloc[39:][columns]
    reordered.to_csv(part, index=False)
    assert prepare(base) == 0
    assert {path: path.read_bytes() for path in first} == first


def test_fewer_folds_in_a_second_run_leave_no_old_ones(base: Path) -> None:
    assert prepare(base, "--folds", "4") == 0
    assert prepare(base, "--folds", "2") == 0
    folds = sorted(path.name for path in (base / "processing/output/unlabelled_folds").iterdir())
    assert folds == ["fold_0.csv", "fold_1.csv"]


def test_unlabelled_rows_may_be_in_any_files_and_any_order(base: Path) -> None:
    assert prepare(base) == 0
    out = base / "processing" / "output"
    first = {path.name: set(path.read_text().splitlines()) for path in (out / "unlabelled_folds").iterdir()}
    part = base / "processing" / "input" / "unlabelled" / "part-0000.csv"
    rows = pd.read_csv(part, dtype=str).sample(frac=1, random_state=3)
    rows.iloc[:300].to_csv(part.with_name("z.csv"), index=False)
    rows.iloc[300:].to_csv(part, index=False)
    assert prepare(base) == 0
    again = {path.name: set(path.read_text().splitlines()) for path in (out / "unlabelled_folds").iterdir()}
    assert again == first
    assert dataset.read_features(sorted((out / "unlabelled_folds").iterdir())).keys.len() == len(rows)


def test_all_problems_are_told_at_once(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = base / "processing" / "input"
    put("stake_mean", "inf")(source)
    put("night_share", "7")(source)
    edit("risky", lambda table: table.assign(stake_mean="x"))(source)
    edit("unlabelled", lambda table: pd.concat([table, table.head(1)]))(source)
    rows = len(read(source / "risky" / "part-0000.csv"))
    assert prepare(base) == 1
    told = capsys.readouterr()
    assert "group 'risky'" in told.err
    assert "row 1: column 'stake_mean' holds 'x'" in told.err
    assert f"({rows} bad values in {rows} rows of this file)" in told.err
    log = told.out
    assert f"{rows + 2} problems:" in log
    outside = "column 'night_share' holds 7, outside the schema's range 0 to 1"
    assert f"{outside} (2 bad values in 1 rows of this file)" in log
    assert "column 'stake_mean' holds 'inf'; only finite numbers are allowed" in log


def test_a_constant_feature_is_warned_of(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for group in (*LABELLED, "unlabelled"):
        edit(group, lambda table: table.assign(night_share="0.5"))(base / "processing" / "input")
    assert prepare(base) == 0
    assert (
        "Warning: the same value in all rows, nothing to learn from: night_share\n" in capsys.readouterr().out
    )


def test_a_labelled_player_leaves_the_unlabelled(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = base / "processing" / "input"
    both = read(source / "risky" / "part-0000.csv").head(2)
    both.to_csv(source / "unlabelled" / "part-0001.csv", index=False)
    assert prepare(base) == 0
    assert "left out 2 rows" in capsys.readouterr().out
    unlabelled = [read(path) for path in (base / "processing/output/unlabelled_folds").iterdir()]
    assert not set(both["player_id"]) & set(pd.concat(unlabelled)["player_id"])


def edit(group: str, change: Callable[[pd.DataFrame], object]) -> Change:
    """A change of the table in a group's CSV, whose values are text."""

    def apply(source: Path) -> None:
        path = source / group / "part-0000.csv"
        table = pd.read_csv(path, dtype=str)
        changed = change(table)
        (changed if isinstance(changed, pd.DataFrame) else table).to_csv(path, index=False)

    return apply


def put(column: str, value: str, row: int = 3) -> Change:
    return edit(
        "heavy", lambda table: table.__setitem__(column, table[column].where(table.index != row, value))
    )


def rewrite(group: str, change: Callable[[bytes], bytes]) -> Change:
    def apply(source: Path) -> None:
        path = source / group / "part-0000.csv"
        path.write_bytes(change(path.read_bytes()))

    return apply


BAD: dict[str, tuple[Change, list[str]]] = {
    "missing column": (
        edit("heavy", lambda table: table.drop(columns="night_share")),
        ["group 'heavy'", "part-0000.csv", "missing column(s) 'night_share'"],
    ),
    "renamed column": (
        edit("heavy", lambda table: table.rename(columns={"night_share": "nightshare"})),
        ["missing column(s) 'night_share'", "unexpected column(s) 'nightshare'", "renamed to 'nightshare'"],
    ),
    "extra column": (
        edit("risky", lambda table: table.assign(shoe_size="44")),
        ["group 'risky'", "unexpected column(s) 'shoe_size'"],
    ),
    "column twice": (
        rewrite("heavy", lambda raw: raw.replace(b"night_share,", b"active_days,", 1)),
        ["column 'active_days' occurs twice"],
    ),
    "text": (put("stake_mean", "lots"), ["row 4", "column 'stake_mean'", "'lots'", "not a number"]),
    "empty value": (put("stake_mean", ""), ["row 4", "column 'stake_mean' is empty"]),
    "NaN": (put("stake_mean", "NaN"), ["row 4", "'stake_mean'", "'NaN'", "finite"]),
    "infinity": (put("stake_mean", "inf"), ["row 4", "'stake_mean'", "'inf'", "finite"]),
    "out of range": (put("night_share", "1.5"), ["row 4", "'night_share'", "1.5", "range 0 to 1"]),
    "many": (
        edit("heavy", lambda table: table.assign(night_share="x")),
        ["row 1", "bad values in", "rows of this file"],
    ),
    "padded number": (put("stake_mean", " 1.5 "), ["row 4", "' 1.5 ', which is not a number"]),
    "long key": (put("player_id", "p" * 300), ["row 4", "a key of 300 bytes; at most 256"]),
    "control character": (put("player_id", "p\x01"), ["row 4", "has no control characters"]),
    "no key": (put("player_id", " "), ["row 4", "column 'player_id' is empty"]),
    "long row": (
        rewrite("heavy", lambda raw: raw + b"p1" + b",1" * 51 + b"\n"),
        ["has 52 fields where the header has 51"],
    ),
    "short row": (
        rewrite("heavy", lambda raw: raw + b"p1,1,1\n"),
        ["has 3 fields where the header has 51"],
    ),
    "long rows throughout": (
        rewrite("heavy", lambda raw: raw.replace(b"\n", b",1\n").replace(b",1\n", b"\n", 1)),
        ["row 1", "has 52 fields"],
    ),
    "open quote": (rewrite("heavy", lambda raw: raw + b'"p1'), ["group 'heavy'", "look at its quotes"]),
    "not UTF-8": (rewrite("heavy", lambda raw: raw + b"\xff\xfe\n"), ["cannot be read as CSV"]),
    "zero bytes": (rewrite("heavy", lambda raw: b""), ["part-0000.csv: is empty"]),
    "empty class": (
        rewrite("risky", lambda raw: raw.split(b"\n")[0] + b"\n"),
        ["group 'risky'", "no rows in", "input/risky"],
    ),
    "no files": (
        lambda source: shutil.rmtree(source / "dormant"),
        ["group 'dormant'", "no .csv", "input/dormant"],
    ),
    "broken gzip": (
        lambda source: (source / "heavy" / "x.csv.gz").write_bytes(
            gzip.compress((source / "normal" / "part-0000.csv").read_bytes())[:-2000]
        ),
        ["x.csv.gz", "cannot be read as CSV"],
    ),
    "too few": (
        edit("risky", lambda table: table.head(2)),
        ["group 'risky'", "2 rows are too few", "3 folds"],
    ),
    "few unlabelled": (
        edit("unlabelled", lambda table: table.head(2)),
        ["group 'unlabelled'", "2 rows are fewer than 3 folds"],
    ),
    "unlabelled player twice": (
        edit("unlabelled", lambda table: pd.concat([table, table.head(2)])),
        ["group 'unlabelled'", "player_id 'p", "occurs twice (2 keys do)"],
    ),
    "all constant": (
        lambda source: [
            edit(group, lambda table: table.assign(**dict.fromkeys(COLUMNS.names, "0")))(source)
            for group in (*LABELLED, "unlabelled")
        ],
        ["every feature has the same value in all rows"],
    ),
    "carriage returns": (
        rewrite("heavy", lambda raw: raw.replace(b"\n", b"\r")),
        ["part-0000.csv", "carriage return alone"],
    ),
    "UTF-16": (
        rewrite("heavy", lambda raw: raw.decode().encode("utf-16")), ["cannot be read as CSV"]
    ),
    "every unlabelled player has a label": (
        lambda source: shutil.copy(source / "normal/part-0000.csv", source / "unlabelled/part-0000.csv"),
        ["group 'unlabelled'", "the player_id of every row has a label"],
    ),
    "digits of another script": (put("stake_mean", "\u0663"), ["row 4", "'stake_mean'", "not a number"]),
    "player twice": (
        edit("normal", lambda table: pd.concat([table, table.head(1)])),
        ["group 'normal'", "player_id 'p", "occurs twice"],
    ),
    "player in two groups": (
        lambda source: shutil.copy(source / "normal" / "part-0000.csv", source / "heavy" / "copy.csv"),
        ["player_id 'p", "'normal' and 'heavy'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line_and_no_output(
    case: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, texts = BAD[case]
    change(base / "processing" / "input")
    assert prepare(base) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    for text in texts:
        assert text in line
    assert "unexpected ValueError" not in line
    assert (base / "output" / "message").read_text() == line + "\n"
    assert not (base / "processing" / "output").exists()


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
        (["--schema", "nowhere.json"], "nowhere.json: cannot be read"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], text: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(base, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert text in line


def test_hidden_files_are_none_of_the_data(base: Path) -> None:
    source = base / "processing" / "input" / "normal"
    (source / "._part-0000.csv").write_bytes(b"\x00\x05\x16\x07")
    (source / ".ipynb_checkpoints").mkdir()
    shutil.copy(source / "part-0000.csv", source / ".ipynb_checkpoints" / "part-0000-checkpoint.csv")
    assert prepare(base) == 0


def test_the_process_itself_ends_without_a_traceback(base: Path) -> None:
    BAD["text"][0](base / "processing" / "input")
    done = run("preprocess.py", "--base", base / "processing")
    assert done.returncode == 1
    assert done.stderr == (base / "output" / "message").read_text()
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unexpected_fault_keeps_its_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failure.run(lambda: {}["key"], tmp_path / "output" / "message") == 1
    assert "Traceback" in capsys.readouterr().err
    assert (tmp_path / "output" / "message").read_text() == "Error: unexpected KeyError: 'key'\n"


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
    with pytest.raises(failure.InputError) as raised:
        table_schema.load(tmp_path / "schema.json")
    assert text in str(raised.value)


def test_the_schema_of_the_model_is_described() -> None:
    document = json.loads((MODEL / "schema.json").read_text())
    assert all(entry["description"] for entry in document["features"])
