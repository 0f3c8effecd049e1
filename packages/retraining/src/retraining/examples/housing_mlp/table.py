"""Tables of numbers as CSV files: what the jobs hand each other. Numbers survive a round trip exactly."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from failure import InputError


@dataclass(frozen=True)
class Table:
    """n rows of C named columns: values [n, C]."""

    columns: list[str]
    values: NDArray[np.float64]


def write(table: Table, path: Path, header: bool = True) -> None:
    """Write a CSV file; without a header it is what batch transform splits into requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if header:
            writer.writerow(table.columns)
        writer.writerows(table.values.tolist())


def read(path: Path, columns: list[str] | None = None) -> Table:
    """Read a CSV file of finite numbers; its first line holds the columns unless they are given.

    Raises InputError naming the file, the line and the column of what is wrong.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; a step before this one writes it") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    names = columns if columns is not None else (lines[0] if lines else [])
    first = 1 if columns is None else 0
    if len(lines) <= first:
        raise InputError(f"{path}: has no rows")
    rows = [
        numbers(line, names, f"{path}, line {number}") for number, line in enumerate(lines[first:], first + 1)
    ]
    return Table(list(names), np.array(rows, dtype=np.float64))


def numbers(cells: list[str], columns: list[str], where: str) -> list[float]:
    """The cells of one line as finite numbers. Raises InputError that begins with `where`."""
    if len(cells) != len(columns):
        raise InputError(f"{where}: {len(cells)} columns; {len(columns)} are expected ({','.join(columns)})")
    row = []
    for name, cell in zip(columns, cells, strict=True):
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise InputError(f"{where}, {name}: {cell!r} is not a finite number")
        row.append(value)
    return row
