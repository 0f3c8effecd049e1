"""The jobs as processes on a folder in place of /opt/ml, one after the other, on simulated data.

All that the tests know of the columns is in columns.py.
"""

import csv
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from columns import COLUMNS, FEATURES, LABEL
from inference import input_fn, model_fn, output_fn, predict_fn
from retraining.testing import model_folder

MODEL = model_folder(__file__)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MODEL / script), *map(str, arguments)]
    return subprocess.run(command, cwd=MODEL.anchor, capture_output=True, text=True, check=False)


def succeed(script: str, *arguments: object) -> None:
    done = run(script, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of one run of all jobs: preprocess, train and evaluate with input and output in each."""
    root = tmp_path_factory.mktemp("minimal")
    succeed("simulate.py", "--out", root / "preprocess" / "input")
    succeed("preprocess.py", "--base", root / "preprocess")
    for folder in ("train/input", "train/model", "evaluate/input/model"):
        (root / folder).mkdir(parents=True)
    (root / "train/input/data").symlink_to(root / "preprocess/output", target_is_directory=True)
    succeed("train.py", "--base", root / "train", "--trees", 50)
    with tarfile.open(root / "evaluate/input/model/model.tar.gz", "w:gz") as archive:
        archive.add(root / "train/model", arcname=".")
    (root / "evaluate/input/test").symlink_to(root / "preprocess/output/test", target_is_directory=True)
    succeed("evaluate.py", "--base", root / "evaluate")
    return root


def test_every_row_is_in_one_part_with_the_label_first(chain: Path) -> None:
    head, *rows = rows_of(chain / "preprocess/input/customers/customers.csv")
    assert head == COLUMNS
    parts = {name: rows_of(chain / f"preprocess/output/{name}/{name}.csv") for name in ("train", "test")}
    assert len(parts["test"]) == len(rows) // 5
    together = [list(map(float, row)) for part in parts.values() for row in part]
    assert sorted(together) == sorted([list(map(float, row)) for row in rows])


def test_the_model_learns_something(chain: Path) -> None:
    measured = json.loads((chain / "evaluate/output/evaluation/evaluation.json").read_text())
    assert measured["auc"] > 0.7
    quality = json.loads((chain / "evaluate/output/evaluation/model_quality.json").read_text())
    assert quality["binary_classification_metrics"]["auc"]["value"] == pytest.approx(measured["auc"])


def test_the_archive_serves_what_was_measured(chain: Path) -> None:
    """With its own code, in a process that knows nothing else of the model."""
    code = (
        "import inference as i, sys; model = i.model_fn(sys.argv[1]);"
        "print(i.output_fn(i.predict_fn(i.input_fn(sys.stdin.read(), 'text/csv'), model), 'text/csv')[0])"
    )
    test = rows_of(chain / "preprocess/output/test/test.csv")
    body = "".join(f"{','.join(row[1:])}\n" for row in test)
    model = chain / "train/model"
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)],
        cwd=model / "code",
        input=body,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    scores = list(map(float, done.stdout.split()))
    assert len(scores) == len(test)
    predicted = predict_fn(input_fn(body, "text/csv"), model_fn(str(model)))
    assert output_fn(predicted, "text/csv") == (f"{done.stdout.strip()}\n", "text/csv")
    positive = [score for score, row in zip(scores, test, strict=True) if float(row[0]) == 1]
    negative = [score for score, row in zip(scores, test, strict=True) if float(row[0]) == 0]
    assert sum(positive) / len(positive) > sum(negative) / len(negative)


def test_a_request_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{len(FEATURES) + 1} values in a row; expected are {FEATURES[0]}"):
        input_fn(",".join("0" * (len(FEATURES) + 1)), "text/csv")


@pytest.mark.parametrize(
    ("head", "row", "expected"),
    [
        (FEATURES, ["0"] * len(FEATURES), LABEL),
        (COLUMNS, ["1", "many", *["0"] * (len(FEATURES) - 1)], FEATURES[0]),
        (COLUMNS, ["2", *["0"] * len(FEATURES)], f"column {LABEL!r} has other values than 0 and 1"),
        (COLUMNS, ["1", *["0"] * len(FEATURES)], "1 rows are too few"),
    ],
    ids=["a column is missing", "no number", "no label", "one row"],
)
def test_bad_data_ends_in_one_line(tmp_path: Path, head: list[str], row: list[str], expected: str) -> None:
    folder = tmp_path / "input" / "customers"
    folder.mkdir(parents=True)
    (folder / "customers.csv").write_text(f"{','.join(head)}\n{','.join(row)}\n")
    done = run("preprocess.py", "--base", tmp_path)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert expected in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "output" / "train").exists()


def test_a_bad_hyperparameter_ends_in_one_line(tmp_path: Path) -> None:
    done = run("train.py", "--base", tmp_path, "--trees", 0)
    assert done.returncode != 0
    assert "trees: 0 is out of range" in done.stderr.strip().splitlines()[-1]
