"""The columns of the online shoppers data, and how their values are read, in training as in serving.

Source: "Online Shoppers Purchasing Intention Dataset", UCI Machine Learning Repository, number 468. One row
is a session of a web shop; Revenue says whether it ended with a purchase.
"""

import math

import numpy as np
import pandas as pd

from job_toolkit import tables

TARGET = "Revenue"
# Numeric columns and their greatest value; the smallest is 0.
NUMERIC = {
    "Administrative": math.inf,
    "Administrative_Duration": math.inf,
    "Informational": math.inf,
    "Informational_Duration": math.inf,
    "ProductRelated": math.inf,
    "ProductRelated_Duration": math.inf,
    "BounceRates": 1.0,
    "ExitRates": 1.0,
    "PageValues": math.inf,
    "SpecialDay": 1.0,
}
# Numbers among these are names: browser 2 is not twice browser 1.
CATEGORICAL = ("Month", "OperatingSystems", "Browser", "Region", "TrafficType", "VisitorType", "Weekend")
FEATURES = (*NUMERIC, *CATEGORICAL)  # the order in which the model takes them

LABELS = {"true": 1, "false": 0, "1": 1, "0": 0}


def parse(table: pd.DataFrame) -> pd.DataFrame:
    """The features of n rows of text: numbers as float64, categories in one spelling, missing as NaN and "".

    Raises ValueError with row (counted from 1), column and value of the first one that is not allowed.
    """
    return pd.DataFrame(
        {name: tables.numbers(table[name], 0, most, missing=True) for name, most in NUMERIC.items()}
        | {name: _categories(table[name]) for name in CATEGORICAL}
    )


def parse_target(column: pd.Series) -> pd.Series:
    """Revenue as 0 or 1 (int64 [n]). Raises ValueError as `parse` does; a label is never missing."""
    labels = column.str.strip().str.lower().map(LABELS)
    if labels.isna().any():
        tables.refuse(column, labels.isna(), "TRUE or FALSE")
    return labels.astype(np.int64)


def _categories(column: pd.Series) -> pd.Series:
    """In lower case, and without the ".0" that a table with missing values gives to whole numbers."""
    return column.str.strip().str.lower().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
