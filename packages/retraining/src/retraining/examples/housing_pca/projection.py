"""The model: logarithm of the heavy-tailed columns, standardisation, principal components of unit variance.

In logarithms a ratio is a difference, so that rooms per household or people per room are directions that the
components can find.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from houses import FEATURES
from job_toolkit.failure import InputError

LOGARITHMS = ("totalRooms", "totalBedrooms", "population", "households", "medianIncome")
SMALLEST_SHARE = 1e-6  # a component with less of the variance is rounding, and dividing by it is noise

Values = NDArray[np.float64]


def fit(features: Values, components: int) -> Pipeline:
    """Fit on training rows [n, 8]; transform() then gives [n, components].

    The pipeline holds scikit-learn's and numpy's own functions only: whoever loads it needs no file of this
    folder. Raises InputError when the rows do not vary in that many directions.
    """
    plain = [number for number, name in enumerate(FEATURES) if name not in LOGARITHMS]
    skewed = [number for number, name in enumerate(FEATURES) if name in LOGARITHMS]
    model = Pipeline(
        [
            (
                "logarithm",
                ColumnTransformer(
                    [
                        ("plain", "passthrough", plain),
                        ("log", FunctionTransformer(np.log1p, validate=True), skewed),
                    ]
                ),
            ),
            ("scale", StandardScaler()),
            # Each component weighs the same in the model that takes them; the full solver needs no seed.
            ("pca", PCA(components, whiten=True, svd_solver="full")),
        ]
    ).fit(features)
    shares = model.named_steps["pca"].explained_variance_ratio_
    directions = int((shares > SMALLEST_SHARE).sum())
    if directions < components:
        raise InputError(
            f"hyperparameter components: {components} is too many; the training rows vary in {directions}"
        )
    return model


def explained(model: Pipeline, features: Values, components: int | None = None) -> float:
    """The share of the standardised rows' variance, [n, 8], that the first components keep; at most 1."""
    scaled, pca = model[:-1].transform(features), model.named_steps["pca"]
    directions = pca.components_[:components]
    centred = scaled - pca.mean_
    kept = centred @ directions.T @ directions + pca.mean_
    spread = ((scaled - scaled.mean(axis=0)) ** 2).sum()
    return float(1 - ((scaled - kept) ** 2).sum() / spread) if spread else 1.0
