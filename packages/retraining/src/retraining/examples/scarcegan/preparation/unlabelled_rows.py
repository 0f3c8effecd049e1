"""The unlabelled rows, which are most: they go from the files to their folds in one pass.

What is kept in memory is eight bytes for each row, its key's hash: 80 MB for ten million rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

import key_hash
from key_hash import Hashes
from preparation import parallel, reading, table
from preparation.column_statistics import ColumnStatistics
from preparation.outputs import Outputs
from preparation.problems import Problems
from preparation.splits import Fractions, Range
from preparation.table import Source
from preparation.table_schema import Schema

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Unlabelled:
    """Rows per fold and their statistics; how many rows were left out, as their key has a label."""

    counts: list[int]
    statistics: ColumnStatistics
    left_out: int


@dataclass(frozen=True)
class _Cut:
    folds: list[bytes]
    counts: list[int]
    hashes: Hashes
    left_out: int


def write(
    sources: list[Source],
    schema: Schema,
    labelled: Hashes,
    wanted: Fractions,
    outputs: Outputs,
    problems: Problems,
) -> Unlabelled:
    """Write the rows to the fold that their key's hash says, but not those whose hash is among `labelled`."""

    def cut(rows: pl.DataFrame, lines: pl.Series, hashes: Hashes) -> tuple[pl.DataFrame, Hashes, _Cut]:
        known = _among(hashes, labelled)
        kept = rows.filter(pl.Series(~known)) if known.any() else rows
        fold = key_hash.part(hashes, wanted.folds)
        chosen = [(fold == number) & ~known for number in range(wanted.folds)]
        texts = [table.joined(lines.filter(pl.Series(one))) for one in chosen]
        counts = [int(one.sum()) for one in chosen]
        return kept, hashes[~known], _Cut(texts, counts, hashes, int(known.sum()))

    statistics, cuts = reading.go_through(sources, schema, wanted.seed, cut, problems)
    counts, left_out, hashes = np.zeros(wanted.folds, dtype=np.int64), 0, []
    for found in cuts:
        for fold, lines in enumerate(found.folds):
            if lines:
                outputs.append(Range(0, found.counts[fold], UNLABELLED, fold), lines, b"")
        counts += found.counts
        left_out += found.left_out
        hashes.append(found.hashes)
    _check_keys(hashes, sources, schema, wanted.seed, problems)
    return Unlabelled(counts.tolist(), statistics, left_out)


def _among(hashes: Hashes, known: Hashes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the hashes are among the sorted known ones.

    That two keys share a hash is left to chance: with ten million rows and a million labelled ones, a row is
    left out for nothing in one of two million runs.
    """
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.asarray(known[places] == hashes)


def _check_keys(
    hashes: list[Hashes], sources: list[Source], schema: Schema, seed: int, problems: Problems
) -> None:
    every = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
    every.sort()
    twice = np.unique(every[1:][every[1:] == every[:-1]])
    if not len(twice) or problems.lines:
        return

    def repeated(block: table.Block) -> pl.DataFrame:
        keys = table.parse(block, schema).to_series(0)
        return keys.filter(pl.Series(_among(key_hash.hashes(keys, seed), twice))).to_frame("key")

    blocks = (block for source in sources for block in table.blocks(source))
    found = pl.concat(parallel.in_order(repeated, blocks)).to_series()
    found = found.filter(found.is_duplicated()).unique().sort()
    if len(found):
        problems.add(f"group {UNLABELLED!r}: {schema.key} {found[0]!r} occurs twice ({len(found)} keys do)")
