"""A sample of the unlabelled rows, of bounded size however many there are."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

import key_hash
import part_files
from failure import InputError

LIMIT = 50_000
CHUNK = 100_000
SEED = 7


def sample(folder: Path, features: list[str], limit: int = LIMIT) -> NDArray[np.float64]:
    """At most `limit` raw rows [m, F] of fold_<i>.csv: those whose keys have the least hashes, in that order.

    So the same rows are drawn each time, whatever files hold them. Raises InputError when there is none, or a
    file does not have the features.
    """
    files = [part for path in part_files.folds(folder) for part in part_files.find(path)]
    if not files:
        raise InputError(f"input unlabelled_folds: no fold_*.csv in {folder}; preprocess.py writes them")
    rows, hashes = np.empty((0, len(features))), np.empty(0, np.uint64)
    for file in files:
        try:
            # The first column is the key, which may be NA or null.
            parts = pd.read_csv(
                file,
                dtype={0: str},
                keep_default_na=False,
                na_values=dict.fromkeys(features, ""),
                chunksize=CHUNK,
            )
            for part in parts:
                if list(part.columns[1:]) != features:
                    raise InputError(
                        f"input unlabelled_folds: the columns of {file.name} are not the model's features"
                    )
                values = part[features].to_numpy(np.float64)
                if (part.iloc[:, 0] == "").any() or not np.isfinite(values).all():
                    raise ValueError("a row has no key, or a value is empty or infinite")
                keys = pl.Series(part.iloc[:, 0].to_list(), dtype=pl.String)
                rows = np.concatenate([rows, values])
                hashes = np.concatenate([hashes, key_hash.hashes(keys, SEED)])
                kept = np.argsort(hashes, kind="stable")[:limit]
                rows, hashes = rows[kept], hashes[kept]
        except (OSError, ValueError) as error:
            raise InputError(f"input unlabelled_folds: {file.name} is no CSV of numbers ({error})") from None
    if not len(rows):
        raise InputError(f"input unlabelled_folds: {folder} has no rows")
    return rows
