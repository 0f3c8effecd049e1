"""Ranges and search strategies: candidates lie in their ranges, on the scale that was asked for."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_sagemaker.core.errors import ValidationError
from local_sagemaker.jobs.tuning import ranges, request
from local_sagemaker.jobs.tuning.ranges import Choice, Number, Range
from local_sagemaker.jobs.tuning.search import Bayesian, Grid, Random, Search, Trial

UNIT = st.floats(0.0, 1.0)
FINITE = st.floats(-1e300, 1e300, allow_subnormal=False)


def parse(kind: str, low: Any, high: Any, scaling: str = "Linear") -> Number:
    item = {"Name": "x", "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}
    parsed = ranges.parse({f"{kind}ParameterRanges": [item]})[0]
    assert isinstance(parsed, Number)
    return parsed


@st.composite
def continuous(draw: st.DrawFn) -> Number:
    scaling = draw(st.sampled_from(["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]))
    bounds = {
        "Logarithmic": st.floats(1e-300, 1e300),
        "ReverseLogarithmic": st.floats(0.0, 1.0, exclude_max=True),
    }.get(scaling, FINITE)
    low, high = sorted([draw(bounds), draw(bounds)])
    return parse("Continuous", repr(low), repr(high), scaling)


@st.composite
def integers(draw: st.DrawFn) -> Number:
    scaling = draw(st.sampled_from(["Auto", "Linear", "Logarithmic"]))
    bounds = st.integers(1 if scaling == "Logarithmic" else -(2**53), 2**53)
    low, high = sorted([draw(bounds), draw(bounds)])
    return parse("Integer", low, high, scaling)


@given(continuous() | integers(), UNIT)
def test_a_value_lies_in_its_range(item: Number, unit: float) -> None:
    value = item.value(unit)
    assert item.low <= float(value) <= item.high
    assert not item.whole or str(int(value)) == value
    assert 0.0 <= item.unit(value) <= 1.0 + 1e-9


@given(continuous() | integers(), UNIT, UNIT)
def test_a_larger_unit_gives_no_smaller_value(item: Number, one: float, other: float) -> None:
    low, high = sorted([one, other])
    tolerance = 1e-9 * max(1.0, abs(item.low), abs(item.high))
    assert float(item.value(low)) <= float(item.value(high)) + tolerance


@given(continuous() | integers())
def test_both_ends_are_reached(item: Number) -> None:
    for unit, end in ((0.0, item.low), (1.0, item.high)):
        assert float(item.value(unit)) == pytest.approx(end, rel=1e-6, abs=1e-6 * abs(item.high - item.low))


@given(st.integers(1, 50), st.integers(0, 50), st.sampled_from(["Linear", "Logarithmic"]))
def test_an_integer_is_found_again(low: int, more: int, scaling: str) -> None:
    item = parse("Integer", low, low + more, scaling)
    for number in range(low, low + more + 1):
        assert item.value(item.unit(str(number))) == str(number)


@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e6))
def test_the_middle_of_a_logarithmic_range_is_the_geometric_mean(low: float, ratio: float) -> None:
    item = parse("Continuous", repr(low), repr(low * ratio), "Logarithmic")
    assert float(item.value(0.5)) == pytest.approx(low * math.sqrt(ratio), rel=1e-6)


def test_the_middle_of_the_other_scales() -> None:
    assert parse("Continuous", 2, 4).value(0.5) == "3.0"
    reverse = parse("Continuous", 0.9, 0.9999, "ReverseLogarithmic")
    assert 1.0 - float(reverse.value(0.5)) == pytest.approx(math.sqrt(0.1 * 0.0001))
    whole = parse("Integer", 1, 4)
    assert [whole.value(unit) for unit in (0.0, 0.2, 0.3, 0.6, 0.9, 1.0)] == ["1", "1", "2", "3", "4", "4"]


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [(0.001, 0.1, "Logarithmic"), (0.1, 1, "Linear"), (0, 1e6, "Linear"), (-1, 1, "Linear")],
)
def test_auto_takes_the_logarithm_of_what_spans_orders_of_magnitude(
    low: float, high: float, scale: str
) -> None:
    assert parse("Continuous", low, high, "Auto").scale == scale


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1e400"])
def test_a_bound_that_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ValidationError, match="'x': MaxValue"):
        parse("Continuous", 0, text)


def test_one_range_for_each_name() -> None:
    item = {"Name": "x", "MinValue": "0", "MaxValue": "1"}
    with pytest.raises(ValidationError, match="x has more than one range"):
        ranges.parse({"IntegerParameterRanges": [item], "ContinuousParameterRanges": [item]})
    with pytest.raises(ValidationError, match="the Values of 'x' must differ"):
        ranges.parse({"CategoricalParameterRanges": [{"Name": "x", "Values": ["a", "a"]}]})


SPACE: tuple[Range, ...] = (
    Number("rate", 0.001, 1.0, "Logarithmic", whole=False),
    Number("depth", 1, 8, "Linear", whole=True),
    Choice("kind", ("a", "b", "c")),
)
OBJECTIVES = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=12)


def history(search: Search, objectives: list[float | None]) -> list[Trial]:
    trials: list[Trial] = []
    for objective in objectives:
        trials.append(Trial(search.propose(trials), objective))
    return trials


def is_inside(values: dict[str, str]) -> bool:
    return (
        0.001 <= float(values["rate"]) <= 1.0
        and 1 <= int(values["depth"]) <= 8
        and values["kind"] in ("a", "b", "c")
    )


@settings(max_examples=15)
@given(st.integers(0, 2**31), OBJECTIVES, st.sampled_from([Random, Bayesian]))
def test_proposals_lie_in_the_ranges_differ_and_repeat(
    seed: int, objectives: list[float | None], strategy: type[Random] | type[Bayesian]
) -> None:
    trials = history(strategy(SPACE, seed), objectives)
    assert all(is_inside(trial.values) for trial in trials)
    assert len({tuple(trial.values.items()) for trial in trials}) == len(trials)
    assert history(strategy(SPACE, seed), objectives) == trials


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_a_grid_has_every_combination_once(sizes: list[int]) -> None:
    grid = Grid([Choice(f"c{index}", tuple(map(str, range(size)))) for index, size in enumerate(sizes)])
    trials = history(grid, [None] * grid.size)
    assert len({tuple(trial.values.items()) for trial in trials}) == math.prod(sizes)


def test_a_space_that_is_used_up_is_tried_again() -> None:
    for strategy in (Random, Bayesian):
        trials = history(strategy([Choice("kind", ("a", "b"))], 1), [1.0, 2.0, 3.0, 4.0, 5.0])
        assert {trial.values["kind"] for trial in trials[:2]} == {"a", "b"}
        assert len(trials) == 5


def bowl(values: dict[str, str]) -> float:
    """0 at rate = 0.05, depth = 6, kind = b."""
    off = 0.0 if values["kind"] == "b" else 1.0
    return (math.log10(float(values["rate"]) / 0.05)) ** 2 + (int(values["depth"]) - 6) ** 2 / 16.0 + off


def best_of(search: Search, count: int) -> float:
    trials: list[Trial] = []
    for _ in range(count):
        values = search.propose(trials)
        trials.append(Trial(values, bowl(values)))
    return min(bowl(trial.values) for trial in trials)


def test_bayesian_search_is_better_than_chance() -> None:
    """Over five seeds, 20 jobs each: the median of the best is lower, and close to the optimum."""
    medians = {
        strategy: sorted(best_of(strategy(SPACE, seed), 20) for seed in range(5))[2]
        for strategy in (Random, Bayesian)
    }
    assert medians[Bayesian] < medians[Random]
    assert medians[Bayesian] < 0.05


def test_the_objective_may_be_constant_or_huge() -> None:
    for objectives in ([1.0] * 8, [1e300, -1e300] * 4):
        assert all(is_inside(trial.values) for trial in history(Bayesian(SPACE, 3), list(objectives)))


@pytest.mark.parametrize(
    ("objectives", "count"),
    [([], 0), ([1.0], 0), ([1.0, 1.0], 1), ([1.0, 0.995], 1), ([1.0, 0.9], 0), ([-1.0, -1.1, 5.0], 1)],
)
def test_less_than_one_percent_is_no_improvement(objectives: list[float], count: int) -> None:
    assert request.not_improving(objectives) == count
