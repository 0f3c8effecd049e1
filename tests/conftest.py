"""Bakes: projects made from a copy of what git would commit, by cookiecutter's own command line."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

# A shell lets programs in the background ignore it, and so would the programs that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
COOKIECUTTER = [sys.executable, "-m", "cookiecutter"]
FOLDER = "{{cookiecutter.project_slug}}"


@dataclass(frozen=True)
class Baked:
    """One run of cookiecutter: its exit status and words, and the folder that it was told to make."""

    status: int
    stdout: str
    stderr: str
    output: Path
    folder: Path

    def files(self) -> list[str]:
        """Paths of all files of the project, relative to its folder, sorted."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)


Bake = Callable[..., Baked]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-tree", action="store_true", help="write tests/tree.txt anew from a bake")


def clean_environment() -> dict[str, str]:
    """The environment without what the surrounding make, pytest and virtual environment put there."""
    surrounding = ("MAKE", "MFLAGS", "PYTEST", "VIRTUAL_ENV", "PYTHONPATH", "COOKIECUTTER")
    return {name: value for name, value in os.environ.items() if not name.startswith(surrounding)}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as git sees it: what git ignores can neither help a bake nor reach it."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    copy = tmp_path_factory.mktemp("template")
    for name in listing.stdout.split("\0"):
        if name and ((ROOT / name).is_file() or (ROOT / name).is_symlink()):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of cookiecutter that keeps its notes out of the home folder."""
    folder = tmp_path_factory.mktemp("cookiecutter")
    path = folder / "config.yaml"
    path.write_text(f"cookiecutters_dir: {folder}/cookiecutters\nreplay_dir: {folder}/replay\n")
    return path


@pytest.fixture(scope="session")
def bake(template: Path, settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """A function that bakes with the given answers, and the default ones for all other questions."""

    def run(source: Path = template, **answers: str) -> Baked:
        output = tmp_path_factory.mktemp("out")
        command = [*COOKIECUTTER, str(source), "--no-input", "--config-file", str(settings)]
        command += ["--output-dir", str(output), *(f"{key}={value}" for key, value in answers.items())]
        done = subprocess.run(
            command, cwd=output, env=clean_environment(), capture_output=True, text=True, check=False
        )
        folder = output / answers.get("project_slug", "retraining")
        return Baked(done.returncode, done.stdout, done.stderr, output, folder)

    return run


EXAMPLES = ["scarcegan", "lightgbm", "housing", "summarization"]


@pytest.fixture(scope="session")
def baked_example(bake: Bake, default: Baked) -> Callable[[str], Baked]:
    """A function that gives a project that starts from the example: baked once, and not to be changed."""
    baked = {"scarcegan": default}

    def of(example: str) -> Baked:
        if example not in baked:
            baked[example] = bake(example=example)
            assert baked[example].status == 0, baked[example].stdout + baked[example].stderr
        return baked[example]

    return of


@pytest.fixture(scope="session")
def default(bake: Bake) -> Baked:
    baked = bake()
    assert baked.status == 0, baked.stdout + baked.stderr
    return baked
