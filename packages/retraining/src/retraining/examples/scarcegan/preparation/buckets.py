"""Rows of a group on disk, as CSV lines in the order of their keys' hashes: one bucket is in memory at once.

While files are read, lines go to the bucket of their hash; a bucket is sorted when it is loaded. So the rows
have one order, whatever the files were and in whatever order they came, and equal keys are in one bucket.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import key_hash
from key_hash import Hashes
from preparation import table

_ENTRY = np.dtype([("hash", "<u8"), ("length", "<u4")])


@dataclass(frozen=True)
class Piece:
    """The lines of a block that belong to one bucket, and their hashes and lengths."""

    bucket: int
    lines: bytes
    entries: NDArray[np.void]


class Buckets:
    """`number` buckets of a group, as files in `folder`."""

    def __init__(self, folder: Path, number: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.number = folder, number
        self.counts = np.zeros(number, dtype=np.int64)

    def split(
        self, rows: pl.DataFrame, lines: pl.Series, hashes: Hashes
    ) -> tuple[pl.DataFrame, Hashes, list[Piece]]:
        """Cut lines by bucket; the rows and hashes as they were, and pieces. Threads may do so at once."""
        bucket = key_hash.part(hashes, self.number)
        order = np.argsort(bucket, kind="stable")
        ordered = lines.gather(order)
        entries = np.empty(len(lines), dtype=_ENTRY)
        entries["hash"] = hashes[order]
        entries["length"] = ordered.str.len_bytes() + 1
        limits = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=self.number))]).tolist()
        pieces = [
            Piece(number, table.joined(ordered[low:high]), entries[low:high])
            for number, (low, high) in enumerate(pairwise(limits))
            if low < high
        ]
        return rows, hashes, pieces

    def add(self, pieces: list[Piece]) -> None:
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
        return keys(self._path(bucket, "lines").read_bytes() if self.counts[bucket] else b"")

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
        lines = [text[start:end] for start, end in places]
        hashes = entries["hash"][order].tolist()
        if len(set(hashes)) < len(
            hashes
        ):  # two keys with one hash: their order must not be that of the files
            lines = [line for _, line in sorted(zip(hashes, lines, strict=True))]
        return lines

    def _entries(self, bucket: int) -> NDArray[np.void]:
        if not self.counts[bucket]:
            return np.empty(0, dtype=_ENTRY)
        return np.fromfile(self._path(bucket, "entries"), dtype=_ENTRY)

    def _path(self, bucket: int, kind: str) -> Path:
        return self.folder / f"{bucket:05d}.{kind}"


def keys(lines: bytes) -> pl.Series:
    """The first column of CSV lines."""
    if not lines:
        return pl.Series("key", [], dtype=pl.String)
    return pl.read_csv(lines, has_header=False, columns=[0], infer_schema=False).to_series().alias("key")
