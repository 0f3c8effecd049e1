"""Tests that need the platform, much time or real data; a project has the model's other tests."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retraining.testing import shared_folder

if TYPE_CHECKING:
    from jobs import Chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """One run of all jobs at the default size, the same that the model's other tests use."""
    from jobs import Chain, simulated_chain

    return Chain(shared_folder(tmp_path_factory, "scarcegan-chain", simulated_chain))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few simulated players, preprocessed: input/ and output/."""
    from jobs import small_input

    return shared_folder(tmp_path_factory, "scarcegan-small", small_input)
