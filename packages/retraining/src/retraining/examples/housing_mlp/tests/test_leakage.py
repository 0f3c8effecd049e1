"""Nothing that is fitted knows anything of a test row."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from job_toolkit import processing, splits, tables


def read(path: Path) -> Any:
    return tables.read_numbers(path).to_numpy()


def test_both_units_split_by_the_same_code_and_parameters(folders: Any) -> None:
    """Each unit's folder is a code package of its own, so houses.py is in both."""
    first, second = ((folder / "houses.py").read_bytes() for folder in folders)
    assert first == second
    first, second = (
        next(iter(yaml.safe_load((folder / "conf.yaml").read_text())["conf"]["models"].values()))[
            "preprocess"
        ]
        for folder in folders
    )
    assert first["arguments"] == second["arguments"]
    assert set(first["arguments"]) == {"validation-fraction", "test-fraction", "seed"}
    assert all(set(value) == {"parameter", "default"} for value in first["arguments"].values())
    assert first["channels"]["houses"] == second["channels"]["houses"]


def test_no_row_is_in_two_parts_and_the_pca_saw_the_training_rows_only(chain: Any) -> None:
    train = read(chain.preprocessed / "train" / "train.csv")
    validation = read(chain.preprocessed / "validation" / "validation.csv")
    test = np.loadtxt(chain.preprocessed / "test_features" / "features.csv", delimiter=",")
    keys = [{tuple(row[:8]) for row in part.tolist()} for part in (train, validation, test)]
    assert sum(map(len, keys)) == len(set().union(*keys)) == 6000
    pca = chain.root / "pca" / "processing" / "output"
    np.testing.assert_array_equal(read(pca / "train" / "train.csv"), train[:, :8])
    np.testing.assert_array_equal(read(pca / "validation" / "validation.csv"), validation[:, :8])
    assert not list(pca.rglob("*test*"))


def test_components_are_those_of_the_pca_model(chain: Any, unit: Any, tmp_path: Path) -> None:
    archive = chain.root / "mlp" / "processing" / "input" / "model" / "model.tar.gz"
    added = unit.components.load(archive, tmp_path)
    train = tables.read_numbers(chain.preprocessed / "train" / "train.csv")
    assert list(train.columns) == [*unit.houses.FEATURES, *added.names, "medianHouseValue"]
    values = train.to_numpy()
    np.testing.assert_array_equal(values[:, :-1], added.add(values[:, :8]))
    np.testing.assert_allclose(values[:, 8:-1].std(axis=0, ddof=1), 1)


def test_test_rows_change_nothing_that_is_fitted_on(
    small: Any, tools: Any, unit: Any, tmp_path: Path
) -> None:
    """The same houses, with other prices of the test rows, and with half of the test rows gone."""
    rows = unit.houses.read(small.root / "data" / "houses")
    test = splits.places(unit.houses.keys(rows), 7) < 0.2
    changed = rows.copy()
    changed[test, -1] = 123_456
    gone = np.flatnonzero(test)[::2]
    for number, other in enumerate((changed, np.delete(rows, gone, axis=0))):
        folder = tmp_path / f"data{number}"
        folder.mkdir()
        np.savetxt(folder / "houses.csv", other, fmt="%.6f", delimiter=",")
        chain = tools.Chain(tmp_path / f"chain{number}")
        chain.preprocess(folder)
        for name in ("train/train.csv", "validation/validation.csv"):
            assert (chain.preprocessed / name).read_bytes() == (small.preprocessed / name).read_bytes()
        for name in ("pca.joblib", "model.json"):
            assert (chain.pca / name).read_bytes() == (small.pca / name).read_bytes()
    labels = small.preprocessed / "test_labels" / "labels.csv"
    assert (
        tmp_path / "chain0/mlp/processing/output/test_labels/labels.csv"
    ).read_text() != labels.read_text()


@pytest.mark.parametrize(
    ("argument", "value"), [("--seed", 8), ("--test-fraction", 0.25), ("--validation-fraction", 0.1)]
)
def test_components_of_another_split_are_refused(
    argument: str, value: float, small: Any, unit: Any, tmp_path: Path
) -> None:
    base = tmp_path / "processing"
    base.mkdir()
    (base / "input").symlink_to(small.root / "mlp" / "processing" / "input", target_is_directory=True)
    reason = tmp_path / "output" / "message"
    assert processing.run(unit.preprocess.main, ["--base", str(base), argument, str(value)]) == 1
    assert reason.read_text().startswith(
        "Error: model.tar.gz: the PCA model was trained under another split (validation fraction 0.15, "
        "test fraction 0.2, seed 7) than this job's ("
    )
    assert f"{argument.strip('-').replace('-', ' ')} {value}" in reason.read_text()
    assert not (base / "output").exists()
