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
from jobs import MODEL, run_chain, succeed

import train
from failure import InputError
from model import hyperparameters, training
from model.checkpoint import Arrays, Checkpoint
from model.training_data import Part

OPTIONS = ("--epochs", 100, "--iterations_per_epoch", 20, "--batch_size", 32)
FOLDS = ("--epochs", 12, "--iterations_per_epoch", 20, "--batch_size", 32)
FOLDS += ("--cross_validation", "true", "--ablations", "true")
KILLS = 10


@pytest.fixture(scope="module")
def whole(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nobody interrupted, with its checkpoint."""
    root = tmp_path_factory.mktemp("whole")
    shutil.copytree(small, root / "preprocess" / "input")
    (root / "train" / "checkpoints").mkdir(parents=True)
    run_chain(root, preprocess=("--seed", 7), train=OPTIONS, evaluate=False)
    return root / "train"


def content(model: Path) -> dict[str, object]:
    """What a model folder holds: texts, and the variables of each SavedModel."""
    found: dict[str, object] = {
        path.name: path.read_bytes() for path in model.iterdir() if path.suffix in (".json", ".csv")
    }
    for folder in sorted([*model.glob("candidates/*"), *model.glob("ablations/*")]):
        reader = tf.train.load_checkpoint(str(folder / "1" / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        found[folder.name] = {
            name: reader.get_tensor(name).tobytes() for name in shapes if "OBJECT_GRAPH" not in name
        }
        assert any(shapes.values())
    return found


def kill_after_epochs(base: Path, options: tuple[object, ...], epochs: int, seconds: float = 0.0) -> int:
    """Start the training; kill it `seconds` after so many more epochs. Returns its exit status."""
    command = [sys.executable, str(MODEL / "train.py"), "--base", str(base), *map(str, options)]
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
def test_a_training_that_was_killed_ten_times_ends_with_the_same_models(whole: Path, tmp_path: Path) -> None:
    """The kills come in an epoch, and before, in and after the writing of a checkpoint; in all trainings."""
    bases = [tmp_path / name for name in ("whole", "killed")]
    for base in bases:
        base.mkdir()
        (base / "input").symlink_to(whole / "input", target_is_directory=True)
        (base / "checkpoints").mkdir()
    succeed("train.py", "--base", bases[0], *FOLDS)
    draw = random.Random(7)
    for _ in range(KILLS):
        epochs, seconds = draw.randint(4, 12), draw.choice([0, draw.random() / 10])
        assert kill_after_epochs(bases[1], FOLDS, epochs, seconds) == -9
        assert not (bases[1] / "model").exists()
    log = succeed("train.py", "--base", bases[1], *FOLDS)
    assert "Checkpoint: going on after epoch" in log
    assert content(bases[1] / "model") == content(bases[0] / "model")
    assert len(content(bases[1] / "model")) == 5 + 4 + 4


def test_a_training_goes_on_from_its_checkpoint(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "input").symlink_to(whole / "input", target_is_directory=True)
    (tmp_path / "checkpoints").mkdir()
    assert kill_after_epochs(tmp_path, OPTIONS, 5) == -9
    log = succeed("train.py", "--base", tmp_path, *OPTIONS)
    assert "Checkpoint: going on after epoch" in log
    assert log.count("Iteration=") < 100
    assert content(tmp_path / "model") == content(whole / "model")


def test_other_hyperparameters_data_or_code_do_not_meet_the_checkpoint(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(whole / "input" / "data", tmp_path / "data")
    channel = {name: tmp_path / "data" / name for name in train.CHANNELS}
    options = hyperparameters.parse([])
    settings = train.settings(options, 10)
    mark = train.mark(settings, options, channel)
    assert mark == train.mark(settings, options, channel)
    assert mark != train.mark(settings, hyperparameters.parse(["--leeway", "0.2"]), channel)
    with (tmp_path / "data" / "train_data" / "data.csv").open("a") as opened:
        opened.write("\n")
    assert mark != (mark := train.mark(settings, options, channel))
    (tmp_path / "data" / "train_data" / "folder").mkdir()
    shutil.copytree(MODEL, tmp_path / "code", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(train, "__file__", str(tmp_path / "code" / "train.py"))
    assert mark == train.mark(settings, options, channel)
    with (tmp_path / "code" / "losses.py").open("a") as opened:
        opened.write("\n")
    assert mark != train.mark(settings, options, channel)


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
    kept.path.write_bytes(
        {"cut": whole[:900], "empty": b"", "text": b"no archive", "flipped": flipped}[damage]
    )
    with pytest.raises(InputError, match=r"model\.npz: it is damaged .*; delete it") as raised:
        kept.load()
    assert "\n" not in str(raised.value)


def resized(document: dict[str, Any], arrays: Arrays) -> None:
    arrays["model_0"] = np.zeros((3, 3))


def resized_best(document: dict[str, Any], arrays: Arrays) -> None:
    arrays["best_1"] = np.zeros((3, 3), np.float32)


def without_array(document: dict[str, Any], arrays: Arrays) -> None:
    del arrays["model_3"]


def of_text(document: dict[str, Any], arrays: Arrays) -> None:
    arrays["model_0"] = np.full(arrays["model_0"].shape, "x")


def longer_history(document: dict[str, Any], arrays: Arrays) -> None:
    document["history"] *= 2


def history_without_epochs(document: dict[str, Any], arrays: Arrays) -> None:
    document["history"] = [{}]


def without_history(document: dict[str, Any], arrays: Arrays) -> None:
    document["history"] = 5


def without_choices(document: dict[str, Any], arrays: Arrays) -> None:
    document["choices"] = [[]]


def other_choices(document: dict[str, Any], arrays: Arrays) -> None:
    document["choices"] = [[{"a": 1}]]


def without_candidates(document: dict[str, Any], arrays: Arrays) -> None:
    document["bests"] = []


def without_choice(document: dict[str, Any], arrays: Arrays) -> None:
    document["bests"][0]["choice"] = None


@pytest.mark.parametrize(
    "change",
    [
        resized, resized_best, without_array, of_text, longer_history, history_without_epochs,
        without_history, without_choices, other_choices, without_candidates, without_choice,
    ],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_the_model_is_one_line(
    change: Callable[[dict[str, Any], Arrays], None], tmp_path: Path
) -> None:
    options = hyperparameters.parse(["--epochs", "1", "--iterations_per_epoch", "2", "--batch_size", "8"])
    settings, draw = train.settings(options, 5), np.random.default_rng(0)
    labelled = [draw.normal(size=(9, 5)).astype(np.float32) for _ in options.groups]
    part = Part(labelled, np.concatenate(labelled), np.repeat(np.arange(4), 9))
    kept = Checkpoint(tmp_path, "a" * 64, "model")
    training.train(options, settings, part, labelled[0], kept)
    saved = kept.load()
    assert saved is not None
    assert training.train(options, settings, part, labelled[0], kept).epoch == 1
    change(*saved)
    kept.save(*saved)
    with pytest.raises(InputError, match=r"model\.npz: it does not fit the model \(.*\); delete it"):
        training.train(options, settings, part, labelled[0], kept)


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "make room, or give"), (errno.EROFS, "give the job the right to it")]
)
def test_a_checkpoint_that_cannot_be_written_is_one_line(
    code: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, **arrays: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(np, "savez", refuse)
    with pytest.raises(InputError, match=rf"model\.npz: cannot be opened or written \(.*\); {advice}"):
        Checkpoint(tmp_path, "a" * 64, "model").save({}, {})


def test_a_checkpoint_of_another_training_is_one_line(tmp_path: Path) -> None:
    other, mine = Checkpoint(tmp_path, "a" * 64, "model"), Checkpoint(tmp_path, "b" * 64, "model")
    other.save({}, {})
    mine.path.parent.mkdir()
    shutil.copy(other.path, mine.path)
    with pytest.raises(InputError, match="other data or hyperparameters; delete it"):
        mine.load()
    assert mine.path.name == "model.npz"
