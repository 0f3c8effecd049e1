import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jobs import Chain, run, succeed

import failure
import hyperparameters
import measures
import train


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
    argv = ["--base", str(base), *arguments]
    return failure.run(lambda: train.main(argv), base / "output" / "failure")


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
    assert "channel validation: no .csv or .csv.gz file in" in capsys.readouterr().err


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
    assert set(document["hyperparameters"]) == set(hyperparameters.NUMBERS)
    assert sum(document["importance"].values()) == pytest.approx(1)


def test_beta_moves_the_threshold_towards_recall(base: Path) -> None:
    values = {}
    for beta in ("0.5", "2"):
        succeed("train.py", "--base", base, "--beta", beta, "--num_iterations", 40)
        values[beta] = json.loads((base / "model" / "model.json").read_text())
    assert values["0.5"]["threshold"] > values["2"]["threshold"]
    assert values["0.5"]["validation"]["recall"] < values["2"]["validation"]["recall"]
    assert values["0.5"]["validation"]["auc"] == values["2"]["validation"]["auc"]


@given(
    scores=arrays.arrays(
        np.float64, st.integers(2, 30), elements=st.integers(0, 8).map(lambda value: value / 8)
    ),
    seed=st.integers(0, 1000),
    beta=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_no_threshold_has_a_higher_f_beta(scores: np.ndarray, seed: int, beta: float) -> None:
    labels = np.random.default_rng(seed).integers(0, 2, len(scores))
    labels[:2] = 0, 1

    def f_beta(threshold: float) -> float:
        flagged = scores >= threshold
        hits = int((flagged & (labels == 1)).sum())
        return (1 + beta**2) * hits / (beta**2 * labels.sum() + flagged.sum()) if hits else 0.0

    chosen = measures.choose_threshold(labels, scores, beta)
    assert f_beta(chosen) == pytest.approx(max(f_beta(threshold) for threshold in scores))
