"""Several instances that train one model."""

import itertools
import json
import re
import socket
from pathlib import Path

import pytest
from instances_to_run import Running, make
from jobs import MODEL

from job_toolkit.failure import InputError
from model import distribution

OPTIONS = ("--epochs", "2", "--iterations_per_epoch", "20", "--batch_size", "32")


def test_two_instances_train_one_model_that_the_chief_writes(small: Path, tmp_path: Path) -> None:
    bases = make(tmp_path, small / "output")
    running = Running(MODEL / "train.py", bases, [["--base", str(base), *OPTIONS] for base in bases])
    assert running.wait() == [0, 0], running.log(0) + running.log(1)
    assert len(re.findall("^Iteration=", running.log(0), re.MULTILINE)) == 2
    assert "Iteration=" not in running.log(1)
    assert (bases[0] / "model" / "candidates.json").is_file()
    assert not (bases[1] / "model").exists()
    assert list((bases[1] / "checkpoints").iterdir()) == []


def configured(folder: Path, hosts: list[str]) -> Path:
    config = folder / "resourceconfig.json"
    config.write_text(json.dumps({"current_host": "algo-1", "hosts": hosts}))
    return config


def test_one_instance_trains_alone(tmp_path: Path) -> None:
    assert distribution.join(tmp_path / "nowhere.json", "job") == distribution.ALONE
    assert distribution.join(configured(tmp_path, ["algo-1"]), "job") == distribution.ALONE
    distribution.ALONE.check_same("anything", "never said")


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    config = configured(tmp_path, ["algo-1", "algo-2"])
    for name in map(str, itertools.count()):
        with socket.socket() as taken:
            try:
                taken.bind(("", distribution.first_port(name)))
            except OSError:
                continue
            taken.listen()
            with pytest.raises(InputError, match=r"port \d+, .* in use; end what uses it"):
                distribution.join(config, name)
            return
