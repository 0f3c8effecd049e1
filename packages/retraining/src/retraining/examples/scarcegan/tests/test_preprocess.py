"""The outputs of preprocess.py, from CSV and Parquet."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from input_files import as_parquet, content, edit, parquet, save
from jobs import MODEL, refused, succeed

from data import dataset, scaler
from data.scaler import Scaler, Statistics
from preparation import outputs, schema, table
from preparation.schema import Feature, Schema
from preparation.table import Block, Source

COLUMNS = schema.load(MODEL / "schema.json")
LABELLED = ("risky", "dormant", "normal", "heavy")
LABELS = {
    "train": "train_label/label.csv",
    "validation": "validation_label/label.csv",
    "test": "test/label.csv",
}


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={0: str})


def unlabelled(out: Path) -> pd.DataFrame:
    return pd.concat([read(path) for path in sorted((out / "unlabelled_folds").iterdir())])


def test_there_are_ten_outputs(small: Path) -> None:
    assert sorted(path.name for path in (small / "output").iterdir()) == sorted(outputs.OUTPUTS)
    assert len(outputs.OUTPUTS) == 10
    for path in small.rglob("data.csv"):
        assert list(read(path).columns) == COLUMNS.columns


def test_no_player_is_in_two_splits_and_none_is_lost(small: Path) -> None:
    source, out = small / "input", small / "output"
    labels = pd.concat([read(out / place) for place in LABELS.values()])
    expected = {
        key: group for group in LABELLED for key in read(source / group / "part-0000.csv")["player_id"]
    }
    assert labels["player_id"].is_unique
    assert dict(zip(labels["player_id"], labels["label"], strict=True)) == expected
    for name, place in LABELS.items():
        data = "test/data.csv" if name == "test" else f"{name}_data/data.csv"
        assert list(read(out / place)["player_id"]) == list(read(out / data)["player_id"])
    rest = unlabelled(out)
    assert rest["player_id"].is_unique
    assert set(rest["player_id"]) == set(read(source / "unlabelled" / "part-0000.csv")["player_id"])
    assert not set(rest["player_id"]) & set(expected)


def test_splits_are_stratified(small: Path) -> None:
    counts = {name: read(small / "output" / place)["label"].value_counts() for name, place in LABELS.items()}
    total = sum(counts.values())
    for group in LABELLED:
        assert abs(counts["validation"][group] - 0.2 * total[group]) <= 0.5
        assert abs(counts["test"][group] - 0.2 * total[group]) <= 0.5


def test_folds_hold_each_row_out_once_and_never_a_test_row(small: Path) -> None:
    out = small / "output"
    held_out, test = [], set(read(out / LABELS["test"])["player_id"])
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
    everything = [read(out / LABELS[name])["player_id"] for name in ("train", "validation")]
    assert sorted(held_out) == sorted(pd.concat(everything))


def test_the_scaler_is_fitted_on_the_training_rows_alone(small: Path) -> None:
    fitted = scaler.load(small / "output" / "train_data" / "scaler.json")
    raw = read(small / "output" / "train_data" / "data.csv")[COLUMNS.names].to_numpy()
    assert Statistics.of(COLUMNS.names, raw).scaler() == fitted
    scaled = fitted.transform(raw)
    assert np.abs(scaled).max() <= scaler.CLIP
    assert np.abs(scaled.mean(axis=0)).max() < 0.1


def test_a_constant_feature_scales_to_zero() -> None:
    fitted: Scaler = Statistics.of(["a", "b"], np.array([[3.0, 1.0], [3.0, 2.0]])).scaler()
    assert fitted.transform(np.array([[3.0, 1.0]]))[0, 0] == 0


def test_a_first_group_that_is_not_the_scarcest_is_told(base: Path) -> None:
    rows = {group: len(read(base / f"input/{group}/part-0000.csv")) for group in LABELLED}
    assert rows["risky"] == min(rows.values())
    assert "Warning" not in succeed("preprocess.py", "--base", base)
    log = succeed("preprocess.py", "--base", base, "--groups", "normal,dormant,risky,heavy")
    (line,) = [line for line in log.splitlines() if line.startswith("Warning: ")]
    assert line == (
        f"Warning: the first group is the scarce class, but 'normal' has {rows['normal']} rows and 'risky' "
        f"{rows['risky']}; if 'risky' is the scarce one, write it first in groups, of preprocess and of train"
    )


def in_capitals(source: Path) -> None:
    save(b"DATA.CSV")(source / "heavy")
    save(b"d.Csv.GZ", gzip.compress)(source / "normal")
    save(b"D.PARQUET", parquet)(source / "risky")


def in_parts(source: Path) -> None:
    """A part in another file, packed, and the columns of the rest in another order."""
    part = source / "normal" / "part-0000.csv"
    rows = part.read_text().splitlines()
    part.with_name("z.csv.gz").write_bytes(gzip.compress("\n".join([rows[0], *rows[1:40]]).encode()))
    reordered = pd.read_csv(part, dtype=str).iloc[39:][list(reversed(rows[0].split(",")))]
    reordered.to_csv(part, index=False)


def as_parquet_with_columns_reversed(source: Path) -> None:
    for group in ("risky", "normal", "unlabelled"):
        as_parquet(source / group / "part-0000.csv", lambda rows: rows.select(reversed(rows.columns)))


@pytest.mark.parametrize(
    "change",
    [
        in_capitals,
        in_parts,
        as_parquet_with_columns_reversed,
        lambda source: save(b"p\xff.csv")(source / "heavy"),
        lambda source: save(b"marked.csv", lambda raw: b"\xef\xbb\xbf" + raw)(source / "heavy"),
        lambda source: save(b"windows.csv", lambda raw: raw.replace(b"\n", b"\r\n"))(source / "heavy"),
    ],
)
def test_the_form_of_the_files_does_not_matter(
    change: Callable[[Path], object], base: Path, small: Path
) -> None:
    change(base / "input")
    succeed("preprocess.py", "--base", base)
    assert content(base / "output") == content(small / "output")


def test_what_other_programs_leave_behind_is_left_out(base: Path, small: Path) -> None:
    folder = base / "input" / "heavy"
    left = ("_SUCCESS", "_committed_17", "_delta_log/0.json", ".part.csv.crc", "heavy_$folder$", "._p.csv")
    left = (*left, "_p.csv", "_temporary/0/p.csv.gz")
    for name in (*left, ".ipynb_checkpoints/p.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("" if name.endswith("$") else "x")
    (folder / "x.csv").mkdir()
    save(b"x.csv/part.csv")(folder)
    succeed("preprocess.py", "--base", base)
    assert content(base / "output") == content(small / "output")


def test_fewer_folds_in_a_second_run_leave_no_old_ones(base: Path) -> None:
    succeed("preprocess.py", "--base", base, "--folds", 4)
    succeed("preprocess.py", "--base", base, "--folds", 2)
    folds = sorted(path.name for path in (base / "output" / "unlabelled_folds").iterdir())
    assert folds == ["fold_0.csv", "fold_1.csv"]


def test_unlabelled_rows_may_be_in_any_files_and_any_order(base: Path, small: Path) -> None:
    def lines(out: Path) -> dict[str, set[str]]:
        return {
            path.name: set(path.read_text().splitlines()) for path in (out / "unlabelled_folds").iterdir()
        }

    part = base / "input" / "unlabelled" / "part-0000.csv"
    rows = pd.read_csv(part, dtype=str).sample(frac=1, random_state=3)
    rows.iloc[:300].to_csv(part.with_name("z.csv"), index=False)
    rows.iloc[300:].to_csv(part, index=False)
    succeed("preprocess.py", "--base", base)
    assert lines(base / "output") == lines(small / "output")
    folds = [base / "output" / "unlabelled_folds" / f"fold_{number}.csv" for number in range(3)]
    assert len(dataset.read_features(folds, COLUMNS.names).keys) == len(rows)


def test_a_parquet_file_without_rows_adds_none(base: Path) -> None:
    risky = base / "input" / "risky" / "part-0000.csv"
    rows = pl.read_csv(risky, schema_overrides={"player_id": pl.String}, infer_schema_length=None)
    rows.clear().write_parquet(risky.with_name("empty.parquet"))
    succeed("preprocess.py", "--base", base)
    risky.unlink()
    assert "group 'risky': no rows in" in refused("preprocess.py", "--base", base)


def test_a_constant_feature_is_warned_of(base: Path) -> None:
    for group in (*LABELLED, "unlabelled"):
        edit(group, lambda table: table.assign(night_share="0.5"))(base / "input")
    log = succeed("preprocess.py", "--base", base)
    assert "Warning: the same value in all rows, nothing to learn from: night_share\n" in log


def test_a_labelled_player_leaves_the_unlabelled(base: Path) -> None:
    both = read(base / "input" / "risky" / "part-0000.csv").head(2)
    both.to_csv(base / "input" / "unlabelled" / "part-0001.csv", index=False)
    assert "left out 2 rows" in succeed("preprocess.py", "--base", base)
    assert not set(both["player_id"]) & set(unlabelled(base / "output")["player_id"])


def test_the_schema_of_the_model_is_described() -> None:
    document = json.loads((MODEL / "schema.json").read_text())
    assert all(entry["description"] for entry in document["features"])


NUMBERS = st.one_of(
    st.sampled_from(["0", "-0", "1.50", "+2", "7.", ".5", "1e3", "1E-05", "00012", "0.1000000000000000055"]),
    st.floats(-1e6, 1e6).map(repr),
)
KEYS = st.text(st.characters(categories=["L", "N"], include_characters=' ,"-#'), min_size=1).filter(str.strip)
SCHEMA = Schema("id", (Feature("a", -1e6, 1e6, ""), Feature("b", -1e6, 1e6, "")))


@given(
    rows_of_text=st.lists(
        st.tuples(KEYS, NUMBERS, NUMBERS), min_size=1, unique_by=lambda row: row[0].strip()
    ),
    columns=st.permutations(["id", "a", "b"]),
    around=st.sampled_from(["", " ", "\t "]),
    quoted=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_rows_and_their_lines_say_the_same(
    rows_of_text: list[tuple[str, str, str]],
    columns: list[str],
    around: str,
    quoted: int,
    end: str,
    last: bool,
) -> None:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, quoting=quoted, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows({"id": f"{around}{key}{around}", "a": a, "b": b} for key, a, b in rows_of_text)
    text = file.getvalue() if last else file.getvalue().removesuffix(end)
    block = Block(Source("heavy", Path("part.csv"), tuple(columns)), 1, text.encode())
    rows = table.parse(block, SCHEMA)
    assert rows.rows() == [(key.strip(), float(a), float(b)) for key, a, b in rows_of_text]
    lines = table.joined(table.lines(block, rows))
    assert lines.count(b"\n") == len(rows_of_text)
    again = Block(Source("heavy", Path("part.csv"), ("id", "a", "b")), 1, lines)
    assert table.parse(again, SCHEMA).equals(rows)
    clean = not around and all(key == key.strip() for key, _, _ in rows_of_text)
    if columns == SCHEMA.columns and end == "\n" and '"' not in text and clean:
        assert lines == text.encode() + b"\n" * (not last), "the numbers as they were written"
