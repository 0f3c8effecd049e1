"""Reading what preprocess.py wrote: rows of raw features, and their labels, joined by the key column.

Features are float32 from the start: ten million rows of 50 features are 2 GB, and reading them needs little
more. Rows come in the order of their keys' hashes: it does not matter which files hold them, how many, and
which instance wrote them.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

import csv_blocks
import key_hash
import part_files
from failure import InputError
from key_hash import Hashes
from scaler import Scaler

_HASH_SEED = 0
SPLITS = "splits.json"


@dataclass(frozen=True)
class Rows:
    """n rows: keys [n] and their hashes [n], features [n, F], and group codes [n] (empty without labels)."""

    features: list[str]
    keys: pl.Series
    hashes: Hashes
    values: NDArray[np.float32]
    groups: NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """What preprocess.py has made, for those who read it: of which groups, the scarce one first; folds."""

    groups: list[str]
    folds: int

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    def check_groups(self, groups: list[str]) -> None:
        """Raise InputError for other groups, or another order of them."""
        if groups != self.groups:
            raise InputError(
                f"groups: {','.join(groups)} here, but preprocess.py had {','.join(self.groups)}; give both"
                " the same, the scarce one first"
            )

    def check_folds(self, folder: Path, found: int) -> None:
        """Raise InputError where `folder` has not all of them."""
        if found != self.folds:
            raise InputError(
                f"{folder}: has {found} folds, but preprocess.py made {self.folds}; copy all its"
                " files, to each instance"
            )


def splits(folder: Path) -> Splits | None:
    """Read splits.json, or that of each instance. None where there is none, as the data are not its.

    Raises InputError where it is broken, or the instances had other arguments.
    """
    paths = sorted(folder.glob("splits*.json"))
    found = []
    for path in paths:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            found.append(Splits([str(group) for group in document["groups"]], int(document["folds"])))
        except (ValueError, KeyError, TypeError, OverflowError):
            raise InputError(f"{path}: not a splits.json of preprocess.py; run it again") from None
        if found[-1] != found[0]:
            raise InputError(
                f"{path}: has other groups or folds than {paths[0].name}; run preprocess.py again"
            )
    return found[0] if found else None


def read_features(paths: list[Path], scale: Scaler | None = None) -> Rows:
    """Read and join CSV files of the same columns; the first column is the key. A file may lie in parts.

    With `scale` the features are scaled as they are read, and must be its features. Raises InputError for
    files that are none of preprocess.py's, and for a key that occurs twice.
    """
    files = [part for path in paths for part in part_files.find(path)]
    columns = _columns(files)
    if scale and columns[1:] != scale.features:
        raise InputError(f"{files[0]}: its columns are not the features of scaler.json in the same order")
    values = np.empty((sum(_lines(path) for path in files), len(columns) - 1), dtype=np.float32)
    keys: list[pl.Series] = []
    hashes: list[Hashes] = []
    count = 0
    for table in (table for path in files for table in _tables(path, columns)):
        keys.append(table.to_series(0).alias("key"))
        hashes.append(key_hash.hashes(keys[-1], _HASH_SEED))
        raw = table.select(columns[1:]).to_numpy()
        values[count : count + len(raw)] = scale.transform(raw) if scale else raw
        count += len(raw)
    values = values[:count]
    if not count:
        raise InputError(f"{files[0]}: has no rows")
    if not np.isfinite(values).all():
        raise InputError(
            f"{files[0].parent}: a feature holds something that is no number; run preprocess.py on the data"
        )
    every = np.concatenate(hashes)
    order = np.argsort(every, kind="stable")
    for column in values.T:  # one at a time: a copy of all would double the memory
        column[:] = column[order]
    rows = Rows(columns[1:], pl.concat(keys)[order], every[order], values, np.empty(0, dtype=np.int64))
    check_apart({str(files[0].parent): rows})
    return rows


def read_labelled(data: Path, label: Path, groups: list[str]) -> Rows:
    """Read a data CSV and its label CSV (key, label), joined by key. Each may lie in parts.

    Groups come as positions in `groups`. Raises InputError when the keys do not match one to one, or a label
    is not in `groups`.
    """
    rows = read_features([data])
    files = part_files.find(label)
    labels = pl.concat([_label_table(path) for path in files])
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


def _columns(files: list[Path]) -> list[str]:
    found = [_table(path, n_rows=0).columns for path in files]
    for path, columns in zip(files, found, strict=True):
        if columns != found[0]:
            raise InputError(f"{path}: its columns differ from those of {files[0]}")
    return found[0]


def _lines(path: Path) -> int:
    with csv_blocks.open_file(path) as file:
        return sum(block.count(b"\n") for block in csv_blocks.blocks(file)) + 1


def _tables(path: Path, columns: list[str]) -> Iterator[pl.DataFrame]:
    types = {name: pl.Float32 if number else pl.String for number, name in enumerate(columns)}
    try:
        with csv_blocks.open_file(path) as file:
            csv_blocks.read_header(file)
            for block in csv_blocks.blocks(file):
                table = pl.read_csv(block, has_header=False, schema=types)
                if table.to_series(0).null_count():
                    raise InputError(f"{path}: a row has no {columns[0]}; preprocess.py writes none such")
                yield table
    except (PolarsError, *csv_blocks.UNREADABLE) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{path}: not a CSV file of preprocess.py ({reason})") from None


def _label_table(path: Path) -> pl.DataFrame:
    table = _table(path)
    if table.width != 2:
        raise InputError(f"{path}: must have the two columns key and label, not {table.columns}")
    return table.rename(dict(zip(table.columns, ("key", "label"), strict=True)))


def _table(path: Path, n_rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema=False, n_rows=n_rows)
    except (PolarsError, OSError) as error:
        raise InputError(f"{path}: not a CSV file of preprocess.py ({str(error).splitlines()[0]})") from None
