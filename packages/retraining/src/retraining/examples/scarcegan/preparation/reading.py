"""Going through the groups' files block by block, in threads: rows are checked, counted, and handed on."""

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from data import key_hash
from data.key_hash import Hashes
from data.part_files import Cluster
from job_toolkit.failure import InputError
from preparation import column_statistics, data_checks, table
from preparation.column_statistics import ColumnStatistics
from preparation.data_checks import Fault
from preparation.schema import Schema
from preparation.table import Block, Source

THREADS = 4  # at a time in Python; Polars' own threads work for them
SAMPLE = 128 << 20  # bytes of CSV of which every row is in the histograms; of more, every second, fourth ...
FAULTY_BLOCKS = 5  # after so many the rest is not looked at
SHOWN = 50  # problems that are printed

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT = 1 << 30

Item = TypeVar("Item")
Result = TypeVar("Result")


def refuse(problems: list[str]) -> None:
    """Print all that is wrong with the data, and raise InputError with the first of it."""
    if not problems:
        return
    if len(problems) > 1:
        print(f"{len(problems)} problems:", *problems[:SHOWN], sep="\n")
        if len(problems) > SHOWN:
            print(f"and {len(problems) - SHOWN} more")
    raise InputError(problems[0])


def keep_memory() -> None:
    """Have this process use freed memory again, where its C library is glibc.

    By default glibc returns a large block to the system when it is freed, and the next block of a file is
    paged in again: a fifth of the time of reading and writing large files.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """work(item) of each item, in threads; at most THREADS + 1 are begun and not yet taken."""
    with ThreadPoolExecutor(THREADS) as pool:
        begun: deque[Future[Result]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > THREADS:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def open_sources(
    folder: Path, groups: list[str], schema: Schema, cluster: Cluster, problems: list[str]
) -> dict[str, list[Source]]:
    """The files of all groups. On one of several hosts a group may have none."""
    sources: dict[str, list[Source]] = {}
    for group in groups:
        paths, sources[group] = table.files(folder / group), []
        if not paths and cluster.several:
            print(f"group {group!r}: no file for the host {cluster.host}")
        elif not paths:
            problems.append(f"group {group!r}: no {', '.join(table.SUFFIXES)} file in {folder / group}")
        for path in paths:
            try:
                sources[group].append(table.open_source(path, group, schema))
            except InputError as error:
                problems.append(str(error))
    return sources


@dataclass(frozen=True)
class _Done(Generic[Result]):
    """What came of a block; no result where it cannot be parsed."""

    faults: list[Fault]
    result: Result | None = None


def go_through(
    sources: list[Source],
    schema: Schema,
    seed: int,
    work: Callable[[pl.DataFrame, pl.Series, Hashes], tuple[pl.DataFrame, Hashes, Result]],
    problems: list[str],
) -> tuple[ColumnStatistics, Iterator[Result]]:
    """Statistics of the rows that `work` keeps, filled while its results are taken.

    `work` gets the parsed rows of a block, their CSV lines and their keys' hashes, in a thread, and returns
    the rows and hashes that it keeps, and a result.
    """
    statistics = ColumnStatistics(schema.names)
    size = sum(table.size(source.path) for source in sources)
    weight = 1 << (size // SAMPLE).bit_length()  # a hash's last bits choose the sample

    def one(block: Block) -> _Done[Result]:
        try:
            rows = table.parse(block, schema)
        except PolarsError as error:
            return _Done(data_checks.faults(block, schema, error))
        if not data_checks.are_keys(rows.to_series(0)):
            return _Done(data_checks.faults(block, schema))
        counted = column_statistics.summary(rows.select(schema.names))
        faults = [] if data_checks.are_allowed(counted, schema) else data_checks.faults(block, schema)
        kept, hashes, result = work(rows, table.lines(block, rows), key_hash.hashes(rows.to_series(0), seed))
        features = kept.select(schema.names)
        if kept.height:
            counted = counted if kept.height == rows.height else column_statistics.summary(features)
            sample = features.filter(pl.Series(hashes % np.uint64(weight) == 0)) if weight > 1 else features
            part = (block.source.group, sources.index(block.source), block.first)
            statistics.update(counted, part, sample, kept.height, weight)
        return _Done(faults, result)

    return statistics, _results(in_order(one, _blocks(sources, problems)), problems)


def _results(blocks: Iterator[_Done[Result]], problems: list[str]) -> Iterator[Result]:
    faults: list[Fault] = []
    faulty = 0
    for done in blocks:
        if done.result is not None:
            yield done.result
        faults += done.faults
        faulty += bool(done.faults)
        if faulty == FAULTY_BLOCKS:
            break
    by_file: dict[Path, list[Fault]] = {}
    for fault in faults:
        by_file.setdefault(fault.source.path, []).append(fault)
    for same in by_file.values():
        rows, least = len({fault.row for fault in same}), "at least " if faulty == FAULTY_BLOCKS else ""
        count = f" ({least}{len(same)} bad values in {rows} rows of this file)" if len(same) > 1 else ""
        for number, fault in enumerate(same):
            problems.append(f"{fault.source.where}: row {fault.row}: {fault.text}{'' if number else count}")


def _blocks(sources: list[Source], problems: list[str]) -> Iterator[Block]:
    for source in sources:
        try:
            yield from table.blocks(source)
        except InputError as error:
            problems.append(str(error))
