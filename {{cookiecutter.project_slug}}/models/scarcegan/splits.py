"""Stratified splits and folds. Rows are ordered by key first: the files' order and number do not matter."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from failure import InputError
from table_schema import Schema


@dataclass(frozen=True)
class Splits:
    """Labelled tables have the schema's columns and `label`; no key is in two of train, validation and test.

    A fold is a pair (train, validation) over the rows of train and validation together. `unlabelled` are
    disjoint parts.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    folds: list[tuple[pd.DataFrame, pd.DataFrame]]
    unlabelled: list[pd.DataFrame]


@dataclass(frozen=True)
class Fractions:
    validation: float
    test: float
    folds: int
    seed: int


def split(
    groups: dict[str, pd.DataFrame], unlabelled: pd.DataFrame, schema: Schema, wanted: Fractions
) -> Splits:
    """Split each group by the fractions; every part gets at least one row of every group.

    Raises InputError when a group has too few rows for that, or fewer rows than folds.
    """
    rng = np.random.default_rng(wanted.seed)
    parts: dict[str, list[pd.DataFrame]] = {"train": [], "validation": [], "test": []}
    fold_parts: list[list[pd.DataFrame]] = [[] for _ in range(wanted.folds)]
    for name, rows in groups.items():
        shuffled = _shuffled(rows.assign(label=name), schema, rng)
        test, validation = (
            max(1, round(fraction * len(rows))) for fraction in (wanted.test, wanted.validation)
        )
        rest = len(rows) - test
        if rest - validation < 1 or rest < wanted.folds:
            raise InputError(
                f"group {name!r}: {len(rows)} rows are too few for train, validation, test and {wanted.folds}"
                f" folds; it needs about {max(3, wanted.folds + 1)} or more"
            )
        parts["test"].append(shuffled.iloc[:test])
        parts["validation"].append(shuffled.iloc[test : test + validation])
        parts["train"].append(shuffled.iloc[test + validation :])
        for number, chosen in enumerate(np.array_split(np.arange(test, len(rows)), wanted.folds)):
            fold_parts[number].append(shuffled.iloc[chosen])
    if len(unlabelled) < wanted.folds:
        raise InputError(f"group 'unlabelled': {len(unlabelled)} rows are fewer than {wanted.folds} folds")
    shuffled = _shuffled(unlabelled, schema, rng)
    held_out = [_ordered(part, schema) for part in fold_parts]
    rest_of = [_ordered(held_out[:number] + held_out[number + 1 :], schema) for number in range(wanted.folds)]
    return Splits(
        **{name: _ordered(tables, schema) for name, tables in parts.items()},
        folds=list(zip(rest_of, held_out, strict=True)),
        unlabelled=[shuffled.iloc[part] for part in np.array_split(np.arange(len(shuffled)), wanted.folds)],
    )


def _shuffled(rows: pd.DataFrame, schema: Schema, rng: np.random.Generator) -> pd.DataFrame:
    return rows.sort_values(schema.key, kind="stable").iloc[rng.permutation(len(rows))]


def _ordered(tables: list[pd.DataFrame], schema: Schema) -> pd.DataFrame:
    return pd.concat(tables).sort_values(schema.key, kind="stable")
