"""Which rows go where."""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_toolkit import splits
from job_toolkit.failure import InputError
from job_toolkit.splits import Fractions

fractions = st.builds(Fractions, st.floats(0.1, 0.45), st.floats(0.1, 0.45), st.integers(0, 2**32 - 1))


@given(counts=st.lists(st.integers(20, 60), min_size=1, max_size=4), wanted=fractions)
def test_a_stratified_split_loses_no_row_and_keeps_the_shares(counts: list[int], wanted: Fractions) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = splits.stratified(labels, wanted)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(labels)))
    for name, fraction in (("validation", wanted.validation), ("test", wanted.test)):
        assert len(parts[name]) == round(fraction * len(labels))
        assert parts[name].tolist() == sorted(parts[name].tolist())
        for code, count in enumerate(counts):
            assert abs(int((labels[parts[name]] == code).sum()) - fraction * count) <= 1
    again = splits.stratified(labels, wanted)
    assert all(np.array_equal(again[name], rows) for name, rows in parts.items())


def test_another_seed_draws_other_rows() -> None:
    labels = np.arange(100) % 2
    first, second = (splits.stratified(labels, Fractions(0.2, 0.2, seed)) for seed in (1, 2))
    assert first["test"].tolist() != second["test"].tolist()


@pytest.mark.parametrize("fraction", [0.005, 0.4])
def test_a_part_without_a_label_is_refused(fraction: float) -> None:
    labels = np.array(["yes"] * 2 + ["no"] * 398)
    with pytest.raises(InputError, match=r"of 400 rows .* leave no \w+ row with the label 'yes', of which"):
        splits.stratified(labels, Fractions(0.2, fraction, 7))


@given(keys=st.lists(st.text(max_size=5), min_size=1, max_size=60), wanted=fractions, seed=st.integers(0, 99))
def test_a_keys_part_is_its_own(keys: list[str], wanted: Fractions, seed: int) -> None:
    """Neither other keys nor their order matter, and equal keys are together."""
    parts = splits.by_key(keys, wanted)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(keys)))
    part_of = {keys[row]: name for name, rows in parts.items() for row in rows}
    for name, rows in parts.items():
        assert all(part_of[keys[row]] == name for row in rows)
    order = np.random.default_rng(seed).permutation(len(keys))
    kept = [keys[row] for row in order][: len(keys) // 2 + 1]
    fewer = splits.by_key(kept, wanted)
    assert all(part_of[kept[row]] == name for name, rows in fewer.items() for row in rows)
    for name, rows in fewer.items():
        whole = [keys[row] for row in parts[name] if keys[row] in kept]
        assert list(dict.fromkeys(kept[row] for row in rows)) == list(dict.fromkeys(whole))


def test_places_are_spread_evenly_and_follow_the_seed() -> None:
    places = splits.places(map(str, range(10_000)), 7)
    assert ((places >= 0) & (places < 1)).all()
    assert np.histogram(places, 10, (0, 1))[0] == pytest.approx(np.full(10, 1000), abs=120)
    assert places[0] == splits.places(["0"], 7)[0] != splits.places(["0"], 8)[0]


def options(*argv: str) -> Fractions:
    parser = ArgumentParser()
    splits.add_arguments(parser, validation=0.15)
    return splits.from_arguments(parser.parse_args(argv))


def test_fractions_from_arguments_and_back_from_their_file(tmp_path: Path) -> None:
    found = options("--test-fraction", "0.3")
    assert found == Fractions(0.15, 0.3, 7)
    assert str(found) == "validation fraction 0.15, test fraction 0.3, seed 7"
    found.save(tmp_path / "split.json")
    assert splits.load(tmp_path / "split.json") == found
    (tmp_path / "split.json").write_text('{"seed": 7}')
    with pytest.raises(InputError, match=r"split\.json: not the fractions of a preprocessing"):
        splits.load(tmp_path / "split.json")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--test-fraction", "1"], "arguments: --test-fraction must be between 0 and 1, not 1"),
        (["--validation-fraction", "nan"], "--validation-fraction must be between 0 and 1, not nan"),
        (["--validation-fraction", "0.6", "--test-fraction", "0.4"], "together must be less than 1"),
        (["--seed", "-1"], "arguments: --seed must be between 0 and 4294967295, not -1"),
    ],
)
def test_an_argument_out_of_range_is_named(arguments: list[str], expected: str) -> None:
    with pytest.raises(InputError) as raised:
        options(*arguments)
    assert expected in str(raised.value)
