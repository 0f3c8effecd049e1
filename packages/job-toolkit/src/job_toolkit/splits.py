"""Training, validation and test rows: which rows go where, the same in every job that asks."""

import argparse
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job_toolkit import strict_json
from job_toolkit.failure import InputError

Indices = NDArray[np.int64]
Parts = dict[str, Indices]
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Fractions:
    """Shares of all rows, and the seed that draws them; the training gets the rest."""

    validation: float
    test: float
    seed: int

    def save(self, path: Path) -> None:
        strict_json.write(asdict(self), path)

    def __str__(self) -> str:
        return f"validation fraction {self.validation:g}, test fraction {self.test:g}, seed {self.seed}"


def load(path: Path) -> Fractions:
    """Read what Fractions.save wrote. Raises InputError when it is missing or is not that."""
    try:
        return Fractions(**strict_json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not the fractions of a preprocessing ({error})") from None


def add_arguments(
    parser: argparse.ArgumentParser, validation: float = 0.2, test: float = 0.2, seed: int = 7
) -> None:
    """--validation-fraction, --test-fraction and --seed, with these defaults."""
    parser.add_argument("--validation-fraction", type=float, default=validation)
    parser.add_argument("--test-fraction", type=float, default=test)
    parser.add_argument("--seed", type=int, default=seed)


def from_arguments(options: argparse.Namespace) -> Fractions:
    """Raises InputError naming the argument that is out of range."""
    fractions = Fractions(options.validation_fraction, options.test_fraction, options.seed)
    for name, value in (("validation", fractions.validation), ("test", fractions.test)):
        if not 0 < value < 1:
            raise InputError(f"arguments: --{name}-fraction must be between 0 and 1, not {value:g}")
    if fractions.validation + fractions.test >= 1:
        raise InputError("arguments: --validation-fraction and --test-fraction together must be less than 1")
    if not 0 <= fractions.seed <= LARGEST_SEED:
        raise InputError(f"arguments: --seed must be between 0 and {LARGEST_SEED}, not {fractions.seed}")
    return fractions


def stratified(labels: NDArray[Any], fractions: Fractions) -> Parts:
    """Indices of the train, validation and test rows of n labels, in the order of the rows.

    The sizes are the fractions of n, rounded, and each part has the same share of every label, as far as
    whole rows allow. Raises InputError when a part would be without a label.
    """
    random = np.random.default_rng(fractions.seed)
    names, counts = np.unique(labels, return_counts=True)
    test = _shares(counts, fractions.test)
    validation = _shares(counts, fractions.validation)
    drawn: dict[str, list[Indices]] = {"train": [], "validation": [], "test": []}
    for name, of_test, of_validation in zip(names, test, validation, strict=True):
        order = random.permutation(np.flatnonzero(labels == name))
        parts = np.split(order, [of_test, of_test + of_validation])
        for part, rows in zip(("test", "validation", "train"), parts, strict=True):
            if not len(rows):
                raise InputError(
                    f"arguments: the fractions of {len(labels)} rows ({fractions}) leave no {part} row with "
                    f"the label {str(name)!r}, of which there are {len(order)}; change them, or add rows"
                )
            drawn[part].append(rows)
    return {part: np.sort(np.concatenate(rows)) for part, rows in drawn.items()}


def by_key(keys: Iterable[str], fractions: Fractions) -> Parts:
    """Indices of the train, validation and test rows, each part in the order of its keys' places.

    Rows with the same key are in one part. Neither the other rows nor their order matter: a row that is
    added later moves no other.
    """
    place = places(keys, fractions.seed)
    order = np.argsort(place, kind="stable")
    is_test, is_validation = place < fractions.test, place < fractions.test + fractions.validation
    masks = {"train": ~is_validation, "validation": is_validation & ~is_test, "test": is_test}
    return {part: order[mask[order]] for part, mask in masks.items()}


def places(keys: Iterable[str], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each key, of seed and key alone: 48 bits of their BLAKE2b hash."""
    digests = (hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=6).digest() for key in keys)
    return np.array([int.from_bytes(digest, "big") / 2**48 for digest in digests])


def _shares(counts: NDArray[np.int64], fraction: float) -> Indices:
    """Whole rows of each label that make up the fraction of all: the largest remainders are rounded up."""
    exact = fraction * counts
    whole: Indices = np.floor(exact).astype(np.int64)
    missing = round(fraction * int(counts.sum())) - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[: max(0, missing)]] += 1
    return whole
