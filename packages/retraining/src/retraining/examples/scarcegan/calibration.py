"""From a score to a probability: Platt scaling (Platt 1999, "Probabilistic outputs for SVMs").

The calibrated probability is sigmoid(slope * logit(score) + intercept); slope > 0 keeps the order of rows.
Platt's smoothed targets, (p + 1) / (p + 2) for p positives and 1 / (n + 2) for n others, keep the fit finite
where few positives are all scored above the rest. Newton's method with a line search, after Lin, Lin & Weng
2007, "A note on Platt's probabilistic outputs for support vector machines".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from job_toolkit.failure import InputError

EDGE = 1e-12  # scores nearer to 0 or 1 than this count as this far from it
LEAST_SLOPE = 0.01  # also for scores that fall where they should grow
ITERATIONS = 100

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    slope: float
    intercept: float

    def apply(self, scores: NDArray[np.floating]) -> Doubles:
        """Calibrated probabilities of scores in [0, 1], of any shape."""
        return sigmoid(self.slope * logit(scores) + self.intercept)

    def undo(self, probabilities: NDArray[np.floating]) -> Doubles:
        """The scores of calibrated probabilities."""
        return sigmoid((logit(probabilities) - self.intercept) / self.slope)


def fit(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Calibration:
    """Fit on held-out rows: truth [n] and scores [n] in [0, 1].

    Scores that are all the same keep the slope 1. Raises InputError without a row of both kinds.
    """
    hits, others = int(positive.sum()), int((~positive).sum())
    if not hits or not others:
        raise InputError(
            f"calibration: the validation rows hold {hits} of the scarce group and {others} others; "
            "it needs one or more of each"
        )
    margin = logit(scores)
    target = np.where(positive, (hits + 1) / (hits + 2), 1 / (others + 2))
    share = np.log((hits + 1) / (others + 1))
    if np.ptp(margin) == 0:
        fitted = _newton(margin, target, [1.0, share - margin[0]], [False, True])
    else:
        fitted = _newton(margin, target, [0.0, share], [True, True])
        if fitted[0] < LEAST_SLOPE:
            fitted = _newton(margin, target, [LEAST_SLOPE, share], [False, True])
    return Calibration(*fitted.tolist())


def logit(scores: NDArray[np.floating]) -> Doubles:
    clipped = np.clip(np.asarray(scores, np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def sigmoid(values: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-values)))


def _newton(margin: Doubles, target: Doubles, start: list[float], is_free: list[bool]) -> Doubles:
    """The slope and intercept with the least log loss; what is not free stays."""
    parameters, free = np.array(start), np.array(is_free)
    design = np.stack([margin, np.ones_like(margin)], axis=1)
    loss = _log_loss(design @ parameters, target)
    for _ in range(ITERATIONS):
        probability = sigmoid(design @ parameters)
        gradient = design.T @ (probability - target) * free
        weighted = design * (probability * (1 - probability))[:, None]
        curvature = (design.T @ weighted) * np.outer(free, free) + np.diag(np.where(free, 1e-9, 1.0))
        step, size = np.linalg.solve(curvature, -gradient), 1.0
        while size > 1e-10:
            moved = _log_loss(design @ (parameters + size * step), target)
            if moved < loss + 1e-4 * size * (gradient @ step):
                break
            size /= 2
        else:
            break
        parameters, loss = parameters + size * step, moved
    return parameters


def _log_loss(values: Doubles, target: Doubles) -> float:
    return float(np.sum(np.logaddexp(0.0, values) - target * values))
