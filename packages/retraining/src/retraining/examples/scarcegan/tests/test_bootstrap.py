import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import measures
from evaluation import bootstrap

rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200)
@given(rows)
def test_a_weight_is_a_row_that_often(found: list[tuple[bool, float, int]]) -> None:
    positive, scores, weights = (np.array(column) for column in zip(*found, strict=True))
    ranked = bootstrap.ranking(scores)
    assert ranked.average_precision(positive, np.ones(len(scores))) == pytest.approx(
        measures.average_precision(positive, scores)
    )
    if weights.any():
        repeated = np.repeat(np.arange(len(scores)), weights)
        assert ranked.average_precision(positive, weights.astype(float)) == pytest.approx(
            measures.average_precision(positive[repeated], scores[repeated])
        )


def test_a_clear_lead_is_more_than_chance_and_none_is_not() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(2000) < 0.05
    good, poor = (positive * lift + rng.normal(size=2000) for lift in (3.0, 1.0))
    low, high = bootstrap.interval(positive, good, poor)
    assert 0 < low < high
    low, high = bootstrap.interval(positive, poor, good)
    assert low < high < 0
    assert bootstrap.interval(positive, good, good) == (0.0, 0.0)
    twin = good + rng.normal(0, 0.1, 2000)
    low, high = bootstrap.interval(positive, good, twin)
    assert low < 0 < high


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """The difference of two models on very many rows lies in 95 % of the intervals of few rows."""
    rng = np.random.default_rng(1)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        positive = rng.random(count) < 0.2
        return positive, positive * 2.0 + rng.normal(size=count), positive * 1.6 + rng.normal(size=count)

    positive, first, second = draw(400_000)
    truth = measures.average_precision(positive, first) - measures.average_precision(positive, second)
    found = [bootstrap.interval(*draw(400)) for _ in range(40)]
    assert sum(low <= truth <= high for low, high in found) >= 33
