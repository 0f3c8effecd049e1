"""SageMaker processing job: validate the shop's sessions and split them, stratified by purchase.

Input: <base>/input/shoppers/, any number of .csv or .csv.gz files. Outputs, under <base>/output/:
train/train.csv and validation/validation.csv (features and Revenue, with header), test_features/features.csv
(features alone, without header: what batch transform sends to the model) and test_labels/labels.csv (Revenue
of the same rows in the same order, with header).

Values stay as they came; the model's own encoder turns them into numbers, so that training and serving cannot
differ. Equal rows stay too: they are different sessions.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

import failure
import table
from failure import ArgumentParser, InputError
from schema import FEATURES, TARGET

DEFAULT_BASE = "/opt/ml/processing"
LEAST_ROWS = 10  # of each class


def split(rows: pd.DataFrame, validation: float, test: float, seed: int) -> dict[str, pd.DataFrame]:
    """Split by fractions of all rows, each part with the same share of purchases, in the order of the input.

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
    sizes = {"validation": validation, "test": test}
    parts, rest = {}, rows
    for name, fraction in sizes.items():
        count = round(fraction * len(rows))
        if 2 <= count <= len(rest) - 2:
            rest, parts[name] = train_test_split(
                rest, test_size=count, stratify=rest[TARGET], random_state=seed
            )
        if name not in parts or parts[name][TARGET].nunique() < 2:
            raise InputError(
                f"arguments: --{name}-fraction {fraction:g} of {len(rows)} rows leaves a part without both "
                "classes; raise it or give more rows"
            )
    return {name: part.sort_index() for name, part in {"train": rest, **parts}.items()}


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
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(path, index=False, header=header, lineterminator="\n")


def main(argv: list[str]) -> None:
    options = _arguments(argv)
    rows = table.read_folder(options.base / "input" / "shoppers")
    parts = split(rows, options.validation_fraction, options.test_fraction, options.seed)
    write(parts, options.base / "output")
    for name, part in parts.items():
        print(f"{name}: {len(part)} rows, {part[TARGET].mean():.2%} with a purchase")


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = ArgumentParser(allow_abbrev=False, description="Validate and split.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    parser.add_argument("--validation-fraction", type=float, default=0.2)
    parser.add_argument("--test-fraction", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    for name in ("validation_fraction", "test_fraction"):
        if not 0 < getattr(options, name) < 1:
            raise InputError(f"arguments: --{name.replace('_', '-')} must be between 0 and 1")
    if options.validation_fraction + options.test_fraction >= 1:
        raise InputError("arguments: --validation-fraction and --test-fraction together must be less than 1")
    if not 0 <= options.seed < 2**32:
        raise InputError(f"arguments: --seed must be between 0 and {2**32 - 1}")
    return options


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
