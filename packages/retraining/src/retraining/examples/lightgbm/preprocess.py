"""SageMaker processing job: validate the shop's sessions and split them, stratified by purchase.

Input: <base>/input/shoppers/, any number of .csv, .csv.gz or .parquet files. Outputs, under <base>/output/:
train/train.csv and validation/validation.csv (features and Revenue, with header), test_features/features.csv
(features alone, without header: what batch transform sends to the model) and test_labels/labels.csv (Revenue
of the same rows in the same order, with header).

Values stay as they came; the model's own encoder turns them into numbers, so that training and serving cannot
differ. Equal rows stay too: they are different sessions.
"""

import sys
from pathlib import Path

import pandas as pd

import table
from job_toolkit import processing, splits, tables
from job_toolkit.failure import InputError
from job_toolkit.splits import Fractions
from schema import FEATURES, TARGET

LEAST_ROWS = 10  # of each class


def split(rows: pd.DataFrame, fractions: Fractions) -> dict[str, pd.DataFrame]:
    """Parts with the same share of purchases, each in the order of the input.

    Raises InputError when a class has too few rows for that.
    """
    counts = rows[TARGET].value_counts()
    for label, name in ((1, "TRUE"), (0, "FALSE")):
        count = int(counts.get(label, 0))
        if count < LEAST_ROWS:
            raise InputError(
                f"channel shoppers: {count} of {len(rows)} rows have {TARGET} {name}; "
                f"each class needs at least {LEAST_ROWS}"
            )
    parts = splits.stratified(rows[TARGET].to_numpy(), fractions)
    return {name: rows.iloc[indices] for name, indices in parts.items()}


def write(parts: dict[str, pd.DataFrame], out: Path) -> None:
    """Write the four outputs."""
    labelled = [*FEATURES, TARGET]
    files = {
        "train/train.csv": (parts["train"][labelled], True),
        "validation/validation.csv": (parts["validation"][labelled], True),
        "test_features/features.csv": (parts["test"][list(FEATURES)], False),
        "test_labels/labels.csv": (parts["test"][[TARGET]], True),
    }
    for name, (rows, header) in files.items():
        tables.write(rows, out / name, header)


def main(argv: list[str]) -> None:
    parser = processing.parser("Validate and split.")
    splits.add_arguments(parser)
    options = parser.parse_args(argv)
    fractions = splits.from_arguments(options)
    rows = table.read_folder(options.base / "input" / "shoppers")
    parts = split(rows, fractions)
    write(parts, options.base / "output")
    for name, part in parts.items():
        print(f"{name}: {len(part)} rows, {part[TARGET].mean():.2%} with a purchase")


if __name__ == "__main__":
    sys.exit(processing.run(main))
