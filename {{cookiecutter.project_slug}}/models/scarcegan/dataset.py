"""Reading what preprocess.py wrote: rows of raw features, and their labels, joined by the key column."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from failure import InputError


@dataclass(frozen=True)
class Rows:
    """n rows: keys [n], raw features [n, F], and group codes [n] (empty without labels)."""

    features: list[str]
    keys: NDArray[np.object_]
    values: NDArray[np.float64]
    groups: NDArray[np.int64]


def read_features(paths: list[Path]) -> Rows:
    """Read and join CSV files of the same columns; the first column is the key."""
    tables = [_csv(path) for path in paths]
    features = list(tables[0].columns[1:])
    for path, table in zip(paths, tables, strict=True):
        if list(table.columns) != list(tables[0].columns):
            raise InputError(f"{path}: its columns differ from those of {paths[0]}")
    table = pd.concat(tables, ignore_index=True)
    values = table[features].to_numpy()
    if values.dtype.kind not in "fiu" or not np.isfinite(values.astype(np.float64)).all():
        raise InputError(
            f"{paths[0].parent}: a feature holds something that is no number; run preprocess.py on the data"
        )
    return Rows(
        features,
        table.iloc[:, 0].to_numpy(dtype=object),
        values.astype(np.float64),
        np.empty(0, dtype=np.int64),
    )


def read_labelled(data: Path, label: Path, groups: list[str]) -> Rows:
    """Read a data CSV and its label CSV (key, label), joined by key.

    Rows come in the data's order, groups as positions in `groups`. Raises InputError when the keys do not
    match one to one, or a label is not in `groups`.
    """
    rows, labels = read_features([data]), _csv(label)
    if labels.shape[1] != 2:
        raise InputError(f"{label}: must have the two columns key and label, not {list(labels.columns)}")
    names = dict(zip(labels.iloc[:, 0], labels.iloc[:, 1], strict=True))
    if len(names) != len(labels) or set(names) != set(rows.keys) or len(rows.keys) != len(labels):
        raise InputError(
            f"{label}: its keys are not those of {data}; both must come from one preprocess.py run"
        )
    unknown = sorted({str(name) for name in names.values()} - set(groups))
    if unknown:
        raise InputError(f"{label}: label {unknown[0]!r} is not one of the groups {','.join(groups)}")
    code = {name: number for number, name in enumerate(groups)}
    return Rows(
        rows.features,
        rows.keys,
        rows.values,
        np.array([code[names[key]] for key in rows.keys], dtype=np.int64),
    )


def parse_groups(text: str) -> list[str]:
    """Group names from "risky,dormant,normal,heavy"; the first is the scarce one."""
    groups = [name.strip() for name in text.split(",")]
    if len(groups) < 2 or len(set(groups)) != len(groups) or not all(groups):
        raise InputError(f"groups: {text!r} must name at least two different groups, separated by commas")
    if "unlabelled" in groups:
        raise InputError("groups: 'unlabelled' is the name of the rows without a label")
    return groups


def _csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={0: str}, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; preprocess.py writes it") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a CSV file of preprocess.py ({error})") from None
    if table.empty:
        raise InputError(f"{path}: has no rows")
    return table
