import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import calibration
from calibration import Calibration
from evaluation import reliability
from failure import InputError

truth_and_scores = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.999, 1.0]) | st.floats(0, 1)),
    min_size=2,
    max_size=60,
)


def arrays(rows: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def draw(rows: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, scores and true probabilities, where sigmoid(2 * logit(score) - 1) is the truth's law."""
    rng = np.random.default_rng(seed)
    scores = calibration.sigmoid(rng.normal(calibration.logit(np.array(share)), 1.5, rows))
    law = Calibration(2.0, -1.0).apply(scores)
    return rng.random(rows) < law, scores, law


def test_the_law_that_made_the_labels_is_found() -> None:
    positive, scores, _ = draw(200_000, 0.4, seed=1)
    found = calibration.fit(positive, scores)
    assert found.slope == pytest.approx(2.0, abs=0.05)
    assert found.intercept == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_ten_positives_are_enough_to_be_nearer_to_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    positive, scores, _ = draw(40_000, 0.4, seed)
    ten, many = rng.choice(np.flatnonzero(positive), 10), rng.choice(np.flatnonzero(~positive), 300)
    chosen = np.concatenate([ten, many])
    found = calibration.fit(positive[chosen], scores[chosen])
    assert 0.5 < found.slope < 5
    fresh = rng.choice(np.flatnonzero(positive), 100), rng.choice(np.flatnonzero(~positive), 3000)
    rows = np.concatenate(fresh)
    before, after = (reliability.brier(positive[rows], p) for p in (scores[rows], found.apply(scores[rows])))
    assert after < before


@settings(max_examples=300)
@given(truth_and_scores)
def test_a_fit_is_finite_grows_and_is_no_worse_than_none(rows: list[tuple[bool, float]]) -> None:
    positive, scores = arrays(rows)
    if positive.all() or not positive.any():
        with pytest.raises(InputError, match=r"the validation rows hold \d+ of the scarce group and \d+ oth"):
            calibration.fit(positive, scores)
        return
    found = calibration.fit(positive, scores)
    assert np.isfinite([found.slope, found.intercept]).all()
    assert found.slope >= calibration.LEAST_SLOPE
    after = found.apply(scores)
    assert ((after >= 0) & (after <= 1)).all()
    order = np.argsort(scores)
    assert (np.diff(after[order]) >= 0).all()

    def loss(candidate: Calibration) -> float:
        hits, others = positive.sum(), (~positive).sum()
        target = np.where(positive, (hits + 1) / (hits + 2), 1 / (others + 2))
        value = candidate.slope * calibration.logit(scores) + candidate.intercept
        return float(np.sum(np.logaddexp(0, value) - target * value))

    assert loss(found) <= loss(calibration.NONE) + 1e-6
    for step in (-1e-3, 1e-3):
        assert loss(found) <= loss(Calibration(found.slope, found.intercept + step)) + 1e-9


def test_scores_that_are_all_the_same_become_the_share_of_positives() -> None:
    positive = np.arange(100) < 20
    found = calibration.fit(positive, np.full(100, 0.9))
    assert found.slope == 1.0
    assert found.apply(np.array([0.9]))[0] == pytest.approx(0.2, abs=0.02)


def test_scores_that_fall_where_they_should_grow_keep_their_order() -> None:
    positive = np.arange(100) < 20
    found = calibration.fit(positive, np.where(positive, 0.1, 0.9))
    assert found.slope == calibration.LEAST_SLOPE
    assert found.apply(np.array([0.5]))[0] == pytest.approx(0.2, abs=0.03)


@settings(max_examples=200)
@given(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=20), st.floats(0.1, 5), st.floats(-4, 4))
def test_undoing_gives_the_scores_again(scores: list[float], slope: float, intercept: float) -> None:
    found = Calibration(slope, intercept)
    values = found.apply(np.array(scores))
    inside = (values > 1e-11) & (values < 1 - 1e-11)
    np.testing.assert_allclose(found.undo(values)[inside], np.array(scores)[inside], rtol=1e-3)
