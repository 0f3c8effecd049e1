"""What the model must beat: a logistic regression on the same rows, and the majority class."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from classification import Labels
from job_toolkit import ranking
from report import Scored
from schema import CATEGORICAL, NUMERIC

Labelled = tuple[pd.DataFrame, Labels]


def logistic_regression(train: Labelled, validation: Labelled, test: pd.DataFrame, beta: float) -> Scored:
    """Numbers on a logarithmic scale, categories one-hot coded. Rows are parsed ones."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        FunctionTransformer(np.log1p),
        StandardScaler(),
    )
    columns = ColumnTransformer(
        [
            ("numbers", numbers, list(NUMERIC)),
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(CATEGORICAL)),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(*train)
    threshold = ranking.best_threshold(validation[1] == 1, model.predict_proba(validation[0])[:, 1], beta)
    scores = model.predict_proba(test)[:, 1]
    return Scored("logistic regression", threshold, scores, scores >= threshold)


def majority_class(train: Labelled, test: pd.DataFrame) -> Scored:
    """The share of purchases among the training rows as everybody's score."""
    scores = np.full(len(test), train[1].mean())
    return Scored("majority class", 0.5, scores, scores >= 0.5)
