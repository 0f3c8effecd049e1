"""How features and price are scaled, from the training rows; network.py builds it into the model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SKEWED = 1.0  # a column that is never negative and skewed more than this is taken as its logarithm

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """F features in serving order: every list has length F. The price is scaled as its logarithm."""

    features: list[str]
    log: list[bool]
    mean: list[float]
    std: list[float]
    price_mean: float
    price_std: float
    price_range: tuple[float, float]


def fit(features: list[str], values: Values, prices: Values) -> Scaling:
    """Fit on the training rows: values [n, F], prices [n]. A constant column keeps its deviation at 1."""
    spread = values.std(axis=0)
    skew = ((values - values.mean(axis=0)) ** 3).mean(axis=0) / np.where(spread > 0, spread, 1) ** 3
    log = (values.min(axis=0) >= 0) & (skew > SKEWED)
    scaled = np.where(log, np.log1p(np.abs(values)), values)
    std, price = scaled.std(axis=0), np.log(prices)
    return Scaling(
        features,
        log.tolist(),
        scaled.mean(axis=0).tolist(),
        np.where(std > 1e-9, std, 1.0).tolist(),
        float(price.mean()),
        float(price.std()) or 1.0,
        (float(prices.min()), float(prices.max())),
    )
