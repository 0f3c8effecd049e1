"""The labelled groups: their rows go through buckets, so that each split has its exact share of each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import scaler
from key_hash import Hashes
from preparation import column_statistics, parallel, reading, splits, table
from preparation.buckets import Buckets
from preparation.column_statistics import ColumnStatistics
from preparation.outputs import Outputs
from preparation.problems import Problems
from preparation.splits import Fractions, Range
from preparation.table import Source
from preparation.table_schema import Schema
from scaler import Statistics

BUCKET = 32 << 20  # bytes of CSV
MOST_BUCKETS = 4096


@dataclass(frozen=True)
class Labelled:
    """The groups that have rows: the rows, and their statistics."""

    buckets: dict[str, Buckets]
    statistics: dict[str, ColumnStatistics]

    def hashes(self) -> Hashes:
        """Of all keys, sorted."""
        every = [rows.hashes(bucket) for rows in self.buckets.values() for bucket in range(rows.number)]
        return np.sort(np.concatenate([np.empty(0, dtype=np.uint64), *every]))


def read(
    sources: dict[str, list[Source]], schema: Schema, seed: int, folder: Path, problems: Problems
) -> Labelled:
    """Read the groups into buckets below `folder`."""
    size = sum(table.size(source.path) for found in sources.values() for source in found)
    number = min(MOST_BUCKETS, size // BUCKET + 1)
    buckets, statistics = {}, {}
    for group, found in sources.items():
        rows = Buckets(folder / group, number)
        columns, pieces = reading.go_through(found, schema, seed, rows.split, problems)
        for piece in pieces:
            rows.add(piece)
        if rows.counts.sum():
            buckets[group], statistics[group] = rows, columns
    return Labelled(buckets, statistics)


def check_keys(labelled: Labelled, schema: Schema, problems: Problems) -> None:
    """Add a line for each group, and each pair of groups, with repeated keys: the first of them."""
    repeated: dict[tuple[str, ...], list[str]] = {}
    for bucket in range(max((rows.number for rows in labelled.buckets.values()), default=0)):
        hashes = np.concatenate([rows.hashes(bucket) for rows in labelled.buckets.values()])
        if len(np.unique(hashes)) == len(hashes):
            continue
        keys = pl.concat(
            pl.DataFrame({"key": rows.keys(bucket)}).with_columns(pl.lit(group).alias("group"))
            for group, rows in labelled.buckets.items()
        )
        twice = keys.filter(pl.col("key").is_duplicated()).group_by("key", maintain_order=True)
        for key, groups in twice.agg("group").iter_rows():
            same = tuple(dict.fromkeys(groups))
            repeated.setdefault(same[:2], []).append(key)
    for groups, found in repeated.items():
        key = f"{schema.key} {min(found)!r}"
        if len(groups) == 1:
            problems.add(f"group {groups[0]!r}: {key} occurs twice ({len(found)} keys do)")
        else:
            names = f"{groups[0]!r} and {groups[1]!r}"
            problems.add(f"{key} is in the groups {names}; keep it in one ({len(found)} keys are)")


@dataclass(frozen=True)
class _Part:
    """The rows of a bucket within a range, as CSV lines; their statistics where they are for training."""

    rows: Range
    data: bytes
    labels: bytes
    statistics: Statistics | None


class _Cutter:
    """Cuts the rows of one group by their ranges."""

    def __init__(self, group: str, rows: Buckets, schema: Schema, ranges: list[Range]) -> None:
        self.group, self.rows, self.schema, self.ranges = group, rows, schema, ranges
        self.training = ColumnStatistics(schema.names)
        self._starts = np.concatenate([[0], np.cumsum(rows.counts)])

    def parts(self, bucket: int) -> list[_Part]:
        start, stop = self._starts[bucket : bucket + 2].tolist()
        lines = self.rows.load(bucket)
        parts = filter(None, (one.within(start, stop) for one in self.ranges))
        return [self._part(part, b"".join(lines[part.start - start : part.stop - start])) for part in parts]

    def _part(self, part: Range, lines: bytes) -> _Part:
        rows = pl.read_csv(lines, has_header=False, schema=self.schema.types)
        labels = table.as_csv(rows.select(self.schema.key, pl.lit(self.group).alias("label")))
        if part.split != "train":
            return _Part(part, lines, labels, None)
        values = rows.select(self.schema.names)
        name = (self.group, part.start, part.stop)
        self.training.update(values.height, column_statistics.summary(values), name, values)
        return _Part(part, lines, labels, scaler.statistics(self.schema.names, values.to_numpy()))


def write(
    group: str, rows: Buckets, schema: Schema, wanted: Fractions, outputs: Outputs
) -> tuple[dict[str, int], ColumnStatistics, list[Statistics]]:
    """Write a group's splits; rows per split, and the training rows for the profile and for the scaler.

    Raises InputError when it has too few rows.
    """
    ranges = splits.labelled(group, int(rows.counts.sum()), wanted)
    cutter, statistics = _Cutter(group, rows, schema, ranges), []
    for parts in parallel.in_order(cutter.parts, range(rows.number)):
        for part in parts:
            outputs.append(part.rows, part.data, part.labels)
            statistics += [part.statistics] if part.statistics else []
    return splits.sizes(ranges), cutter.training, statistics
