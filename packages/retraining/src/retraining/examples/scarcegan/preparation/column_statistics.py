"""What the report, the profile and the drift know of columns: counts over all rows, gathered block by block.

Quantiles come from a histogram with a bucket for each number of eight significant bits: a quantile is the
true one with its further bits cut off, less than 0.8 % nearer to zero. Sketches of that kind: Masson, Rim,
Lee, "DDSketch", VLDB 2019; here the buckets are bfloat16's.
"""

import threading
from functools import reduce
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.scaler import Moments

BUCKETS = 1 << 16
Doubles = NDArray[np.float64]
Part = tuple[str, int, int]  # the name of rows that were added together: group, and two numbers


class Summary(NamedTuple):
    """Of a block's rows: an array [F] of each."""

    missing: Doubles
    minimum: Doubles
    maximum: Doubles
    mean: Doubles
    variance: Doubles
    zeros: Doubles


def summary(rows: pl.DataFrame) -> Summary:
    """What is counted of each column, all of them of numbers, in one pass."""
    every = pl.all()
    asked = Summary(
        every.null_count(), every.min(), every.max(), every.mean(), every.var(ddof=0), (every == 0).sum()
    )  # type: ignore[arg-type]
    named = [
        expression.name.suffix(f" {name}") for name, expression in zip(Summary._fields, asked, strict=True)
    ]
    return Summary(*np.array(rows.select(named).row(0), dtype=np.float64).reshape(len(asked), -1))


def position(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bucket of each value; a larger value is never in a lower one."""
    return _ordered(_bits(values + np.float32(0)))  # -0 becomes 0


def value(positions: NDArray[np.uint16]) -> Doubles:
    """The number of eight significant bits that stands for a bucket: of its values the nearest to zero."""
    positions = np.asarray(positions, dtype=np.uint16)
    positive = positions >> np.uint16(15) == 1
    bits = np.where(positive, positions & np.uint16(0x7FFF), ~positions).astype(np.uint32)
    return (bits << np.uint32(16)).view(np.float32).astype(np.float64)


def _bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    return values.view(np.uint32) >> np.uint32(16)


def _ordered(bits: NDArray[np.uint32]) -> NDArray[np.uint16]:
    short = bits.astype(np.uint16)
    return np.where(short >> np.uint16(15) == 1, ~short, short | np.uint16(0x8000))


_PLACES = _ordered(np.arange(BUCKETS, dtype=np.uint32))
_ZERO, _MINUS_ZERO = int(_PLACES[0]), int(_PLACES[0x8000])


class ColumnStatistics:
    """Over the rows of `update` and `merge`, for F columns: lists of length F."""

    def __init__(self, columns: list[str]) -> None:
        count = len(columns)
        self.columns = columns
        self.minimum, self.maximum = np.full(count, np.inf), np.full(count, -np.inf)
        self.zeros = np.zeros(count, dtype=np.int64)
        self._by_bits = np.zeros((count, BUCKETS), dtype=np.uint32)
        self._moments: dict[Part, Moments] = {}
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        return sum(part.count for part in self._moments.values())

    @property
    def histogram(self) -> NDArray[np.uint32]:
        """Rows per bucket, [F, BUCKETS]."""
        ordered = np.empty_like(self._by_bits)
        ordered[:, _PLACES] = self._by_bits
        ordered[:, _ZERO] += ordered[:, _MINUS_ZERO]
        ordered[:, _MINUS_ZERO] = 0
        return ordered

    @property
    def moments(self) -> Moments:
        """Merged in the order of the parts' names, so that threads do not matter."""
        none = Moments.of(np.empty((0, len(self.columns))))
        return reduce(Moments.merged, (self._moments[name] for name in sorted(self._moments)), none)

    def update(
        self, counted: Summary, part: Part, sample: pl.DataFrame, height: int, weight: int = 1
    ) -> None:
        """Add the summary of `height` rows under a name of their own, and a sample of them to the histogram.

        A row of the sample stands for `weight` rows. Threads may do so at once.
        """
        with np.errstate(over="ignore"):  # what is too large for float32 is not in the schema's range
            columns = [_bits(column.to_numpy().astype(np.float32)) for column in sample.iter_columns()]
        moments = Moments(height, counted.mean, counted.variance * height)
        with self._lock:
            self._add(counted.minimum, counted.maximum, counted.zeros, {part: moments})
            for line, bits in zip(self._by_bits, columns, strict=True):
                np.add.at(line, bits, np.uint32(weight))  # in place: a new array of BUCKETS costs far more

    def merge(self, other: "ColumnStatistics") -> None:
        """Add another's rows, whose parts have other names."""
        self._add(other.minimum, other.maximum, other.zeros, other._moments)
        self._by_bits += other._by_bits

    def quantiles(self, shares: list[float]) -> Doubles:
        """[F, len(shares)]; the lower one where a quantile lies between two values."""
        below = self.histogram.cumsum(axis=1, dtype=np.int64)
        ranks = np.floor(np.array(shares) * np.maximum(below[:, -1:] - 1, 0))
        pairs = zip(below, ranks, strict=True)
        places = np.array([np.searchsorted(line, rank, side="right") for line, rank in pairs])
        return np.clip(value(places), self.minimum[:, None], self.maximum[:, None])

    def constant(self) -> list[str]:
        """Columns with the same value in all rows."""
        return [self.columns[number] for number in np.flatnonzero(self.minimum == self.maximum)]

    def _add(
        self, minimum: Doubles, maximum: Doubles, zeros: NDArray[np.generic], parts: dict[Part, Moments]
    ) -> None:
        self.minimum, self.maximum = np.minimum(self.minimum, minimum), np.maximum(self.maximum, maximum)
        self.zeros = self.zeros + zeros.astype(np.int64)
        self._moments |= parts
