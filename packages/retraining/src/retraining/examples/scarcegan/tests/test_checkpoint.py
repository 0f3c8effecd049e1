"""A training that is killed goes on from its checkpoint; damaged checkpoints are one line."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from jobs import FOLDED, MODEL, Chain, link, run

import train
from job_toolkit import failure, hyperparameters
from job_toolkit.failure import InputError
from job_toolkit.training import Folders
from model import training, training_data
from model.checkpoint import Arrays, Checkpoint
from model.hyperparameters import Hyperparameters
from model.training_data import Part

KILLS, SEED = int(os.environ.get("SOAK_N", "3")), int(os.environ.get("SOAK_SEED", "7"))


def content(model: Path) -> dict[str, object]:
    """What a model folder holds: texts, and the variables of each SavedModel."""
    files: dict[str, object] = {
        path.name: path.read_bytes() for path in model.iterdir() if path.suffix in (".json", ".csv")
    }
    for folder in sorted([*model.glob("candidates/*"), *model.glob("ablations/*")]):
        reader = tf.train.load_checkpoint(str(folder / "1" / "variables" / "variables"))
        names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
        assert names
        files[folder.name] = {name: reader.get_tensor(name).tobytes() for name in names}
    return files


def kill_after_epochs(base: Path, epochs: int, seconds: float) -> int:
    """Start the training; kill it `seconds` after so many more epochs. Returns its exit status."""
    command = [sys.executable, str(MODEL / "train.py"), "--base", str(base), *map(str, FOLDED)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += "Iteration=" in line
        if seen >= epochs:
            break
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    return process.wait()


@pytest.mark.slow
@pytest.mark.soak
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_models(
    folded: Chain, tmp_path: Path
) -> None:
    """The kills come in an epoch, and before, in and after the writing of a checkpoint; in all trainings.

    `make soak N=...` repeats it: SOAK_N kills, drawn with SOAK_SEED.
    """
    told = f"SOAK_N={KILLS} SOAK_SEED={SEED}"
    link(folded.preprocessed, tmp_path / "input" / "data")
    (tmp_path / "checkpoints").mkdir()
    draw, total = random.Random(SEED), 8 * 4  # epochs of three folds, the model, four ablations
    for _ in range(KILLS):
        epochs, seconds = draw.randint(1, max(1, total // KILLS - 2)), draw.choice([0, draw.random() / 10])
        assert kill_after_epochs(tmp_path, epochs, seconds) == -9, told
        assert not (tmp_path / "model").exists(), told
    done = run("train.py", "--base", tmp_path, *FOLDED)
    assert done.returncode == 0, told + done.stderr
    assert "Checkpoint: going on after epoch" in done.stdout, told
    assert done.stdout.count("Iteration=") < total, told
    assert content(tmp_path / "model") == content(folded.model), told
    assert len(content(tmp_path / "model")) == 5 + 4 + 4


def test_other_hyperparameters_data_or_code_do_not_meet_the_checkpoint(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "input" / "data"
    shutil.copytree(small / "output", data)
    channel = training_data.channels(Folders(tmp_path))
    options, other = (hyperparameters.parse(Hyperparameters, argv) for argv in ([], ["--leeway", "0.2"]))
    settings = train.settings(options, 10)

    def fingerprint(options: Hyperparameters = options) -> str:
        return train.fingerprint(settings, options, channel)

    first = fingerprint()
    assert first == fingerprint() != fingerprint(other)
    with (data / "train_data" / "data.csv").open("a") as opened:
        opened.write("\n")
    assert first != (first := fingerprint())
    (data / "train_data" / "folder").mkdir()
    shutil.copytree(MODEL, tmp_path / "code", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(train, "__file__", str(tmp_path / "code" / "train.py"))
    assert first == fingerprint()
    with (tmp_path / "code" / "model" / "losses.py").open("a") as opened:
        opened.write("\n")
    assert first != fingerprint()


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path, "a" * 64, "model")
    assert kept.load() is None
    kept.save({"history": [{"loss": 0.1}]}, {"weights": np.arange(3.0)})
    loaded = kept.load()
    assert loaded is not None
    assert loaded[0] == {"history": [{"loss": 0.1}]}
    np.testing.assert_array_equal(loaded[1]["weights"], [0, 1, 2])
    absent = Checkpoint(tmp_path / "absent", "a" * 64, "model")
    absent.save({}, {})
    assert not absent.root.exists()
    assert absent.load() is None


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: str) -> None:
    kept = Checkpoint(tmp_path, "a" * 64, "model")
    kept.save({"history": []}, {"weights": np.arange(1000.0)})
    whole = kept.path.read_bytes()
    flipped = bytes([*whole[:3000], whole[3000] ^ 0xFF, *whole[3001:]])
    damaged = {"cut": whole[:900], "empty": b"", "text": b"no archive", "flipped": flipped}
    kept.path.write_bytes(damaged[damage])
    with pytest.raises(InputError, match=r"model\.npz: it is damaged .*; delete it") as raised:
        kept.load()
    assert "\n" not in str(raised.value)


Change = Callable[[dict[str, Any], Arrays], object]
CHANGES: dict[str, Change] = {
    "a variable of another shape": lambda document, arrays: arrays.update(model_0=np.zeros((3, 3))),
    "weights of another shape": lambda document, arrays: arrays.update(best_1=np.zeros((3, 3), np.float32)),
    "a variable missing": lambda document, arrays: arrays.pop("model_3"),
    "a variable of text": lambda document, arrays: arrays.update(
        model_0=np.full(arrays["model_0"].shape, "x")
    ),
    "a longer history": lambda document, arrays: document.update(history=document["history"] * 2),
    "a history without epochs": lambda document, arrays: document.update(history=[{}]),
    "no history": lambda document, arrays: document.update(history=5),
    "no choices": lambda document, arrays: document.update(choices=[[]]),
    "other choices": lambda document, arrays: document.update(choices=[[{"a": 1}]]),
    "no candidates": lambda document, arrays: document.update(epochs=[]),
    "an epoch to come": lambda document, arrays: document.update(epochs=[9, 1, 1, 1]),
    "no epoch": lambda document, arrays: document.update(epochs=[None, 1, 1, 1]),
}


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Callable[[Path], training.Progress], Path]:
    """A training of one epoch, by the root of its checkpoints; and the checkpoint that it leaves."""
    argv = ["--epochs", "1", "--iterations_per_epoch", "2", "--batch_size", "8"]
    options = hyperparameters.parse(Hyperparameters, argv)
    settings, draw = train.settings(options, 5), np.random.default_rng(0)
    labelled = [draw.normal(size=(9, 5)).astype(np.float32) for _ in options.groups]
    part = Part(labelled, np.concatenate(labelled), np.repeat(np.arange(4), 9))

    def learn(root: Path) -> training.Progress:
        return training.train(options, settings, part, labelled[0], Checkpoint(root, "a" * 64, "model"))

    root = tmp_path_factory.mktemp("one-epoch")
    learn(root)
    return learn, root


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_does_not_fit_the_model_is_one_line(
    change: str, one_epoch: tuple[Callable[[Path], training.Progress], Path], tmp_path: Path
) -> None:
    learn, root = one_epoch
    assert learn(root).epoch == 1
    saved = Checkpoint(root, "a" * 64, "model").load()
    assert saved is not None
    CHANGES[change](*saved)
    Checkpoint(tmp_path, "a" * 64, "model").save(*saved)
    with pytest.raises(InputError, match=r"model\.npz: it does not fit the model \(.*\); delete it"):
        learn(tmp_path)


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "make room, or give"), (errno.EROFS, "give the job the right to it")]
)
def test_a_checkpoint_that_cannot_be_written_is_one_line(
    code: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, **arrays: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(np, "savez", refuse)
    kept, reason = Checkpoint(tmp_path, "a" * 64, "model"), tmp_path / "output" / "failure"
    assert failure.run(lambda: kept.save({}, {}), reason) == 1
    line = f"Error: {kept.path}: cannot be opened or written ({os.strerror(code)}); {advice}"
    assert reason.read_text().startswith(line)


def test_a_checkpoint_of_another_training_is_one_line(tmp_path: Path) -> None:
    other, mine = Checkpoint(tmp_path, "a" * 64, "model"), Checkpoint(tmp_path, "b" * 64, "model")
    other.save({}, {})
    mine.path.parent.mkdir()
    shutil.copy(other.path, mine.path)
    with pytest.raises(InputError, match="other data or hyperparameters; delete it"):
        mine.load()
    assert mine.path.name == "model.npz"
