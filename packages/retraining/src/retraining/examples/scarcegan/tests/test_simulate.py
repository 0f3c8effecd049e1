from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import MODEL, refused, run, succeed

import simulate
from preparation import schema
from simulation import players

GROUPS = ("unlabelled", "risky", "dormant", "normal", "heavy")
COLUMNS = schema.load(MODEL / "schema.json")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.csv"))}


def test_a_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    options = ("--players", 600, "--days", 8, "--seed")
    succeed("simulate.py", "--out", tmp_path / "a", *options, 3)
    assert run("simulate.py", "--out", tmp_path / "b", *options, 3).returncode == 0
    succeed("simulate.py", "--out", tmp_path / "c", *options, 4)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")


def test_parts_hold_the_same_rows_as_one_file(tmp_path: Path) -> None:
    groups = simulate.simulate(600, 8)
    simulate.write(groups, tmp_path, files_per_group=5)
    simulate.write(groups, tmp_path, files_per_group=3)
    for name in GROUPS:
        parts = sorted((tmp_path / name).iterdir())
        assert [part.name for part in parts] == [f"part-{number:04d}.csv" for number in range(3)]
        joined = pd.concat([pd.read_csv(part) for part in parts], ignore_index=True)
        pd.testing.assert_frame_equal(joined, groups[name].reset_index(drop=True), check_dtype=False)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    days=st.integers(4, 40),
    drift=st.floats(0, 1),
    fraction=st.floats(0.05, 1),
)
def test_every_feature_is_a_number_in_the_range_of_the_schema(
    seed: int, days: int, drift: float, fraction: float
) -> None:
    groups = simulate.simulate(300, days, seed, drift, fraction)
    assert tuple(groups) == GROUPS
    rows = pd.concat(groups.values())
    assert list(rows.columns) == COLUMNS.columns
    assert len(COLUMNS.features) == 50
    assert rows["player_id"].is_unique
    assert len(rows) == 300
    for feature in COLUMNS.features:
        assert rows[feature.name].between(feature.minimum, feature.maximum).all(), feature.name


def test_the_scarce_group_is_scarce_and_the_labels_are_weak() -> None:
    people = players.draw(20_000, 0.3, 0.0, np.random.default_rng(7))
    risky = people.group == "risky"
    assert 0.01 < risky.mean() < 0.02
    labelled_negative = ~risky & (people.label != "unlabelled")
    wrong = (people.label != people.group)[labelled_negative].mean()
    assert 0.05 < wrong < 0.2
    assert (people.label[risky] == "unlabelled").sum() > 20
    assert np.isin(people.label[risky], ["normal", "heavy"]).sum() > 0
    assert not (people.label[~risky] == "risky").any()


def test_drift_moves_the_population() -> None:
    still, moved = (pd.concat(simulate.simulate(4000, 14, 7, drift).values()) for drift in (0.0, 1.0))
    assert moved["stake_mean"].median() > 1.2 * still["stake_mean"].median()
    assert moved["night_share"].mean() > still["night_share"].mean()


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "out" / "risky" / "part-0000.csv").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    for out, named in (
        ("file/below", "file/below"),
        ("file", "file"),
        ("out", "out/risky/part-0000.csv"),
        ("loop", "loop"),
    ):
        line = refused("simulate.py", "--out", tmp_path / out, "--players", 200, "--days", 4)
        assert f"{tmp_path}/{named}" in line


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--players", 10), "--players must be between 200"),
        (("--drift", 2), "--drift must be between 0 and 1"),
        (("--player", 10), "unrecognized arguments"),
        (("--days", "many"), "--days"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line(
    arguments: tuple[object, ...], text: str, tmp_path: Path
) -> None:
    assert text in refused("simulate.py", "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()
