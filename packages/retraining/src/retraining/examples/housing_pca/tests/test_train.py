import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import joblib
import numpy as np
import pytest

from job_toolkit import tables
from job_toolkit.failure import InputError


def test_components_are_uncorrelated_and_of_unit_variance(chain: Any, unit: Any) -> None:
    train = tables.read_numbers(chain.preprocessed / "train" / "train.csv").to_numpy()
    components = joblib.load(chain.model / "pca.joblib").transform(train)
    assert components.shape == (len(train), 6)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(components.T), np.eye(6), atol=1e-9)


def test_the_model_says_what_it_is(chain: Any, unit: Any) -> None:
    content = json.loads((chain.model / "model.json").read_text())
    assert content["features"] == unit.houses.FEATURES
    assert content["components"] == [f"component{number}" for number in range(1, 7)]
    shares = content["explained_variance_ratio"]
    assert shares == sorted(shares, reverse=True)
    assert 0.8 < sum(shares) <= 1
    split = chain.preprocessed / "train" / "split.json"
    assert (chain.model / "split.json").read_bytes() == split.read_bytes()
    assert f"Train_Explained_Variance={sum(shares):.6f};" in chain.logs["train"]
    assert "Validation_Explained_Variance=0." in chain.logs["train"]


def test_what_each_component_adds_is_there_for_mlflow(chain: Any, unit: Any) -> None:
    output = chain.model.parent / "output" / "data"
    rows = tables.read_numbers(output / "history.csv")
    assert list(rows["components"]) == [1, 2, 3, 4, 5, 6]
    shares = json.loads((chain.model / "model.json").read_text())["explained_variance_ratio"]
    np.testing.assert_allclose(rows["train_explained_variance"], np.cumsum(shares))
    model = joblib.load(chain.model / "pca.joblib")
    validation = tables.read_numbers(chain.preprocessed / "validation" / "validation.csv").to_numpy()
    for count, share in zip(rows["components"], rows["validation_explained_variance"], strict=True):
        assert share == pytest.approx(unit.projection.explained(model, validation, int(count)))
    assert rows["validation_explained_variance"].is_monotonic_increasing
    drawn = ElementTree.parse(output / "plots" / "explained_variance.svg").getroot()
    assert len(drawn.findall("{*}polyline")) == 2


def test_the_model_loads_where_no_file_of_the_unit_is(chain: Any, tmp_path: Path) -> None:
    """As in the other model's preprocessing: the same image, other scripts."""
    row = "[[-120, 35, 20, 900, 200, 500, 180, 4.5]]"
    code = f"import sys, joblib; print(joblib.load(sys.argv[1]).transform({row}).shape)"
    path = str(chain.model / "pca.joblib")
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "(1, 6)\n", done.stderr


def test_training_again_gives_the_same_model(chain: Any, jobs: Any, unit: Any, tmp_path: Path) -> None:
    (tmp_path / "input").symlink_to(chain.root / "train" / "input", target_is_directory=True)
    jobs.succeed("train.py", "--base", tmp_path)
    for name in ("model.json", "split.json", "code/inference.py", "pca.joblib"):
        assert (tmp_path / "model" / name).read_bytes() == (chain.model / name).read_bytes()


def test_it_runs_in_sagemakers_environment(chain: Any, jobs: Any, tmp_path: Path) -> None:
    channels = {
        f"SM_CHANNEL_{name.upper()}": str(chain.preprocessed / name) for name in ("train", "validation")
    }
    jobs.succeed(
        "train.py",
        "--components",
        3,
        SM_MODEL_DIR=str(tmp_path / "model"),
        SM_OUTPUT_DATA_DIR=str(tmp_path / "output"),
        **channels,
    )
    content = json.loads((tmp_path / "model" / "model.json").read_text())
    assert content["components"] == ["component1", "component2", "component3"]


@pytest.mark.parametrize("value", ["0", "9", "2.5", "-1", "six", ""])
def test_a_wrong_number_of_components_is_named(value: str, chain: Any, jobs: Any, tmp_path: Path) -> None:
    reason = tmp_path / "output" / "failure"
    line = jobs.fail("train.py", "--base", tmp_path, f"--components={value}", reason=reason)
    assert line.startswith("hyperparameter components: ")
    assert value in line
    assert line.endswith("; it must be a whole number between 1 and 8")


def test_rows_that_vary_in_few_directions_are_refused(unit: Any, rows: Any) -> None:
    flat = rows[:, :8].copy()
    flat[:, 3] = flat[:, 4] = flat[:, 5]
    with pytest.raises(InputError, match=r"components: 7 is too many; .* vary in 6"):
        unit.projection.fit(flat, 7)
    assert unit.projection.fit(flat, 6).transform(flat).shape == (len(flat), 6)
    assert unit.projection.explained(unit.projection.fit(flat, 6), flat) == pytest.approx(1)


def test_bad_channels_end_with_one_line(chain: Any, jobs: Any, tmp_path: Path) -> None:
    data, reason = tmp_path / "input" / "data", tmp_path / "output" / "failure"

    def assert_fails(text: str) -> None:
        assert text in jobs.fail("train.py", "--base", tmp_path, reason=reason)
        assert not (tmp_path / "model").exists()

    assert_fails("split.json: not the fractions of a preprocessing")
    (data / "train").mkdir(parents=True)
    for name in ("split.json", "train.csv"):
        (data / "train" / name).write_bytes((chain.preprocessed / "train" / name).read_bytes())
    assert_fails("validation.csv: there is no such file")
    (data / "train" / "train.csv").write_text("a,b\n1,2\n")
    assert_fails("train.csv: its columns are not longitude,latitude,")
    (data / "train" / "train.csv").write_text("a,b\n")
    assert_fails("train.csv: has no rows")
    (data / "train" / "train.csv").write_text("a,b\n1\n")
    assert_fails("train.csv: row 1 has 1 fields; the columns are 2 (a,b)")
