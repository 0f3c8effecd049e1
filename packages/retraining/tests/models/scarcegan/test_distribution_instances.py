"""Instances that train together: the same parameters on all, and what becomes of lost and different ones."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from instances_to_run import Running, make
from jobs import MODEL
from numpy.typing import NDArray
from test_checkpoint import content

SMALL = ("--iterations_per_epoch", "20", "--batch_size", "32", "--cross_validation")
FOLDS = ("--epochs", "4", *SMALL, "true")
LONG = ("--epochs", "1000", *SMALL, "false")
GONE = "another instance has ended, so the training cannot go on; its log says why"

Arrays = list[NDArray[np.float32]]


@pytest.fixture
def data(small: Path) -> Path:
    return small / "output"


def learn(root: Path, data: Path, count: int, variant: str = "scarcegan") -> list[Arrays]:
    """What each instance tells: the means of four rounds [4, 4], then its variables."""
    bases = make(root, data, count)
    words = [[str(base), variant] for base in bases]
    running = Running(Path(__file__).with_name("learn_together.py"), bases, words)
    assert running.wait() == [0] * count, running.log(0) + running.log(-1)
    told = []
    for base in bases:
        with np.load(base / "told.npz") as opened:
            told.append([opened[name] for name in opened.files])
    return told


def same(left: Arrays, right: Arrays) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def train(bases: list[Path], *options: str) -> Running:
    return Running(MODEL / "train.py", bases, [["--base", str(base), *options] for base in bases])


def test_all_instances_have_the_same_parameters_and_learn(data: Path, tmp_path: Path) -> None:
    first, second = learn(tmp_path / "two", data, 2)
    assert same(first, second)
    again, _ = learn(tmp_path / "again", data, 2)
    assert same(first, again), "the same seed gives the same parameters"
    (alone,) = learn(tmp_path / "one", data, 1)
    assert not same(first[1:], alone[1:]), "the second instance has had a say"
    assert [value.shape for value in first] == [value.shape for value in alone]
    supervised, accuracy = first[0][:, 0], first[0][:, 3]
    assert (np.diff(supervised) < 0).all()
    assert accuracy[-1] > accuracy[0]


def test_every_variant_learns_together(data: Path, tmp_path: Path) -> None:
    first, second = learn(tmp_path, data, 2, "adversarial-autoencoder")
    assert same(first, second)
    assert first[0][-1, 0] < first[0][0, 0]


@pytest.mark.slow
def test_a_killed_training_goes_on_and_needs_one_checkpoint_on_all(data: Path, tmp_path: Path) -> None:
    whole = make(tmp_path / "whole", data)
    running = train(whole, *FOLDS)
    assert running.wait() == [0, 0], running.log(0)
    assert running.log(0).count("\nIteration=") == 4

    killed = make(tmp_path / "killed", data)
    running = train(killed, *FOLDS)
    running.wait_for("Fold=2; Iteration=60;")
    running.kill()
    # As SageMaker does it: what the instances have goes to S3, and all of it to each of the next ones.
    shutil.copytree(killed[0] / "checkpoints", killed[1] / "checkpoints", dirs_exist_ok=True)
    running = train(killed, *FOLDS)
    assert running.wait() == [0, 0], running.log(0)
    assert "Checkpoint: going on after epoch" in running.log(0)
    assert content(killed[0] / "model") == content(whole[0] / "model")

    running = train(whole, *FOLDS)
    assert running.wait() == [1, 1], "only one of them has the checkpoint"
    for rank in (0, 1):
        assert "the instances do not have the same one; delete it" in running.log(rank).splitlines()[-1]


@pytest.mark.parametrize("victim", [0, 1])
def test_who_loses_the_other_one_says_so_and_ends(data: Path, tmp_path: Path, victim: int) -> None:
    bases = make(tmp_path, data)
    running = train(bases, *LONG)
    running.wait_for("Iteration=40;")
    running.processes[victim].kill()
    codes = running.wait()
    assert codes[1 - victim] == 1, running.log(1 - victim)
    reason = f"Error: instance {2 - victim} of 2: {GONE}"
    assert running.log(1 - victim).splitlines()[-1] == reason
    assert (bases[1 - victim] / "output" / "failure").read_text().strip() == reason


def test_instances_with_parts_of_the_data_are_refused(data: Path, tmp_path: Path) -> None:
    bases = make(tmp_path / "run", data)
    other = tmp_path / "other"
    shutil.copytree(data, other)
    fold = next((other / "unlabelled_folds").iterdir())
    fold.write_text("".join(fold.read_text().splitlines(keepends=True)[:-1]))
    (bases[1] / "input" / "data").unlink()
    (bases[1] / "input" / "data").symlink_to(other, target_is_directory=True)
    running = train(bases, *LONG)
    assert running.wait() == [1, 1]
    for rank in (0, 1):
        assert running.log(rank).splitlines()[-1] == (
            "Error: channels: the instances do not have the same data or hyperparameters;"
            " give each of them all data (distribution: FullyReplicated)"
        )
