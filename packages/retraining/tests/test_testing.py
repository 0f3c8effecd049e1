"""The pytest plugin: what it offers the tests of models."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os
import time

import pytest

from retraining.testing import shared_folder

LOG = {log!r}


def make(folder):
    with open(LOG, "a") as log:
        log.write(os.environ.get("PYTEST_XDIST_WORKER", "only") + "\\n")
    (folder / "half").touch()
    time.sleep(0.3)
    {ending}
    (folder / "whole").touch()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    return shared_folder(tmp_path_factory, "any-name", make)


@pytest.mark.parametrize("number", range(4))
def test_it_is_whole(shared, number):
    assert sorted(path.name for path in shared.iterdir()) == ["half", "whole"]
"""


def run(folder: Path, workers: int, ending: str = "pass") -> tuple[int, list[str]]:
    """Run two such files of tests; the exit code, and who has made the folder."""
    log = folder / "log"
    for name in ("one", "two"):
        (folder / f"test_{name}.py").write_text(TESTS.format(log=str(log), ending=ending))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    command += ["-n", str(workers), "--dist", "loadfile", f"--basetemp={folder / 'temporary'}", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, log.read_text().split()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shared_folder_is_made_once(workers: int, tmp_path: Path) -> None:
    code, makers = run(tmp_path, workers)
    assert code == 0
    assert len(makers) == 1


def test_a_shared_folder_that_could_not_be_made_is_not_used(tmp_path: Path) -> None:
    code, makers = run(tmp_path, 2, "raise ValueError('no')")
    assert code == 1
    assert sorted(makers) == ["gw0", "gw1"]
