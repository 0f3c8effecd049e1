from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jobs import Chain


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated input of few sessions, for tests that change it: copy it first."""
    from jobs import succeed

    out = tmp_path_factory.mktemp("small") / "input"
    succeed("simulate.py", "--out", out, "--rows", 3000)
    return out


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory, small: Path) -> "Chain":
    """One run of all jobs on simulated sessions."""
    from jobs import run_chain

    root = tmp_path_factory.mktemp("chain")
    (root / "preprocess").mkdir()
    (root / "preprocess" / "input").symlink_to(small, target_is_directory=True)
    return run_chain(root)
