"""Which rows go where. Rows are ordered by a hash of their key: neither files nor their order matter.

Appended rows shift the limits between the parts a little: few of the other rows change their part.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from job_toolkit.failure import InputError


@dataclass(frozen=True)
class Fractions:
    validation: float
    test: float
    folds: int
    seed: int


@dataclass(frozen=True)
class Range:
    """Rows start..stop of a group in the order of the hash: their split, and the fold that holds them out."""

    start: int
    stop: int
    split: str  # "train", "validation", "test" or "unlabelled"
    fold: int | None

    def within(self, start: int, stop: int) -> list["Range"]:
        """The part of it in start..stop, if there is one."""
        low, high = max(self.start, start), min(self.stop, stop)
        return [Range(low, high, self.split, self.fold)] if low < high else []


def labelled(group: str, count: int, wanted: Fractions) -> list[Range]:
    """Cut `count` labelled rows by the fractions; every split and every fold gets at least one row.

    The folds are over the rows of train and validation together. Raises InputError when the rows are too few.
    """
    folds = wanted.folds
    test, validation = (max(1, round(fraction * count)) for fraction in (wanted.test, wanted.validation))
    rest = count - test
    if rest - validation < 1 or rest < folds:
        least = max(3, folds + 1)
        remedy = (
            "take lower fractions for validation and test" if count >= least else f"it needs {least} or more"
        )
        raise InputError(
            f"group {group!r}: {count} rows are too few for train, validation, test and {folds} folds;"
            f" {remedy}"
        )
    limits = pairwise(test + rest * fold // folds for fold in range(folds + 1))
    held_out = list(enumerate(limits))
    ranges = [Range(0, test, "test", None)]
    for split, start, stop in (("validation", test, test + validation), ("train", test + validation, count)):
        for fold, (low, high) in held_out:
            ranges += Range(low, high, split, fold).within(start, stop)
    return ranges


def unlabelled(group: str, counts: list[int]) -> list[Range]:
    """The folds of unlabelled rows, whose hashes alone have put `counts` of them in each.

    A fold is an equal part of the hashes' range: an appended row moves no other. Raises InputError when a
    fold is empty, as of about ten rows per fold none ever is.
    """
    total, folds = sum(counts), len(counts)
    if min(counts) == 0:
        least = "are fewer than" if total < folds else "are too few for"
        raise InputError(f"group {group!r}: {total} rows {least} {folds} folds; it needs about {10 * folds}")
    return [Range(0, count, group, fold) for fold, count in enumerate(counts)]


def sizes(ranges: list[Range]) -> dict[str, int]:
    """Rows per split."""
    rows: Counter[str] = Counter()
    for part in ranges:
        rows[part.split] += part.stop - part.start
    return dict(rows)
