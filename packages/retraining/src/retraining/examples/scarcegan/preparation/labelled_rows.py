"""The labelled groups, each split with its exact share of each group.

Rows go through buckets on disk, so that one bucket is in memory at once: while files are read, lines go to
the bucket of their key's hash; a bucket is sorted when it is loaded. So the rows have one order, whatever
the files were and in whatever order they came, and equal keys are in one bucket.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data import key_hash
from data.key_hash import Hashes
from data.scaler import Statistics
from preparation import column_statistics, reading, splits, table
from preparation.column_statistics import ColumnStatistics
from preparation.outputs import Outputs
from preparation.schema import Schema
from preparation.splits import Fractions, Range
from preparation.table import Source

BUCKET = 32 << 20  # bytes of CSV
MOST_BUCKETS = 4096
_ENTRY = np.dtype([("hash", "<u8"), ("length", "<u4")])


@dataclass(frozen=True)
class _Piece:
    """The lines of a block that belong to one bucket, and their hashes and lengths."""

    bucket: int
    lines: bytes
    entries: NDArray[np.void]


class Buckets:
    """The rows of a group as CSV lines, in `number` buckets, which are files in `folder`."""

    def __init__(self, folder: Path, number: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.number = folder, number
        self.counts = np.zeros(number, dtype=np.int64)

    def cut(
        self, rows: pl.DataFrame, lines: pl.Series, hashes: Hashes
    ) -> tuple[pl.DataFrame, Hashes, list[_Piece]]:
        """Cut lines by bucket; the rows and hashes as they were, and pieces. Threads may do so at once."""
        bucket = key_hash.part(hashes, self.number)
        order = np.argsort(bucket, kind="stable")
        ordered = lines.gather(order)
        entries = np.empty(len(lines), dtype=_ENTRY)
        entries["hash"] = hashes[order]
        entries["length"] = ordered.str.len_bytes() + 1
        limits = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=self.number))]).tolist()
        pieces = [
            _Piece(number, table.joined(ordered[low:high]), entries[low:high])
            for number, (low, high) in enumerate(pairwise(limits))
            if low < high
        ]
        return rows, hashes, pieces

    def add(self, pieces: list[_Piece]) -> None:
        """Append to the buckets' files."""
        for piece in pieces:
            for kind, content in (("lines", piece.lines), ("entries", piece.entries.tobytes())):
                with self._path(piece.bucket, kind).open("ab") as file:
                    file.write(content)
            self.counts[piece.bucket] += len(piece.entries)

    def hashes(self, bucket: int) -> Hashes:
        """[n], as they were added."""
        return self._entries(bucket)["hash"]

    def keys(self, bucket: int) -> pl.Series:
        """[n], as they were added."""
        if not self.counts[bucket]:
            return pl.Series("key", [], dtype=pl.String)
        lines = self._path(bucket, "lines").read_bytes()
        return pl.read_csv(lines, has_header=False, columns=[0], infer_schema=False).to_series().alias("key")

    def load(self, bucket: int) -> list[bytes]:
        """The bucket's lines in order; its file is gone then."""
        entries, path = self._entries(bucket), self._path(bucket, "lines")
        if not len(entries):
            return []
        text = path.read_bytes()
        path.unlink()
        ends = np.cumsum(entries["length"], dtype=np.int64)
        starts, order = ends - entries["length"], np.argsort(entries["hash"], kind="stable")
        places = zip(starts[order].tolist(), ends[order].tolist(), strict=True)
        lines, hashes = [text[start:end] for start, end in places], entries["hash"][order].tolist()
        if len(set(hashes)) == len(hashes):
            return lines
        # Two keys with one hash: their order must not be that of the files.
        return [line for _, line in sorted(zip(hashes, lines, strict=True))]

    def _entries(self, bucket: int) -> NDArray[np.void]:
        path = self._path(bucket, "entries")
        return np.fromfile(path, dtype=_ENTRY) if self.counts[bucket] else np.empty(0, dtype=_ENTRY)

    def _path(self, bucket: int, kind: str) -> Path:
        return self.folder / f"{bucket:05d}.{kind}"


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
    sources: dict[str, list[Source]], schema: Schema, seed: int, folder: Path, problems: list[str]
) -> Labelled:
    """Read the groups into buckets below `folder`, and check their keys."""
    size = sum(table.size(source.path) for files in sources.values() for source in files)
    number = min(MOST_BUCKETS, size // BUCKET + 1)
    labelled = Labelled({}, {})
    for group, files in sources.items():
        rows = Buckets(folder / group, number)
        statistics, blocks = reading.go_through(files, schema, seed, rows.cut, problems)
        for pieces in blocks:
            rows.add(pieces)
        if rows.counts.sum():
            labelled.buckets[group], labelled.statistics[group] = rows, statistics
    _check_keys(labelled.buckets, schema, problems)
    return labelled


def _check_keys(buckets: dict[str, Buckets], schema: Schema, problems: list[str]) -> None:
    """Add a line for each group, and each pair of groups, with repeated keys: the first of them."""
    repeated: dict[tuple[str, ...], list[str]] = {}
    for bucket in range(max((rows.number for rows in buckets.values()), default=0)):
        hashes = np.concatenate([rows.hashes(bucket) for rows in buckets.values()])
        if len(np.unique(hashes)) == len(hashes):
            continue
        keys = pl.concat(
            rows.keys(bucket).to_frame().with_columns(group=pl.lit(group)) for group, rows in buckets.items()
        )
        twice = keys.filter(pl.col("key").is_duplicated()).group_by("key", maintain_order=True)
        for key, groups in twice.agg("group").iter_rows():
            repeated.setdefault(tuple(dict.fromkeys(groups))[:2], []).append(key)
    for (first, *others), keys_of_both in repeated.items():
        key, count = f"{schema.key} {min(keys_of_both)!r}", len(keys_of_both)
        if others:
            names = f"{first!r} and {others[0]!r}"
            problems.append(f"{key} is in the groups {names}; keep it in one ({count} keys are)")
        else:
            problems.append(f"group {first!r}: {key} occurs twice ({count} keys do)")


@dataclass(frozen=True)
class _Part:
    """The rows of a bucket within a range, as CSV lines; their statistics where they are for training."""

    rows: Range
    data: bytes
    labels: bytes
    statistics: list[Statistics]


def write(
    group: str, rows: Buckets, schema: Schema, wanted: Fractions, outputs: Outputs
) -> tuple[dict[str, int], ColumnStatistics, list[Statistics]]:
    """Write a group's splits; rows per split, and the training rows for the profile and for the scaler.

    Raises InputError when it has too few rows.
    """
    ranges = splits.labelled(group, int(rows.counts.sum()), wanted)
    limits = [0, *np.cumsum(rows.counts).tolist()]
    training = ColumnStatistics(schema.names)
    statistics: list[Statistics] = []

    def cut(bucket: int) -> list[_Part]:
        (start, stop), lines = limits[bucket : bucket + 2], rows.load(bucket)
        parts = [part for one in ranges for part in one.within(start, stop)]
        return [describe(part, b"".join(lines[part.start - start : part.stop - start])) for part in parts]

    def describe(part: Range, lines: bytes) -> _Part:
        parsed = pl.read_csv(lines, has_header=False, schema=schema.types)
        labels = table.as_csv(parsed.select(schema.key, pl.lit(group).alias("label")))
        if part.split != "train":
            return _Part(part, lines, labels, [])
        values = parsed.select(schema.names)
        name = (group, part.start, part.stop)
        training.update(column_statistics.summary(values), name, values, values.height)
        return _Part(part, lines, labels, [Statistics.of(schema.names, values.to_numpy())])

    for parts in reading.in_order(cut, range(rows.number)):
        for part in parts:
            outputs.append(part.rows, part.data, part.labels)
            statistics += part.statistics
    return splits.sizes(ranges), training, statistics
