"""Tests that need the platform beside the model; a project has the model's own tests."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jobs import Chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """One run of all jobs at the default size."""
    from jobs import simulated_chain

    return simulated_chain(tmp_path_factory.mktemp("chain"), seed=7)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated input of few players."""
    from jobs import succeed

    out = tmp_path_factory.mktemp("small") / "input"
    succeed("simulate.py", "--out", out, "--players", 2000, "--days", 14)
    return out
