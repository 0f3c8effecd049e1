"""The unit's jobs, run as processes on a folder in place of /opt/ml."""

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from retraining.testing import model_folder

UNIT = model_folder(__file__)


@dataclass(frozen=True)
class Jobs:
    """Runs the scripts of the unit in `folder` as SageMaker does: in processes of their own."""

    folder: Path

    def run(self, script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("SM_")}
        return subprocess.run(
            [sys.executable, str(self.folder / script), *map(str, arguments)],
            cwd=self.folder.anchor,
            env=quiet | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, script: str, *arguments: object, **environment: str) -> str:
        done = self.run(script, *arguments, **environment)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def fail(self, script: str, *arguments: object, reason: Path, **environment: str) -> str:
        """Run a script that must fail as a user's mistake does; return its one line."""
        done = self.run(script, *arguments, **environment)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        line = done.stderr.splitlines()[-1]
        assert reason.read_text() == line + "\n"
        return line.removeprefix("Error: ")


def load(*names: str) -> SimpleNamespace:
    """Modules of the unit, which leave nothing behind: other units have modules of the same names."""
    own = {path.stem for path in UNIT.glob("*.py")}
    hidden: dict[str, ModuleType] = {name: sys.modules.pop(name) for name in own & sys.modules.keys()}
    sys.path.insert(0, str(UNIT))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(UNIT))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def made_up(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Blocks [n, 9] that could be true."""
    rng = np.random.default_rng(seed)
    households = rng.lognormal(6, 0.7, count).round() + 1
    columns = [
        rng.uniform(-124, -114, count).round(2),
        rng.uniform(32, 42, count).round(2),
        rng.integers(1, 53, count),
        (households * rng.uniform(3, 8, count)).round(),
        (households * rng.uniform(0.9, 1.3, count)).round(),
        (households * rng.uniform(1.5, 4, count)).round(),
        households,
        rng.lognormal(1.2, 0.4, count).round(4),
        rng.uniform(15_000, 500_001, count).round(),
    ]
    return np.column_stack(columns).astype(float)


@pytest.fixture(scope="session")
def jobs() -> Jobs:
    return Jobs(UNIT)


@pytest.fixture(scope="session")
def unit() -> SimpleNamespace:
    return load("houses", "preprocess", "projection")


@pytest.fixture(scope="session")
def rows() -> NDArray[np.float64]:
    return made_up(900)


@pytest.fixture
def base(tmp_path: Path, rows: NDArray[np.float64]) -> Path:
    """A processing job's folder with one input file, for tests to change."""
    folder = tmp_path / "processing" / "input" / "houses"
    folder.mkdir(parents=True)
    np.savetxt(folder / "part-0000.csv", rows, fmt="%.6f", delimiter=",")
    return tmp_path / "processing"


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory, jobs: Jobs, rows: NDArray[np.float64]) -> SimpleNamespace:
    """Both jobs: `preprocessed` and `model` are their output folders, `logs` what they printed."""
    root = tmp_path_factory.mktemp("chain")
    folder = root / "processing" / "input" / "houses"
    folder.mkdir(parents=True)
    np.savetxt(folder / "cal_housing.data", rows, fmt="%.6f", delimiter=",")
    return both_jobs(root, jobs)


@pytest.fixture(scope="session")
def run_both() -> object:
    return both_jobs


def both_jobs(root: Path, jobs: Jobs, *train: object) -> SimpleNamespace:
    """Preprocess root/processing/input and train, handing on the folders as SageMaker does."""
    out = root / "processing" / "output"
    logs = {"preprocess": jobs.succeed("preprocess.py", "--base", root / "processing")}
    (root / "train" / "input").mkdir(parents=True)
    (root / "train" / "input" / "data").symlink_to(out, target_is_directory=True)
    logs["train"] = jobs.succeed("train.py", "--base", root / "train", *train)
    return SimpleNamespace(root=root, preprocessed=out, model=root / "train" / "model", logs=logs)
