"""The raw data: blocks of houses of the California census, one line each, nine columns, usually no header.

Source: R. Kelley Pace and Ronald Barry, "Sparse Spatial Autoregressions", Statistics and Probability Letters
33 (1997). The price is a median, cut off at 500,001 dollars.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from job_toolkit import splits, tables
from job_toolkit.failure import InputError
from job_toolkit.splits import Fractions

CHANNEL = "houses"
# What can be true of a block. A value outside means other units or shifted columns.
RANGES = {
    "longitude": (-180, 180),
    "latitude": (-90, 90),
    "housingMedianAge": (0, 1000),
    "totalRooms": (0, 1e7),
    "totalBedrooms": (0, 1e7),
    "population": (0, 1e7),
    "households": (0, 1e7),
    "medianIncome": (0, 1000),
    "medianHouseValue": (1, 1e9),
}
COLUMNS = list(RANGES)
*FEATURES, PRICE = COLUMNS
SUFFIXES = (".csv", ".data", ".csv.gz", ".data.gz", ".parquet")
DESCRIPTION = ".domain"  # beside the rows in the archive of their authors
LEAST_ROWS = 20

Rows = NDArray[np.float64]


def read(folder: Path) -> Rows:
    """All blocks in a folder's files, [n, 9] in the order of COLUMNS; a block that occurs twice counts once.

    Raises InputError naming the file, the row and the column of the first value that cannot be true.
    """
    parts = [
        tables.read_numbers(path, COLUMNS, RANGES, may_be_empty=True).to_numpy()
        for path in tables.files(folder, (*SUFFIXES, DESCRIPTION))
        if not path.name.lower().endswith(DESCRIPTION)
    ]
    rows = np.concatenate(parts) if parts else np.zeros((0, len(COLUMNS)))
    if not len(rows):
        raise InputError(f"channel {CHANNEL}: no rows in {folder}")
    once = np.unique(rows, axis=0)
    if len(once) < len(rows):
        print(f"{CHANNEL}: left out {len(rows) - len(once)} rows that occur twice")
    return once


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fractions and seed of the split, with the same defaults in every job that splits."""
    splits.add_arguments(parser, validation=0.15, test=0.2, seed=7)


def split(rows: Rows, fractions: Fractions) -> dict[str, Rows]:
    """The rows [n, 9] of `read` as train, validation and test rows; no two parts share the features of a row.

    A row's place follows a hash of its eight features. Two models of one pipeline each read the raw data and
    split it by themselves: with the same fractions and seed none of them ever fits anything on a row that
    another tests on, also when rows are added later. Raises InputError for a part of few rows.
    """
    parts = {name: rows[indices] for name, indices in splits.by_key(keys(rows), fractions).items()}
    for name, part in parts.items():
        if len(part) < LEAST_ROWS:
            raise InputError(
                f"channel {CHANNEL}: of its {len(rows)} rows, {len(part)} are {name} rows; "
                f"{LEAST_ROWS} are needed: add rows or change the fractions"
            )
    return parts


def keys(rows: Rows) -> list[str]:
    """What a row's place in the split follows: its features, without the price."""
    return [",".join(map(repr, row)) for row in rows[:, : len(FEATURES)].tolist()]
