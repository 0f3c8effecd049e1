"""The jobs of the unit, run as processes on a folder in place of /opt/ml."""

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from retraining.testing import model_folder

UNIT = model_folder(__file__)
_NO_TORCH = f"needs torch, transformers and PEFT: pip install -r models/{UNIT.name}/requirements.txt"


def modules_with_torch(*names: str) -> list[Any]:
    """The modules; where torch, transformers or PEFT is absent, the tests of the importing file skip."""
    for package in ("torch", "transformers", "peft"):
        pytest.importorskip(package, reason=_NO_TORCH)
    return [importlib.import_module(name) for name in names]


def command(script: Path | str, *arguments: object) -> list[str]:
    return [sys.executable, str(UNIT / script), *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """This process's, without SageMaker's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SM_")} | more


def run(script: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the unit in a process of its own, from another folder."""
    return subprocess.run(
        command(script, *arguments),
        cwd=UNIT.anchor,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


def succeed(script: str, *arguments: object, **variables: str) -> str:
    """Run a script that must succeed; return what it printed."""
    done = run(script, *arguments, **variables)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def fail(reason: Path, script: str, *arguments: object, **variables: str) -> str:
    """Run a script that must fail as a user's mistake does; return its one line."""
    done = run(script, *arguments, **variables)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert reason.read_text() == line + "\n"
    assert line.startswith("Error: ")
    assert "unexpected" not in line
    return line.removeprefix("Error: ")


@dataclass(frozen=True)
class Chain:
    """The folders of one run: preprocess/{input,output}, train/{input,model,output,checkpoints}."""

    root: Path
    log: str

    @property
    def data(self) -> Path:
        return self.root / "preprocess" / "output"

    @property
    def model(self) -> Path:
        return self.root / "train" / "model"


def training_base(folder: Path, data: Path) -> Path:
    """A folder in place of /opt/ml whose channels are the preprocessing's outputs."""
    (folder / "input").mkdir(parents=True)
    (folder / "input" / "data").symlink_to(data, target_is_directory=True)
    return folder


def run_chain(root: Path, dialogues: int, *train: object) -> Chain:
    """Simulate, preprocess and train, handing on the folders as SageMaker does."""
    succeed("simulate.py", "--out", root / "preprocess" / "input", "--dialogues", dialogues)
    succeed("preprocess.py", "--base", root / "preprocess")
    base = training_base(root / "train", root / "preprocess" / "output")
    return Chain(root, succeed("train.py", "--base", base, *train))
