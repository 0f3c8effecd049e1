"""From parsed rows to the matrix that LightGBM takes.

The categories are learnt from the training rows and saved with the model. A category that training never saw
is missing at inference, as an empty value is.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schema import CATEGORICAL, FEATURES, NUMERIC

CATEGORICAL_INDICES = [FEATURES.index(name) for name in CATEGORICAL]


@dataclass(frozen=True)
class Encoder:
    """The known categories by column, in the order of their codes."""

    categories: dict[str, list[str]]

    def encode(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Rows of `schema.parse` as a matrix [n, F]: numbers, and codes of categories; NaN is missing."""
        matrix = np.empty((len(rows), len(FEATURES)))
        for index, name in enumerate(FEATURES):
            if name in NUMERIC:
                matrix[:, index] = rows[name]
            else:
                codes = {category: code for code, category in enumerate(self.categories[name])}
                matrix[:, index] = rows[name].map(codes).astype(np.float64)
        return matrix


def fit(rows: pd.DataFrame) -> Encoder:
    """Learn the categories of parsed training rows."""
    return Encoder({name: sorted(set(rows[name]) - {""}) for name in CATEGORICAL})
