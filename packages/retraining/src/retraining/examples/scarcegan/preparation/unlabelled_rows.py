"""The unlabelled rows, which are most: they go from the files to their folds in one pass.

What is kept in memory is eight bytes for each row, its key's hash: 80 MB for ten million rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from data import key_hash
from data.key_hash import Hashes
from preparation import reading, table
from preparation.column_statistics import ColumnStatistics
from preparation.outputs import Outputs
from preparation.schema import Schema
from preparation.splits import Fractions, Range
from preparation.table import Block, Source

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Unlabelled:
    """Rows per fold and their statistics; how many rows were left out, as their key has a label."""

    counts: list[int]
    statistics: ColumnStatistics
    left_out: int


@dataclass(frozen=True)
class _Cut:
    """Of a block: the lines and rows of each fold, all hashes, and how many rows were left out."""

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
    problems: list[str],
) -> Unlabelled:
    """Write the rows to the fold that their key's hash says, but not those whose hash is among `labelled`."""

    def cut(rows: pl.DataFrame, lines: pl.Series, hashes: Hashes) -> tuple[pl.DataFrame, Hashes, _Cut]:
        known = key_hash.among(hashes, labelled)
        kept = rows.filter(pl.Series(~known)) if known.any() else rows
        fold = key_hash.part(hashes, wanted.folds)
        chosen = [(fold == number) & ~known for number in range(wanted.folds)]
        texts = [table.joined(lines.filter(pl.Series(one))) for one in chosen]
        counts = [int(one.sum()) for one in chosen]
        return kept, hashes[~known], _Cut(texts, counts, hashes, int(known.sum()))

    statistics, cuts = reading.go_through(sources, schema, wanted.seed, cut, problems)
    counts, left_out, hashes = np.zeros(wanted.folds, dtype=np.int64), 0, [np.empty(0, np.uint64)]
    for block in cuts:
        for fold, lines in enumerate(block.folds):
            if lines:
                outputs.append(Range(0, block.counts[fold], UNLABELLED, fold), lines, b"")
        counts += block.counts
        left_out += block.left_out
        hashes.append(block.hashes)
    if not problems:
        _check_keys(np.concatenate(hashes), sources, schema, wanted.seed, problems)
    return Unlabelled(counts.tolist(), statistics, left_out)


def _check_keys(
    hashes: Hashes, sources: list[Source], schema: Schema, seed: int, problems: list[str]
) -> None:
    """Read the files again where a hash occurs twice, for the keys: only those say whether they do."""
    hashes.sort()
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not len(twice):
        return

    def repeated(block: Block) -> pl.DataFrame:
        keys = table.parse(block, schema).to_series(0)
        return keys.filter(pl.Series(key_hash.among(key_hash.hashes(keys, seed), twice))).to_frame("key")

    blocks = (block for source in sources for block in table.blocks(source))
    keys = pl.concat(reading.in_order(repeated, blocks)).to_series()
    keys = keys.filter(keys.is_duplicated()).unique().sort()
    if len(keys):
        problems.append(f"group {UNLABELLED!r}: {schema.key} {keys[0]!r} occurs twice ({len(keys)} keys do)")
