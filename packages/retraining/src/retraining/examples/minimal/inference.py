"""Serving: what SageMaker's inference toolkit calls. A request has rows of the features, and no header."""

from pathlib import Path

import joblib
import numpy as np

from columns import FEATURES


def model_fn(model_dir):
    """Called once: the model."""
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body, content_type):
    """A request as numbers, a row for each line."""
    text = body.removeprefix("\ufeff")  # spreadsheets put this mark before the first
    rows = np.loadtxt(text.splitlines(), delimiter=",", ndmin=2)
    if rows.shape[1] != len(FEATURES):
        raise ValueError(f"{rows.shape[1]} values in a row; expected are {', '.join(FEATURES)}")
    return rows


def predict_fn(rows, model):
    return model.predict_proba(rows)[:, 1]


def output_fn(scores, accept):
    """The answer and its content type: a line for each row."""
    return "".join(f"{score:.6f}\n" for score in scores), "text/csv"
