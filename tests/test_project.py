"""Baked projects, installed as their users would, pass their own checks unmodified."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLES, ROOT, Baked, clean_environment

DATA = ROOT.parent / "shared" / "data"
OTHERS = EXAMPLES[1:]
# What a run of the example registers.
GROUPS = {
    "lightgbm": {"retraining-lightgbm"},
    "housing": {"retraining-housing-pca", "retraining-housing-mlp"},
    "summarization": {"retraining-summarization"},
}

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    """The environment, with the places of the real data sets where they are beside this repository."""
    found = clean_environment()
    for variable, folder in {
        "NSL_KDD": "nsl_kdd",
        "ONLINE_SHOPPERS": "online_shoppers",
        "CALIFORNIA_HOUSING": "california_housing",
    }.items():
        if (DATA / folder).is_dir():
            found.setdefault(variable, os.fspath(DATA / folder))
    return found


class Project:
    """A baked project with the virtual environment of another one: all have the same lock."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.environment = environment() | {"MYPY_CACHE_DIR": os.fspath(programs.parents[1] / ".mypy_cache")}

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment, which must succeed; return what it printed."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done.stdout

    def retrain(self, *arguments: str) -> str:
        return self.run("retrain", *arguments)

    def use_free_ports(self) -> None:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for name, opened in zip(("SAGEMAKER", "AWS"), sockets, strict=True):
            self.environment[f"LOCAL_{name}_PORT"] = str(opened.getsockname()[1])
            opened.close()


@pytest.fixture(scope="module")
def programs(default: Baked) -> Path:
    """The programs of the default project's virtual environment."""
    subprocess.run(["make", "install"], cwd=default.folder, env=environment(), check=True)
    return default.folder / ".venv" / "bin"


@pytest.fixture(params=OTHERS)
def other(
    request: pytest.FixtureRequest, baked_example: Callable[[str], Baked], programs: Path, tmp_path: Path
) -> Project:
    """A project that starts from another example than the default one, and may be changed."""
    folder = tmp_path / "retraining"
    shutil.copytree(baked_example(request.param).folder, folder)
    return Project(folder, programs)


def test_baked_project_passes_its_own_checks(default: Baked, capfd: pytest.CaptureFixture[str]) -> None:
    # Its words are shown as they come: they say which of the project's tests ran.
    with capfd.disabled():
        print("\nmake check in a baked project:", flush=True)
        done = subprocess.run(
            ["make", "--keep-going", "check"], cwd=default.folder, env=environment(), check=False
        )
    assert done.returncode == 0


def test_project_of_another_example_passes_its_own_checks(
    other: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    other.run("ruff", "check", ".")
    other.run("ruff", "format", "--check", ".")
    other.run("mypy")
    definition = other.retrain("definition")
    assert json.loads(definition)["Steps"]
    assert other.retrain("definition") == definition
    parts = ["tests/test_structure.py", "tests/models"]
    words = other.run("pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", *parts)
    with capfd.disabled():
        print("\n".join(words.splitlines()[-12:]), flush=True)


def test_pipeline_of_another_example_runs(other: Project, request: pytest.FixtureRequest) -> None:
    example = request.node.callspec.params["other"]
    if example == "summarization":
        found = subprocess.run(
            [other.programs / "python", "-c", "import torch, transformers, peft"], check=False
        )
        if found.returncode:
            pytest.skip("torch, transformers and peft are not in the project's lock: no fine-tuning here")
    other.use_free_ports()
    try:
        other.retrain("data")
        assert "Succeeded" in other.retrain("run")
        models: list[dict[str, Any]] = json.loads(other.retrain("models", "list", "--json"))
        assert {model["group"] for model in models} == GROUPS[example]
    finally:
        other.retrain("local", "down")
