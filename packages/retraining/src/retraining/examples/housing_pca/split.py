"""The split into training, validation and test rows, the same in every job that makes it.

A row's place is a hash of the seed and the row's eight features: a number between 0 and 1 that no other row,
no order of rows and no number of files has a part in. Test rows are those below the test fraction. Two models
of one pipeline each read the raw data and split it by themselves; with the same seed and fractions none of
them ever fits anything on a row that another tests on. That stays true when rows are added later, and rows
with the same features are never on two sides.
"""

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from failure import InputError
from houses import CHANNEL, FEATURES

LEAST_ROWS = 20

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """Rows [n, 9] as read; no two parts share the features of a row."""

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Split:
    validation: float
    test: float
    seed: int

    def apply(self, rows: Rows) -> Parts:
        """The parts, each in the order of the rows' places.

        Raises InputError when a part gets fewer than LEAST_ROWS rows.
        """
        places = self.places(rows)
        order = np.lexsort((rows[:, -1], places))  # rows of the same features: by price
        rows, places = rows[order], places[order]
        test, validation = places < self.test, places < self.test + self.validation
        parts = Parts(rows[~validation], rows[validation & ~test], rows[test])
        for name, part in vars(parts).items():
            if len(part) < LEAST_ROWS:
                raise InputError(
                    f"channel {CHANNEL}: of its {len(rows)} rows, {len(part)} are {name} rows; "
                    f"{LEAST_ROWS} are needed: add rows or change the fractions"
                )
        return parts

    def places(self, rows: Rows) -> NDArray[np.float64]:
        """One number in [0, 1) per row, from the seed and the row's features alone."""
        texts = (f"{self.seed}:{','.join(map(repr, row))}" for row in rows[:, : len(FEATURES)].tolist())
        digests = (hashlib.blake2b(text.encode(), digest_size=6).digest() for text in texts)
        return np.array([int.from_bytes(digest, "big") / 2**48 for digest in digests])

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        return f"validation fraction {self.validation:g}, test fraction {self.test:g}, seed {self.seed}"


def load(path: Path) -> Split:
    """Read what Split.save wrote. Raises InputError when it is missing or is not that."""
    try:
        return Split(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a split.json of preprocess.py ({error})") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--validation-fraction", type=float, default=0.15)
    parser.add_argument("--test-fraction", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=7)


def from_options(options: argparse.Namespace) -> Split:
    """Raises InputError naming the argument that is out of range."""
    split = Split(options.validation_fraction, options.test_fraction, options.seed)
    for name, value in (("validation", split.validation), ("test", split.test)):
        if not 0 < value < 1:
            raise InputError(f"arguments: --{name}-fraction must be between 0 and 1, not {value:g}")
    if split.validation + split.test >= 1:
        raise InputError("arguments: --validation-fraction and --test-fraction together must be less than 1")
    if split.seed < 0:
        raise InputError(f"arguments: --seed must not be negative, but is {split.seed}")
    return split
