"""A project that is moved, renamed or copied works there, and installs itself again."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import FOLDER, ROOT, clean_environment

# In place of the platform: what matters is where its command and its modules are found.
PROJECT = """[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
[project]
name = "retraining"
version = "1.0"
description = "stands for the platform"
[project.scripts]
retrain = "retraining:main"
"""
MODULE = "def main() -> None:\n    print(__file__)\n"
ODD = "it's (a), $HOME & more"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A project of nothing but the files that install it."""
    folder = tmp_path / "first"
    package = folder / "vendor" / "retraining"
    (package / "src" / "retraining").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "src" / "retraining" / "__init__.py").write_text(MODULE)
    for name in ("Makefile", "bootstrap.sh", "tools.lock"):
        shutil.copy(ROOT / FOLDER / name, folder)
    lock = (ROOT / FOLDER / "requirements.lock").read_text()
    flit = re.findall(r"^flit-core==(?:.*\\\n)*.*\n", lock, re.MULTILINE)
    (folder / "requirements.lock").write_text("".join(flit))
    assert make(folder, "install").returncode == 0
    return folder


def make(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", *words, "PACKAGES=retraining"]
    return subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )


def retrain(folder: Path) -> str:
    """Where the command finds its module."""
    done = subprocess.run([folder / ".venv" / "bin" / "retrain"], capture_output=True, text=True, check=True)
    return os.path.realpath(done.stdout.strip())


def module(folder: Path) -> str:
    return os.path.realpath(folder / "vendor" / "retraining" / "src" / "retraining" / "__init__.py")


def test_a_moved_project_works_and_is_installed_again(installed: Path) -> None:
    assert retrain(installed) == module(installed)
    assert make(installed, "--question", "install").returncode == 0
    moved = installed.rename(installed.parent / ODD)
    assert retrain(moved) == module(moved)
    assert make(moved, "--question", "install").returncode == 1
    done = make(moved, "install")
    assert done.returncode == 0, done.stderr
    assert make(moved, "--question", "install").returncode == 0
    assert retrain(moved) == module(moved)


def test_a_copy_uses_its_own_platform(installed: Path) -> None:
    copy = installed.parent / "copy"
    shutil.copytree(installed, copy, symlinks=True)
    assert retrain(copy) == module(copy)
    assert retrain(installed) == module(installed)


@pytest.mark.parametrize("target", ["install", "clean"])
def test_what_an_older_version_installed_does_not_block(installed: Path, target: str) -> None:
    """Its commands name a Python in the folder as it was called."""
    (installed / ".venv" / "folder").unlink()
    (installed / ".venv" / "bin" / "retrain").write_text("#!/old/.venv/bin/python\n")
    done = make(installed, target)
    assert done.returncode == 0, done.stderr
    if target == "install":
        assert retrain(installed) == module(installed)
    else:
        assert not (installed / ".venv").exists()


def test_a_moved_project_can_be_cleaned(installed: Path) -> None:
    moved = installed.rename(installed.parent / "moved")
    done = make(moved, "clean")
    assert done.returncode == 0, done.stderr
    assert not (moved / ".venv").exists()
