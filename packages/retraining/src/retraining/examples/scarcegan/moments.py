"""Mean and squared deviations of features; those of parts of the data, merged, are those of all of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of `count` rows with F features: the means [F] and the sums of squared deviations from them [F]."""

    count: int
    mean: Floats
    squares: Floats

    @property
    def std(self) -> Floats:
        """The deviation over all rows (no correction for a sample), [F]."""
        return np.sqrt(self.squares / max(1, self.count))

    def merged(self, other: "Moments") -> "Moments":
        """Of the rows of both.

        Formula: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979, equation 1.5.
        """
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * other.count / count),
        )


def none(features: int) -> Moments:
    return Moments(0, np.zeros(features), np.zeros(features))


def of(values: Floats) -> Moments:
    """Of the rows [n, F]."""
    if not len(values):
        return none(values.shape[1])
    mean = values.mean(axis=0)
    return Moments(len(values), mean, ((values - mean) ** 2).sum(axis=0))
