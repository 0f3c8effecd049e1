"""Search strategies: which hyperparameters the next training job of a tuning job tries."""

import itertools
import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local_sagemaker.jobs.tuning.ranges import Choice, Number, Range

Candidate = dict[str, str]

_DRAWS = 200  # tries to find values that were not tried yet
_POOL = 600  # candidates that expected improvement chooses from,
_NEAR = 200  # and as many more around the best so far
_STEPS = (0.02, 0.1)  # how far around, in units of a range


@dataclass(frozen=True)
class Trial:
    """A training job's hyperparameters, and its objective (smaller is better) once that is known."""

    values: Candidate
    objective: float | None = None


class Search(Protocol):
    """A strategy. The same trials give the same proposal, in any process."""

    def propose(self, trials: Sequence[Trial]) -> Candidate:
        """Values for the training job after `trials`, all those started so far, in their order."""


class Random:
    """Independent draws, even on each range's scale; nothing is tried twice while there is more to try."""

    def __init__(self, ranges: Sequence[Range], seed: int) -> None:
        self._ranges = ranges
        self._seed = seed

    def propose(self, trials: Sequence[Trial]) -> Candidate:
        draw = random.Random(f"{self._seed}/{len(trials)}")
        tried = [trial.values for trial in trials]
        for _ in range(_DRAWS):
            candidate = {item.name: item.value(draw.random()) for item in self._ranges}
            if candidate not in tried:
                break
        return candidate


class Grid:
    """Every combination of categorical values, once, the last range changing fastest."""

    def __init__(self, ranges: Sequence[Choice]) -> None:
        self._ranges = ranges
        self.size = math.prod(len(item.values) for item in ranges)

    def propose(self, trials: Sequence[Trial]) -> Candidate:
        combinations = itertools.product(*(item.values for item in self._ranges))
        values = next(itertools.islice(combinations, len(trials), None))
        return {item.name: value for item, value in zip(self._ranges, values, strict=True)}


class Bayesian:
    """Expected improvement over a Gaussian process (Matern 5/2, one length scale per dimension).

    The first jobs are random. Jobs whose objective is not known count as average: the search keeps
    away from where one is running already. Method: Jones, Schonlau & Welch, "Efficient Global
    Optimization of Expensive Black-Box Functions", 1998.
    """

    def __init__(self, ranges: Sequence[Range], seed: int) -> None:
        self._ranges = ranges
        self._seed = seed
        self._random = Random(ranges, seed)

    def propose(self, trials: Sequence[Trial]) -> Candidate:
        known = [trial.objective for trial in trials if trial.objective is not None]
        if len(trials) < len(self._ranges) + 2 or len(known) < 2:
            return self._random.propose(trials)
        mean = math.fsum(known) / len(known)
        objectives = [mean if trial.objective is None else trial.objective for trial in trials]
        best = min(
            (trial for trial in trials if trial.objective is not None),
            key=lambda trial: trial.objective or 0.0,
        )
        tried = [trial.values for trial in trials]
        pool = [candidate for candidate in self._pool(best.values, len(trials)) if candidate not in tried]
        if not pool:
            return self._random.propose(trials)
        gains = _expected_improvement(
            [self._point(values) for values in tried],
            objectives,
            min(known),
            [self._point(values) for values in pool],
            self._seed % 2**32,
        )
        return pool[max(range(len(pool)), key=gains.__getitem__)]

    def _pool(self, best: Candidate, number: int) -> list[Candidate]:
        draw = random.Random(f"{self._seed}/{number}/pool")
        pool = [{item.name: item.value(draw.random()) for item in self._ranges} for _ in range(_POOL)]
        for index in range(_NEAR):
            step = _STEPS[index % len(_STEPS)]
            pool.append({item.name: _near(item, best[item.name], step, draw) for item in self._ranges})
        return pool

    def _point(self, values: Candidate) -> list[float]:
        """Coordinates for the process: one per number, one per categorical value."""
        point: list[float] = []
        for item in self._ranges:
            if isinstance(item, Number):
                point.append(item.unit(values[item.name]))
            else:
                point += [float(value == values[item.name]) for value in item.values]
        return point


def _near(item: Range, value: str, step: float, draw: random.Random) -> str:
    if isinstance(item, Choice):
        return item.value(draw.random()) if draw.random() < step else value
    return item.value(min(max(item.unit(value) + draw.gauss(0.0, step), 0.0), 1.0))


def _expected_improvement(
    tried: list[list[float]], objectives: list[float], best: float, pool: list[list[float]], seed: int
) -> list[float]:
    """How much below `best` each point of `pool` is expected to come."""
    # Imported here: a second and 100 MB that only Bayesian searches need.
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from threadpoolctl import threadpool_limits

    # That a length scale ends at its bound is how an unimportant hyperparameter looks.
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module=r"sklearn\.gaussian_process")
    unit = max(map(abs, objectives)) or 1.0  # so that squares do not overflow
    values, best = np.asarray(objectives) / unit, best / unit
    centre, spread = values.mean(), values.std() or 1.0
    lengths = np.full(len(tried[0]), 0.5)
    kernel: Any = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(lengths, (5e-2, 1e1), nu=2.5)
    process = GaussianProcessRegressor(
        kernel + WhiteKernel(1e-3, (1e-6, 1e-1)), n_restarts_optimizer=2, random_state=seed
    )
    # These matrices are small: threads cost more than they save.
    with threadpool_limits(1):
        process.fit(np.asarray(tried), (values - centre) / spread)
        mean, deviation = process.predict(np.asarray(pool), return_std=True)
    deviation = np.maximum(deviation, 1e-9)
    gain = (best - centre) / spread - mean
    z = gain / deviation
    below = np.asarray([0.5 * math.erfc(-item / math.sqrt(2.0)) for item in z])
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    scores: list[float] = (gain * below + deviation * density).tolist()
    return scores
