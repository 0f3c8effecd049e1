"""Reading the shop's sessions, so that schema.py alone decides what a value means."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import schema
from job_toolkit import tables
from job_toolkit.failure import InputError


def read_folder(folder: Path) -> pd.DataFrame:
    """All rows of a channel's files, CSV or Parquet: the features as text, the target as 0 or 1.

    Columns may come in any order, but must be exactly the schema's. Raises InputError naming file, row (data
    rows count from 1), column and value, and for a folder without rows.
    """
    rows = pd.concat([read(path) for path in tables.files(folder)], ignore_index=True)
    if rows.empty:
        raise InputError(f"channel {folder.name}: no rows in {folder}, a header alone")
    return rows


def read_parsed(folder: Path) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Parsed rows and labels [n] of a channel. Raises InputError as `read_folder`, and for a single class."""
    rows = read_folder(folder)
    labels = rows.pop(schema.TARGET).to_numpy()
    if len(np.unique(labels)) < 2:
        raise InputError(f"channel {folder.name}: all rows have {schema.TARGET} {labels[0]}; it needs both")
    return schema.parse(rows), labels


def read(path: Path) -> pd.DataFrame:
    """One file, checked as `read_folder` says."""
    columns = [*schema.FEATURES, schema.TARGET]
    rows = tables.read_text(path)
    tables.check_columns(path, rows.columns, columns)
    try:
        schema.parse(rows)
        rows[schema.TARGET] = schema.parse_target(rows[schema.TARGET])
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return rows[columns]
