import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn

from job_toolkit import processing, tables


def test_features_have_no_header_and_labels_are_their_prices(chain: Any, unit: Any) -> None:
    lines = (chain.preprocessed / "test_features" / "features.csv").read_text().splitlines()
    labels = tables.read_numbers(chain.preprocessed / "test_labels" / "labels.csv")
    assert list(labels.columns) == ["medianHouseValue"]
    price = {tuple(row[:8]): row[8] for row in unit.houses.read(chain.root / "data" / "houses").tolist()}
    features = np.array([line.split(",") for line in lines], dtype=float)
    assert features.shape == (len(labels), 14)
    assert [price[tuple(row[:8])] for row in features.tolist()] == labels["medianHouseValue"].tolist()


@pytest.fixture
def base(small: Any, tmp_path: Path) -> Path:
    """A folder of the job in which the PCA model lies unpacked, for tests to change."""
    source = tmp_path / "processing" / "input"
    source.mkdir(parents=True)
    (source / "houses").symlink_to(small.root / "data" / "houses", target_is_directory=True)
    shutil.copytree(small.pca, tmp_path / "pca")
    return tmp_path / "processing"


Change = Callable[[Path], object]


def edit(key: str, value: Any) -> Change:
    def change(pca: Path) -> None:
        content = json.loads((pca / "model.json").read_text())
        content[key] = value
        (pca / "model.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))

    return change


def write(name: str, content: str) -> Change:
    return lambda pca: (pca / name).write_text(content)


def remove(name: str) -> Change:
    return lambda pca: (pca / name).unlink()


MISTAKES: list[tuple[Change, str]] = [
    (remove("pca.joblib"), "holds no pca.joblib; it is not the PCA training step's"),
    (remove("split.json"), "holds no split.json"),
    (write("model.json", "{"), "its model.json is not of the PCA training step"),
    (write("model.json", "[]"), "its model.json is not of the PCA training step"),
    (edit("components", None), "its model.json is not of the PCA training step (KeyError('components'))"),
    (edit("features", ["a", "b"]), "the PCA model takes a,b, not longitude,latitude,"),
    (write("split.json", "{}"), "split.json: not the fractions of a preprocessing"),
    (write("pca.joblib", "no pickle"), "pca.joblib cannot be loaded ("),
]  # fmt: skip


def mistake(unit: Any, base: Path) -> str:
    """Run the job, which must fail with one line; return it."""
    reason = base.parent / "output" / "message"
    assert processing.run(unit.preprocess.main, ["--base", str(base)]) == 1
    line = reason.read_text()
    assert line.startswith("Error: ")
    assert "unexpected" not in line
    assert line.count("\n") == 1
    assert not (base / "output").exists()
    return line


@pytest.mark.parametrize(("change", "text"), MISTAKES, ids=[text[:40] for _, text in MISTAKES])
def test_a_model_that_is_not_the_pca_models_is_named(
    change: Change, text: str, base: Path, unit: Any, tools: Any
) -> None:
    change(base.parent / "pca")
    tools.pack(base.parent / "pca", base / "input" / "model" / "model.tar.gz")
    assert text in mistake(unit, base)


def test_a_model_of_another_scikit_learn_is_named(base: Path, unit: Any, tools: Any) -> None:
    edit("scikit_learn", "1.0.2")(base.parent / "pca")
    tools.pack(base.parent / "pca", base / "input" / "model" / "model.tar.gz")
    assert mistake(unit, base).endswith(
        "the PCA model was trained with scikit-learn 1.0.2, and this job has "
        f"{sklearn.__version__}; use the same image for both\n"
    )


def test_a_missing_or_broken_archive_is_named(base: Path, unit: Any, jobs: Any) -> None:
    archive = base / "input" / "model" / "model.tar.gz"
    assert "no such file; chain the PCA training step to fill the channel `model`" in mistake(unit, base)
    archive.parent.mkdir()
    archive.write_bytes(b"\x1f\x8b\x08\x00broken")
    assert "not a complete .tar.gz archive" in mistake(unit, base)
    done = jobs.run("preprocess.py", "--base", base)
    assert done.returncode == 1
    assert done.stderr == (base.parent / "output" / "message").read_text()
