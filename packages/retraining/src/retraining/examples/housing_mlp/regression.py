"""Measures of a regression, and the model-quality document of SageMaker Model Monitor.

Source of the document: "Model quality metrics and Amazon CloudWatch monitoring" in the Amazon SageMaker
Developer Guide (model-monitor-model-quality-metrics). `mape` is added to its four measures.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 200

Values = NDArray[np.float64]


def measure(actual: Values, predicted: Values) -> dict[str, float]:
    """rmse, mae, mse in dollars, r2, and mape as a share, of n >= 1 rows with positive actual values.

    r2 is 0 where the actual values do not vary.
    """
    error = predicted - actual
    mse, spread = float(np.mean(error**2)), float(np.var(actual))
    return {
        "rmse": math.sqrt(mse),
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "r2": 1 - mse / spread if spread else 0.0,
        "mape": float(np.mean(np.abs(error) / actual)),
    }


def deviations(actual: Values, predicted: Values, seed: int = 0) -> dict[str, float]:
    """The standard deviation of each measure over SAMPLES bootstrap samples of the rows."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(SAMPLES):
        rows = rng.integers(0, len(actual), len(actual))
        samples.append(measure(actual[rows], predicted[rows]))
    return {name: float(np.std([sample[name] for sample in samples])) for name in samples[0]}


def model_quality(actual: Values, predicted: Values, seed: int = 0) -> dict[str, Any]:
    """The document: each measure's value and standard deviation, under regression_metrics."""
    values, spread = measure(actual, predicted), deviations(actual, predicted, seed)
    return {
        "version": 0.0,
        "dataset": {"item_count": len(actual)},
        "regression_metrics": {
            name: {"value": value, "standard_deviation": spread[name]} for name, value in values.items()
        },
    }
