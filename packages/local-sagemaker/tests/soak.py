"""Tests that draw what they do, such as the moment of a kill, and are worth many repetitions."""

import os
import random
from collections.abc import Callable
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., None])

REPETITIONS, SEED = int(os.environ.get("SOAK_N", "3")), int(os.environ.get("SOAK_SEED", "7"))


def soak(test: Test) -> Test:
    """Run a test SOAK_N times, with another generator as its argument `draw` each time.

    The repetition number n draws the same for the same SOAK_SEED, however many there are and whichever of
    them run: its id, ``seed7-n``, is enough to repeat it alone.
    """
    numbers = range(1, REPETITIONS + 1)
    draws = [pytest.param(random.Random(f"{SEED}-{n}"), id=f"seed{SEED}-{n}") for n in numbers]
    marked: Test = pytest.mark.soak(pytest.mark.parametrize("draw", draws)(test))
    return marked
