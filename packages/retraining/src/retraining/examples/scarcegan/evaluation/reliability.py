"""How far probabilities can be taken at their word: of the rows scored 0.3, do three in ten prove scarce?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Reliability:
    """Per bin of equal width that holds a row: mean probability, share of positives, and rows."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    rows: NDArray[np.int64]


def reliability(positive: Bools, probabilities: Floats) -> Reliability:
    """Of n >= 1 rows with truth `positive` [n] and `probabilities` [n] in [0, 1]."""
    values = np.asarray(probabilities, np.float64)
    number = np.minimum((values * BINS).astype(int), BINS - 1)
    rows, sums, hits = (
        np.bincount(number, weights, minlength=BINS) for weights in (None, values, positive.astype(float))
    )
    held = rows > 0
    return Reliability(sums[held] / rows[held], hits[held] / rows[held], rows[held].astype(np.int64))


def calibration_error(positive: Bools, probabilities: Floats) -> float:
    """Expected calibration error (Naeini, Cooper & Hauskrecht 2015): the mean gap of the bins, by rows."""
    found = reliability(positive, probabilities)
    return float(np.average(np.abs(found.predicted - found.observed), weights=found.rows))


def brier(positive: Bools, probabilities: Floats) -> float:
    """Brier score (Brier 1950): the mean squared difference of probability and truth."""
    return float(np.mean((np.asarray(probabilities, np.float64) - positive) ** 2))
