"""Fixtures that are made once in a run, by whichever worker asks first: copy what a test changes."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retraining.testing import shared_folder

if TYPE_CHECKING:
    from jobs import Chain

# As train.py sets TensorFlow up in a process of its own: before anything imports it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """One run of all jobs at the default size."""
    from jobs import Chain, simulated_chain

    return Chain(shared_folder(tmp_path_factory, "scarcegan-chain", simulated_chain))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of few simulated players, and what preprocess.py makes of it: input/ and output/."""
    from jobs import small_input

    return shared_folder(tmp_path_factory, "scarcegan-small", small_input)


@pytest.fixture(scope="session")
def folded(small: Path, tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """A run of all jobs on few players, with folds and ablations."""
    from jobs import Chain, folded_chain

    name = "scarcegan-folded"
    return Chain(shared_folder(tmp_path_factory, name, lambda root: folded_chain(root, small)))


@pytest.fixture
def base(tmp_path: Path, small: Path) -> Path:
    """A processing job's folder with the small input, to be changed."""
    shutil.copytree(small / "input", tmp_path / "processing" / "input")
    return tmp_path / "processing"
