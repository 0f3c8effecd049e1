from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jobs import Chain

# Enough for the loss to fall; a training takes some seconds.
QUICK = ("--epochs", 3, "--rouge_examples", 4, "--max_eval_loss", 5)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """One run of all jobs on few dialogues."""
    from jobs import run_chain

    return run_chain(tmp_path_factory.mktemp("chain"), 240, *QUICK)


@pytest.fixture(scope="session")
def quick() -> tuple[object, ...]:
    """The hyperparameters of `chain`."""
    return QUICK


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated input, for tests that change it: copy it first."""
    from jobs import succeed

    out = tmp_path_factory.mktemp("simulated") / "input"
    succeed("simulate.py", "--out", out, "--dialogues", 60)
    return out
