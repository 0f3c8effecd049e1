import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from jobs import Chain, run, succeed

import train
from hyperparameters import Hyperparameters
from job_toolkit import training


@pytest.fixture
def base(tmp_path: Path, chain: Chain) -> Path:
    """A training job's folder with copies of the channels, for tests to change."""
    for name in ("train", "validation"):
        folder = tmp_path / "input" / "data" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.csv").write_bytes((chain.preprocessed / name / f"{name}.csv").read_bytes())
    return tmp_path


def fit(base: Path, *arguments: str) -> int:
    """The job in this process, with the exit code and the reason file of the real one."""
    return training.run(train.main, ["--base", str(base), *arguments])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--num_leaves", "1"],
            "hyperparameter num_leaves: 1 is out of range; it must be a whole number between 2",
        ),
        (["--num_leaves", "2.5"], "hyperparameter num_leaves: '2.5' is not a whole number"),
        (["--learning_rate", "fast"], "hyperparameter learning_rate: 'fast' is not a number; it must be"),
        (["--learning_rate", "nan"], "hyperparameter learning_rate: nan is out of range"),
        (["--beta", "0"], "hyperparameter beta: 0 is out of range; it must be a number between 0.1 and 10"),
        (["--leaves", "3"], "unrecognized arguments: --leaves 3 (known: --num_leaves"),
    ],
)
def test_wrong_hyperparameters_are_named(
    arguments: list[str], text: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(base, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line
    assert (base / "output" / "failure").read_text() == line + "\n"
    assert not (base / "model").exists()


def test_a_channel_of_one_class_or_none_is_named(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = base / "input" / "data" / "validation" / "validation.csv"
    path.write_text(re.sub(r",1$", ",0", path.read_text(), flags=re.MULTILINE))
    assert fit(base) == 1
    assert "channel validation: all rows have Revenue 0; it needs both" in capsys.readouterr().err
    path.unlink()
    assert fit(base) == 1
    assert "channel validation: no .csv, .csv.gz, .parquet file in" in capsys.readouterr().err


def test_the_process_itself_ends_without_a_traceback(base: Path) -> None:
    done = run("train.py", "--base", base, "--num_leaves", "many")
    assert done.returncode == 1
    assert done.stderr == (base / "output" / "failure").read_text()
    assert "hyperparameter num_leaves" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_early_stopping_keeps_the_best_iteration(base: Path) -> None:
    succeed("train.py", "--base", base, "--early_stopping_rounds", 3, "--learning_rate", 0.3)
    document = json.loads((base / "model" / "model.json").read_text())
    trees = (base / "model" / "model.txt").read_text().count("\nTree=")
    assert trees == document["best_iteration"] < 100
    assert document["hyperparameters"]["learning_rate"] == 0.3
    assert set(document["hyperparameters"]) == set(asdict(Hyperparameters()))
    assert sum(document["importance"].values()) == pytest.approx(1)


def test_beta_moves_the_threshold_towards_recall(base: Path) -> None:
    values = {}
    for beta in ("0.5", "2"):
        succeed("train.py", "--base", base, "--beta", beta, "--num_iterations", 40)
        values[beta] = json.loads((base / "model" / "model.json").read_text())
    assert values["0.5"]["threshold"] > values["2"]["threshold"]
    assert values["0.5"]["validation"]["recall"] < values["2"]["validation"]["recall"]
    assert values["0.5"]["validation"]["auc"] == values["2"]["validation"]["auc"]
