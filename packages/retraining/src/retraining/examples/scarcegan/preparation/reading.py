"""Going through the groups' files block by block: rows are checked, counted, and handed on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

import key_hash
from failure import InputError
from key_hash import Hashes
from part_files import Cluster
from preparation import column_statistics, data_checks, parallel, table
from preparation.column_statistics import ColumnStatistics
from preparation.data_checks import Fault
from preparation.problems import Problems
from preparation.table import Block, Source
from preparation.table_schema import Schema

SAMPLE = 128 << 20  # bytes of CSV of which every row is in the histograms; of more, every second, fourth ...
FAULTY_BLOCKS = 5  # after so many the rest is not looked at
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Done(Generic[Result]):
    block: Block
    summary: pl.DataFrame | None
    result: Result | None
    faults: list[Fault]


def sources(
    folder: Path, groups: list[str], schema: Schema, cluster: Cluster, problems: Problems
) -> dict[str, list[Source]]:
    """The files of all groups. On one of several hosts a group may have none."""
    found: dict[str, list[Source]] = {}
    for group in groups:
        paths = table.files(folder / group)
        if not paths and cluster.several:
            print(f"group {group!r}: no file for the host {cluster.host}")
        elif not paths:
            problems.add(f"group {group!r}: no {', '.join(table.SUFFIXES)} file in {folder / group}")
        found[group] = []
        for path in paths:
            try:
                found[group].append(table.open_source(path, group, schema))
            except InputError as error:
                problems.add(str(error))
    return found


def go_through(
    found: list[Source],
    schema: Schema,
    seed: int,
    work: Callable[[pl.DataFrame, pl.Series, Hashes], tuple[pl.DataFrame, Hashes, Result]],
    problems: Problems,
) -> tuple[ColumnStatistics, Iterator[Result]]:
    """Statistics of the rows that `work` keeps, filled while its results are taken.

    `work` gets the parsed rows of a block, their CSV lines and their keys' hashes, in a thread, and returns
    the rows and hashes that it keeps, and a result.
    """
    statistics = ColumnStatistics(schema.names)
    size = sum(table.size(source.path) for source in found)
    weight = 1 << (size // SAMPLE).bit_length()  # a hash's last bits choose the sample

    def one(block: Block) -> _Done[Result]:
        try:
            rows = table.parse(block, schema)
        except PolarsError as error:
            return _Done(block, None, None, data_checks.faults(block, schema, error))
        if not data_checks.are_keys(rows.to_series(0)):
            return _Done(block, None, None, data_checks.faults(block, schema, None))
        summary = column_statistics.summary(rows.select(schema.names))
        kept, hashes, result = work(rows, table.lines(block, rows), key_hash.hashes(rows.to_series(0), seed))
        features = kept.select(schema.names)
        part = (block.source.group, found.index(block.source), block.first)
        if kept.height:
            counted = summary if kept.height == rows.height else column_statistics.summary(features)
            sample = features.filter(pl.Series(hashes % np.uint64(weight) == 0)) if weight > 1 else features
            statistics.update(kept.height, counted, part, sample, weight)
        return _Done(block, summary, result, [])

    return statistics, _results(found, schema, one, problems)


def _results(
    found: list[Source], schema: Schema, work: Callable[[Block], _Done[Result]], problems: Problems
) -> Iterator[Result]:
    faults: list[Fault] = []
    blocks: list[tuple[Source, int]] = []
    summaries: list[pl.DataFrame] = []
    faulty = 0
    for done in parallel.in_order(work, _blocks(found, problems)):
        if done.result is not None and done.summary is not None:
            blocks.append((done.block.source, done.block.first))
            summaries.append(done.summary)
            yield done.result
            continue
        faults += done.faults
        faulty += 1
        if faulty == FAULTY_BLOCKS:
            break
    broken = [blocks[number] for number in data_checks.breaking(summaries, schema)]
    for source in dict.fromkeys(source for source, _ in broken):
        for block in _blocks([source], Problems()):
            if faulty < FAULTY_BLOCKS and (source, block.first) in broken:
                faults += data_checks.faults(block, schema, None)
                faulty += 1
    for line in _told(faults, faulty == FAULTY_BLOCKS):
        problems.add(line)


def _blocks(found: list[Source], problems: Problems) -> Iterator[Block]:
    for source in found:
        try:
            yield from table.blocks(source)
        except InputError as error:
            problems.add(str(error))


def _told(faults: list[Fault], cut_off: bool) -> list[str]:
    """The faults as lines; a file's first one says how many there are in the file."""
    lines: list[str] = []
    of_file: dict[Path, list[Fault]] = {}
    for fault in faults:
        of_file.setdefault(fault.source.path, []).append(fault)
    for same in of_file.values():
        same.sort(key=lambda fault: fault.row)
        least = "at least " if cut_off else ""
        count = f" ({least}{len(same)} bad values in {len({one.row for one in same})} rows of this file)"
        for number, fault in enumerate(same):
            more = count if number == 0 and len(same) > 1 else ""
            lines.append(f"{fault.source.where}: row {fault.row}: {fault.text}{more}")
    return lines
