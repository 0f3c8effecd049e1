"""The raw data: blocks of houses of the California census, one line each, nine columns, usually no header.

Source: R. Kelley Pace and Ronald Barry, "Sparse Spatial Autoregressions", Statistics and Probability Letters
33 (1997). The price is a median, cut off at 500,001 dollars.
"""

import csv
import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import table
from failure import InputError

CHANNEL = "houses"
FEATURES = [
    "longitude",
    "latitude",
    "housingMedianAge",
    "totalRooms",
    "totalBedrooms",
    "population",
    "households",
    "medianIncome",
]
PRICE = "medianHouseValue"
COLUMNS = [*FEATURES, PRICE]
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
PATTERNS = ("*.csv", "*.data", "*.csv.gz", "*.data.gz")


def read(folder: Path) -> NDArray[np.float64]:
    """All blocks in a folder's files, [n, 9] in the order of COLUMNS; a block that stands twice counts once.

    Raises InputError naming the file, the line and the column of the first value that cannot be true.
    """
    files = sorted({path for pattern in PATTERNS for path in folder.glob(pattern)})
    if not files:
        found = ", ".join(sorted(path.name for path in folder.glob("*"))[:3]) or "nothing"
        raise InputError(f"channel {CHANNEL}: no {', '.join(PATTERNS)} in {folder}, which holds {found}")
    rows = np.array([row for path in files for row in _rows(path)], dtype=np.float64)
    if not len(rows):
        raise InputError(f"channel {CHANNEL}: {files[0].name} has no rows")
    once = np.unique(rows, axis=0)
    if len(once) < len(rows):
        print(f"{CHANNEL}: left out {len(rows) - len(once)} rows that stand there twice")
    return once


def _rows(path: Path) -> list[list[float]]:
    where = f"channel {CHANNEL}: {path.name}"
    rows: list[list[float]] = []
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as f:
            reader = csv.reader(f)
            for cells in reader:
                if not cells or (not rows and [cell.strip() for cell in cells] == COLUMNS):
                    continue
                row = table.numbers(cells, COLUMNS, f"{where}, line {reader.line_num}")
                _check(row, f"{where}, line {reader.line_num}")
                rows.append(row)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{where}: cannot be read as CSV ({error})") from None
    return rows


def _check(row: list[float], where: str) -> None:
    for value, (name, (low, high)) in zip(row, RANGES.items(), strict=True):
        if not low <= value <= high:
            raise InputError(f"{where}, {name}: {value:g} is not between {low:g} and {high:g}")
