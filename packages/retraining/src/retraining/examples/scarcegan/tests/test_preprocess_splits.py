"""Splits, whatever the keys, the files and their order."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import preprocess
from data import csv_blocks, key_hash
from job_toolkit.failure import InputError
from preparation import labelled_rows, reading, splits
from preparation.splits import Fractions

SOME = settings(max_examples=60, suppress_health_check=list(HealthCheck))
fractions = st.builds(
    Fractions,
    st.floats(0.01, 0.45),
    st.floats(0.01, 0.45),
    st.integers(2, 7),
    st.integers(0, 2**32 - 1),
)
printable = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@SOME
@given(st.integers(1, 400), fractions)
def test_ranges_are_a_partition_with_the_exact_shares(count: int, wanted: Fractions) -> None:
    test, validation = (max(1, round(share * count)) for share in (wanted.test, wanted.validation))
    if count - test - validation < 1 or count - test < wanted.folds:
        with pytest.raises(InputError, match=rf"'heavy': {count} rows are too few"):
            splits.labelled("heavy", count, wanted)
        return
    ranges = splits.labelled("heavy", count, wanted)
    rows = sorted(row for part in ranges for row in range(part.start, part.stop))
    assert rows == list(range(count))
    sizes = splits.sizes(ranges)
    assert (sizes["test"], sizes["validation"]) == (test, validation)
    assert sizes["train"] >= 1
    held_out = [
        sum(part.stop - part.start for part in ranges if part.fold == fold) for fold in range(wanted.folds)
    ]
    assert max(held_out) - min(held_out) <= 1
    assert min(held_out) >= 1
    assert sum(held_out) == count - sizes["test"]


@SOME
@given(st.integers(50, 400), st.integers(1, 30), fractions)
def test_appended_rows_move_few_others(count: int, more: int, wanted: Fractions) -> None:
    def split(keys: list[str]) -> dict[str, str]:
        hashes = key_hash.hashes(pl.Series(keys), wanted.seed)
        ordered = [keys[place] for place in np.argsort(hashes)]
        ranges = splits.labelled("heavy", len(keys), wanted)
        return {ordered[row]: part.split for part in ranges for row in range(part.start, part.stop)}

    keys = [f"p{number}" for number in range(count + more)]
    before, after = split(keys[:count]), split(keys)
    moved = sum(before[key] != after[key] for key in before)
    assert moved <= 2 * (more + 2)  # two limits, each moved by at most as many places as rows came


@SOME
@given(st.lists(printable, min_size=1, max_size=40), st.integers(0, 2**63 - 1))
def test_a_hash_is_of_its_key_alone(keys: list[str], seed: int) -> None:
    together = key_hash.hashes(pl.Series(keys), seed)
    for key, one in zip(keys, together, strict=True):
        assert key_hash.hashes(pl.Series([key]), seed)[0] == one
    assert len(set(together.tolist())) == len(set(keys))


def test_a_hash_stays_what_it_is() -> None:
    """A changed hash would put every row elsewhere at the next update: then evaluations do not compare."""
    hashes = key_hash.hashes(pl.Series(["p000001", "p000002", "a key of twenty-odd", "späť"]), 7)
    assert hashes.tolist() == [
        2789252028186217707,
        9066365426692669954,
        2881508525786997708,
        18274572889623365819,
    ]


def test_hashes_spread_evenly() -> None:
    keys = pl.Series([f"p{number:07d}" for number in range(70_000)])
    counts = np.bincount(key_hash.part(key_hash.hashes(keys, 7), 7), minlength=7)
    expected = len(keys) / 7
    assert ((counts - expected) ** 2 / expected).sum() < 30  # chi-squared, 6 degrees: one in 25,000


SCHEMA = '{"key": "k", "features": [{"name": "a", "min": 0, "max": 9}, {"name": "b", "min": 0, "max": 9}]}'


def run(files: dict[str, list[list[str]]], folder: Path) -> dict[str, list[str]]:
    """Preprocess rows of text, given as files per group; the lines of each output."""
    base = folder / "processing"
    for group, parts in files.items():
        (base / "input" / group).mkdir(parents=True)
        for number, lines in enumerate(parts):
            (base / "input" / group / f"{number}.csv").write_text("\n".join(["k,a,b", *lines, ""]))
    (folder / "schema.json").write_text(SCHEMA)
    preprocess.main(["--base", str(base), "--schema", str(folder / "schema.json"), "--groups", "rare,common"])
    return {
        str(path.relative_to(base / "output")): path.read_text().splitlines()
        for path in sorted((base / "output").rglob("*.csv"))
    }


@st.composite
def arranged(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, list[list[str]]]]:
    """Rows per group, and the same rows shuffled and cut into files."""
    keys = draw(st.lists(printable, min_size=70, max_size=120, unique_by=str.strip))
    rows = [
        f'"{key.replace(chr(34), chr(34) * 2)}",{number % 7},{number % 5}' for number, key in enumerate(keys)
    ]
    groups = {"rare": rows[:7], "common": rows[7:25], "unlabelled": rows[25:]}
    files = {}
    for group, lines in groups.items():
        shuffled = draw(st.permutations(lines))
        cut = draw(st.integers(0, len(shuffled)))
        files[group] = [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    return groups, files


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(arranged(), st.sampled_from([1, 3, 40]), st.sampled_from([30, 1 << 20]))
def test_the_arrangement_of_the_rows_does_not_matter(
    rows: tuple[dict[str, list[str]], dict[str, list[list[str]]]], bucket: int, block: int
) -> None:
    groups, files = rows
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        expected = run({group: [lines] for group, lines in groups.items()}, Path(one))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(labelled_rows, "BUCKET", bucket * 20)
            patch.setattr(csv_blocks.blocks, "__defaults__", (block,))
            patch.setattr(reading, "THREADS", 2)
            arranged_otherwise = run(files, Path(two))
    assert arranged_otherwise.keys() == expected.keys()
    for name, lines in expected.items():
        if name.startswith("unlabelled_folds"):
            assert sorted(arranged_otherwise[name]) == sorted(lines)
        else:
            assert arranged_otherwise[name] == lines
    everywhere = [
        line.rpartition(",")[0].rpartition(",")[0]
        for name, lines in arranged_otherwise.items()
        if name.startswith(("train_data", "validation_data", "test/data", "unlabelled_folds"))
        for line in lines[1:]
    ]
    assert len(set(everywhere)) == len(everywhere) == sum(map(len, groups.values()))
