import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from jobs import MODEL, run_chain, succeed

import checkpoint
import hyperparameters
import train
from checkpoint import Checkpoints
from failure import InputError

OPTIONS = ("--epochs", 100, "--iterations_per_epoch", 20, "--batch_size", 32)
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
    for folder in sorted((model / "candidates").iterdir()):
        reader = tf.train.load_checkpoint(str(folder / "1" / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        found[folder.name] = {
            name: reader.get_tensor(name).tobytes() for name in shapes if "OBJECT_GRAPH" not in name
        }
        assert any(shapes.values())
    return found


def kill_after_epochs(base: Path, epochs: int, seconds: float = 0.0) -> int:
    """Start the training; kill it `seconds` after so many more epochs. Returns its exit status."""
    command = [sys.executable, str(MODEL / "train.py"), "--base", str(base), *map(str, OPTIONS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += line.startswith("Iteration=")
        if seen >= epochs:
            break
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    return process.wait()


@pytest.mark.slow
def test_a_training_that_was_killed_ten_times_ends_with_the_same_models(whole: Path, tmp_path: Path) -> None:
    """The kills come in an epoch, and before, in and after the writing of a checkpoint."""
    (tmp_path / "input").symlink_to(whole / "input", target_is_directory=True)
    (tmp_path / "checkpoints").mkdir()
    draw = random.Random(7)
    for _ in range(KILLS):
        assert kill_after_epochs(tmp_path, draw.randint(1, 3), draw.choice([0, draw.random() / 10])) == -9
        assert not (tmp_path / "model").exists()
    log = succeed("train.py", "--base", tmp_path, *OPTIONS)
    assert "Checkpoint: going on after epoch" in log
    assert content(tmp_path / "model") == content(whole / "model")


def test_a_training_goes_on_from_its_checkpoint(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "input").symlink_to(whole / "input", target_is_directory=True)
    (tmp_path / "checkpoints").mkdir()
    assert kill_after_epochs(tmp_path, 5) == -9
    log = succeed("train.py", "--base", tmp_path, *OPTIONS)
    assert "Checkpoint: going on after epoch" in log
    assert log.count("Iteration=") < 100
    assert content(tmp_path / "model") == content(whole / "model")


def test_other_hyperparameters_or_data_do_not_meet_the_checkpoint(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "input" / "data", tmp_path / "data")
    channel = {name: tmp_path / "data" / name for name in train.CHANNELS}
    options = hyperparameters.parse([])
    settings = train.settings(options, 10)
    mark = train.mark(settings, options, channel)
    assert mark == train.mark(settings, options, channel)
    assert mark != train.mark(settings, hyperparameters.parse(["--leeway", "0.2"]), channel)
    with (tmp_path / "data" / "train_data" / "data.csv").open("a") as opened:
        opened.write("\n")
    assert mark != train.mark(settings, options, channel)


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    assert kept.load() is None
    kept.save({"history": [{"loss": 0.1}]}, {"weights": np.arange(3.0)})
    loaded = kept.load()
    assert loaded is not None
    assert loaded[0] == {"history": [{"loss": 0.1}]}
    np.testing.assert_array_equal(loaded[1]["weights"], [0, 1, 2])
    absent = Checkpoints(tmp_path / "absent", "a" * 64)
    absent.save({}, {})
    assert not absent.root.exists()
    assert absent.load() is None


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: str) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    kept.save({"history": []}, {"weights": np.arange(1000.0)})
    whole = kept.path.read_bytes()
    flipped = bytes([*whole[:3000], whole[3000] ^ 0xFF, *whole[3001:]])
    kept.path.write_bytes(
        {"cut": whole[:900], "empty": b"", "text": b"no archive", "flipped": flipped}[damage]
    )
    with pytest.raises(InputError, match=r"scarcegan\.npz: it is damaged .*; delete it") as raised:
        kept.load()
    assert "\n" not in str(raised.value)


def test_a_checkpoint_of_another_training_is_one_line(tmp_path: Path) -> None:
    other, mine = Checkpoints(tmp_path, "a" * 64), Checkpoints(tmp_path, "b" * 64)
    other.save({}, {})
    mine.path.parent.mkdir()
    shutil.copy(other.path, mine.path)
    with pytest.raises(InputError, match="other data or hyperparameters; delete it"):
        mine.load()
    assert mine.path.name == checkpoint.NAME
