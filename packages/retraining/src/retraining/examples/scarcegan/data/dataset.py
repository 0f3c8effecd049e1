"""Reading what preprocess.py wrote: rows of raw features, and their labels, joined by the key column.

Features are float32 from the start: ten million rows of 50 features are 2 GB, and reading them needs little
more. Rows come in the order of their keys' hashes: it does not matter which files hold them, how many, and
which instance wrote them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from data import csv_blocks, key_hash, part_files
from data.key_hash import Hashes
from data.scaler import Scaler
from job_toolkit import strict_json
from job_toolkit.failure import InputError

SEED, SAMPLE_SEED = 0, 7  # of the hashes that order rows, and that choose a sample

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """n rows: keys [n] and their hashes [n], features [n, F], and group codes [n] (empty without labels)."""

    keys: pl.Series
    hashes: Hashes
    values: Floats
    groups: NDArray[np.int64]


def record_splits(path: Path, groups: list[str], folds: int) -> None:
    """Write splits.json: what preprocess.py has made, for those who read it."""
    strict_json.write({"groups": groups, "folds": folds}, path)


def check_groups(train_data: Path, groups: list[str]) -> None:
    """Raise InputError where preprocess.py had other groups, or another order of them."""
    _, made = _splits(train_data)
    if made and groups != made:
        raise InputError(
            f"groups: {','.join(groups)} here, but preprocess.py had {','.join(made)}; give both"
            " the same, the scarce one first"
        )


def folds(folder: Path, train_data: Path) -> list[Path]:
    """The files fold_<i>.csv of a folder. Raises InputError where it has not all that preprocess.py made."""
    files, (made, _) = part_files.folds(folder), _splits(train_data)
    if made and len(files) != made:
        raise InputError(
            f"{folder}: has {len(files)} folds, but preprocess.py made {made}; copy all its files, to each"
            " instance"
        )
    return files


def _splits(folder: Path) -> tuple[int, list[str]]:
    """Folds and groups of splits.json, or that of each instance; none where the data are not preprocess.py's.

    Raises InputError where it is broken, or the instances had other arguments.
    """
    made: dict[str, tuple[int, list[str]]] = {}
    for path in sorted(folder.glob("splits*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            made[path.name] = int(document["folds"]), [str(group) for group in document["groups"]]
        except (ValueError, KeyError, TypeError, OverflowError):
            raise InputError(f"{path}: not a splits.json of preprocess.py; run it again") from None
        first = min(made)
        if made[path.name] != made[first]:
            raise InputError(f"{path}: has other groups or folds than {first}; run preprocess.py again")
    return made[first] if made else (0, [])


def read_features(paths: list[Path], features: list[str], scale: Scaler | None = None) -> Rows:
    """Read and join CSV files of a key and the F `features`; a file may be in parts.

    With `scale` the features are scaled as they are read. Raises InputError for files that are none of
    preprocess.py's, and for a key that occurs twice.
    """
    files = [part for path in paths for part in part_files.find(path)]
    values = np.empty((sum(_lines(path) for path in files), len(features)), dtype=np.float32)
    keys: list[pl.Series] = []
    count = 0
    for own, raw in _blocks(files, features):
        keys.append(own)
        values[count : count + len(raw)] = scale.transform(raw) if scale else raw
        count += len(raw)
    values = values[:count]
    hashes = np.concatenate([key_hash.hashes(own, SEED) for own in keys])
    order = np.argsort(hashes, kind="stable")
    for column in values.T:  # one at a time: a copy of all would double the memory
        column[:] = column[order]
    rows = Rows(pl.concat(keys)[order], hashes[order], values, np.empty(0, dtype=np.int64))
    check_apart({str(files[0].parent): rows})
    return rows


def sample(paths: list[Path], features: list[str], limit: int) -> Floats:
    """At most `limit` raw rows [m, F] of such files: those whose keys have the least hashes, in that order.

    So the same rows are drawn each time, whatever files hold them, and no more are in memory than a block
    and the sample. Raises InputError as `read_features` does.
    """
    files = [part for path in paths for part in part_files.find(path)]
    rows, hashes = np.empty((0, len(features)), np.float32), np.empty(0, np.uint64)
    for keys, raw in _blocks(files, features):
        hashes = np.concatenate([hashes, key_hash.hashes(keys, SAMPLE_SEED)])
        kept = np.argsort(hashes, kind="stable")[:limit]
        rows, hashes = np.concatenate([rows, raw])[kept], hashes[kept]
    return rows


def read_labelled(data: Path, label: Path, features: list[str], groups: list[str]) -> Rows:
    """Read a data CSV and its label CSV (key, label), joined by key. Each may be in parts.

    Groups come as positions in `groups`. Raises InputError when the keys do not match one to one, or a label
    is not in `groups`.
    """
    rows = read_features([data], features)
    labels = pl.concat([_label_table(path) for path in part_files.find(label)])
    joined = rows.keys.to_frame("key").join(labels, on="key", how="left", maintain_order="left")
    if labels.height != len(rows.keys) or joined.height != labels.height or joined["label"].null_count():
        raise InputError(
            f"{label}: its keys are not those of {data}; both must come from one preprocess.py run"
        )
    unknown = sorted(set(joined["label"].unique()) - set(groups))
    if unknown:
        raise InputError(f"{label}: label {unknown[0]!r} is not one of the groups {','.join(groups)}")
    codes = joined["label"].replace_strict(groups, list(range(len(groups))), return_dtype=pl.Int64)
    return replace(rows, groups=codes.to_numpy())


def check_apart(parts: dict[str, Rows]) -> None:
    """Raise InputError when a key occurs twice in the parts, which are named by where they are from.

    Within one preprocessing instance no key does; the parts of several may share some.
    """
    hashes = np.sort(np.concatenate([rows.hashes for rows in parts.values()]))
    if not (hashes[1:] == hashes[:-1]).any():
        return
    keys = pl.concat(rows.keys.to_frame("key") for rows in parts.values())
    twice = keys.filter(pl.col("key").is_duplicated())
    if twice.is_empty():  # two keys with one hash
        return
    key = twice["key"].min()
    where = " and ".join(name for name, rows in parts.items() if rows.keys.is_in([key]).any())
    raise InputError(
        f"key {key!r} occurs twice, in {where} ({twice['key'].n_unique()} keys do): these are files of two"
        " runs, or several preprocessing instances had rows of it; keep a key's rows in one file, or use one"
        " instance"
    )


def parse_groups(text: str) -> list[str]:
    """Group names from "risky,dormant,normal,heavy"; the first is the scarce one."""
    groups = [name.strip() for name in text.split(",")]
    if len(groups) < 2 or len(set(groups)) != len(groups) or not all(groups):
        raise InputError(f"groups: {text!r} must name at least two different groups, separated by commas")
    folders = [name for name in groups if name.startswith(".") or "/" in name or not name.isprintable()]
    if folders:
        raise InputError(
            f"groups: {folders[0]!r} must be the name of a folder, in UTF-8, without a slash or leading dot"
        )
    if "unlabelled" in groups:
        raise InputError("groups: 'unlabelled' is the name of the rows without a label")
    return groups


def _lines(path: Path) -> int:
    with csv_blocks.open_file(path) as file:
        return sum(block.count(b"\n") for block in csv_blocks.blocks(file)) + 1


def _blocks(files: list[Path], features: list[str]) -> Iterator[tuple[pl.Series, Floats]]:
    """The keys [n] and raw features [n, F] of block after block of the files, in all at least one row."""
    count = 0
    for path in files:
        columns = _table(path, n_rows=0).columns
        if columns[1:] != features:
            raise InputError(
                f"{path}: its columns are not the features that the scaler and the model have, in their order"
            )
        types = dict.fromkeys(columns, pl.Float32) | {columns[0]: pl.String}
        for table in _tables(path, types):
            keys, values = table.to_series(0).alias("key"), table.select(features).to_numpy()
            if keys.null_count() or not np.isfinite(values).all():
                what = (
                    f"a row has no {columns[0]}" if keys.null_count() else "a feature holds no finite number"
                )
                raise InputError(f"{path}: {what}; preprocess.py writes none such, run it on the data")
            count += len(keys)
            yield keys, values
    if not count:
        raise InputError(f"{files[0]}: has no rows")


def _tables(path: Path, types: dict[str, type[pl.DataType]]) -> Iterator[pl.DataFrame]:
    try:
        with csv_blocks.open_file(path) as file:
            csv_blocks.read_header(file)
            for block in csv_blocks.blocks(file):
                yield pl.read_csv(block, has_header=False, schema=types)
    except (PolarsError, *csv_blocks.UNREADABLE) as error:
        raise _not_ours(path, error) from None


def _label_table(path: Path) -> pl.DataFrame:
    table = _table(path)
    if table.width != 2:
        raise InputError(f"{path}: must have the two columns key and label, not {table.columns}")
    return table.rename(dict(zip(table.columns, ("key", "label"), strict=True)))


def _table(path: Path, n_rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema=False, n_rows=n_rows)
    except (PolarsError, OSError) as error:
        raise _not_ours(path, error) from None


def _not_ours(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a CSV file of preprocess.py ({str(error).splitlines()[0]})")
