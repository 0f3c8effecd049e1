"""What the price model and its baselines are judged by."""

import numpy as np
from numpy.typing import NDArray

from job_toolkit import measures
from job_toolkit.metrics import CANDIDATE, Model

Values = NDArray[np.float64]


def measure(actual: Values, predicted: Values) -> dict[str, float]:
    """mae, rmse, mse in dollars, r2, and mape as a share, of n >= 1 rows with positive actual values."""
    share = float(np.mean(np.abs(predicted - actual) / actual))
    return measures.regression_values(actual, predicted) | {"mape": share}


def candidate(actual: Values, predicted: Values) -> Model:
    """The model's line of metrics.csv; the standard deviations are over bootstrap samples of the rows."""
    values = {"rows": len(actual), **measure(actual, predicted)}
    spread = measures.deviations(measure, (actual, predicted), resampling=measures.BOOTSTRAP)
    return Model(CANDIDATE, "", "regression", values, spread)
