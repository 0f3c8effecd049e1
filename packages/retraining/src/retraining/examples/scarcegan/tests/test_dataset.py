"""What training and evaluation read of preprocess.py's outputs, and what they say of damaged ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data import csv_blocks, dataset, part_files
from job_toolkit.failure import InputError

FEATURES = ["a", "b", "c"]


def values(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, len(FEATURES))).astype(np.float32)


def write_folds(folder: Path, rows: np.ndarray, names: list[str], order: np.ndarray) -> list[Path]:
    """Rows, cut into files in this order; the paths without the hosts' names."""
    folder.mkdir(exist_ok=True)
    for name, part in zip(names, np.array_split(order, len(names)), strict=True):
        table = pd.DataFrame(rows[part], columns=FEATURES)
        table.insert(0, "player_id", [f"p{index}" for index in part])
        table.to_csv(folder / name, index=False)
    return part_files.folds(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CSV file of preprocess.py"),
        ("player_id,a,b,c\n", "has no rows"),
        ("player_id,a,c,b\np1,1,2,3\n", "its columns are not the features"),
        ("player_id,a,b,c\np1,1,2,x\n", "not a CSV file of preprocess.py"),
        ("player_id,a,b,c\np1,1,2,nan\n", "a feature holds no finite number"),
        ("player_id,a,b,c\np1,1,2,\n", "a feature holds no finite number"),
        ("player_id,a,b,c\n,1,2,3\n", "a row has no player_id"),
        ("player_id,a,b,c\np1,1,2,3\np1,1,2,3\n", "key 'p1' occurs twice"),
    ],
)
def test_a_damaged_output_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "fold_0.csv").write_text(text)
    with pytest.raises(InputError) as raised:
        dataset.read_features([tmp_path / "fold_0.csv"], FEATURES)
    assert str(tmp_path) in str(raised.value)
    assert message in str(raised.value)
    if "twice" not in message:
        with pytest.raises(InputError, match=r"fold_0\.csv: ") as raised:
            dataset.sample([tmp_path / "fold_0.csv"], FEATURES, 10)
        assert message in str(raised.value)


def test_a_folder_without_folds_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no fold_\*\.csv; preprocess\.py writes them"):
        part_files.folds(tmp_path)


def test_the_sample_of_unlabelled_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, rng = values(1000), np.random.default_rng(0)
    names = ["fold_0.csv", "fold_1.csv", "fold_2.csv"]
    everything = dataset.sample(write_folds(tmp_path / "a", rows, names, np.arange(1000)), FEATURES, 5000)
    place = {row.tobytes(): index for index, row in enumerate(rows)}
    order = [place[row.tobytes()] for row in everything]
    assert sorted(order) == list(range(1000))
    few = dataset.sample(part_files.folds(tmp_path / "a"), FEATURES, 300)
    np.testing.assert_array_equal(few, everything[:300])
    assert 60 <= sum(index < 333 for index in order[:300]) <= 140  # from all files evenly
    # Other files, other parts of them, another order: the same sample.
    parts = [f"fold_{fold}-algo-{host}.csv" for fold in (0, 1) for host in (1, 2)]
    folds = write_folds(tmp_path / "b", rows, parts, rng.permutation(1000))
    monkeypatch.setattr(csv_blocks.blocks, "__defaults__", (2000,))
    np.testing.assert_array_equal(dataset.sample(folds, FEATURES, 300), few)


@pytest.mark.parametrize("key", ["NA", "null", "nan", "1e5"])
def test_every_text_is_a_key(key: str, tmp_path: Path) -> None:
    (fold,) = write_folds(tmp_path, values(10), ["fold_0.csv"], np.arange(10))
    fold.write_text(fold.read_text().replace("p3,", f"{key},"))
    assert len(dataset.sample([fold], FEATURES, 20)) == 10
    assert key in dataset.read_features([fold], FEATURES).keys
