"""How much of a difference between two models is chance: what other test rows like these would show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 200
SEED = 7

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Ranking:
    """Rows ordered by falling score: `order` [n], and the last position of each distinct score."""

    order: NDArray[np.int64]
    last: NDArray[np.int64]

    def average_precision(self, positive: Bools, weights: Floats) -> float:
        """As measures.average_precision, where row i counts weights[i] times."""
        counts = weights[self.order]
        hits = np.cumsum(counts * positive[self.order])[self.last]
        flagged = np.cumsum(counts)[self.last]
        precision = hits / np.maximum(flagged, 1)
        return float(np.sum(np.diff(hits, prepend=0) * precision) / max(1, hits[-1]))


def ranking(scores: Floats) -> Ranking:
    order = np.argsort(-scores, kind="stable")
    return Ranking(order, np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)))


def interval(positive: Bools, scores: Floats, rival: Floats) -> tuple[float, float]:
    """The middle 95 % of the difference in average precision between `scores` [n] and `rival` [n].

    Both are measured on the same rows: n >= 1 drawn with replacement, DRAWS times (Efron 1979).
    """
    rng, rows = np.random.default_rng(SEED), len(positive)
    ours, theirs = ranking(scores), ranking(rival)
    differences = []
    for _ in range(DRAWS):
        weights = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        differences.append(
            ours.average_precision(positive, weights) - theirs.average_precision(positive, weights)
        )
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)
