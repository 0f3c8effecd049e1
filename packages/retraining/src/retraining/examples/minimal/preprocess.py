"""Processing job: check the rows, and split them into training and test rows."""

import sys

import pandas as pd

from columns import COLUMNS, LABEL
from job_toolkit import processing, tables
from job_toolkit.failure import InputError


def read(file):
    rows = tables.read_numbers(file, COLUMNS)
    if not rows[LABEL].isin([0, 1]).all():
        raise InputError(f"{file}: column {LABEL!r} has other values than 0 and 1")
    return rows


def main(argv):
    base = processing.parser(__doc__).parse_args(argv).base
    files = tables.files(base / "input" / "customers")  # a channel is a folder, of one file or many
    rows = pd.concat(map(read, files)).sample(frac=1, random_state=7)
    fifth = len(rows) // 5
    parts = {"test": rows[:fifth], "train": rows[fifth:]}
    if any(part[LABEL].nunique() < 2 for part in parts.values()):
        raise InputError(f"{len(rows)} rows are too few to have both values of {LABEL!r} in each part")
    for output, part in parts.items():
        tables.write(part, base / "output" / output / f"{output}.csv", header=False)


if __name__ == "__main__":
    sys.exit(processing.run(main))
