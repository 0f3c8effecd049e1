"""Scores that rank rows, measured as scikit-learn does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from job_toolkit import ranking

metrics = pytest.importorskip("sklearn.metrics")
rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(-5, 5)), min_size=1, max_size=200
)


def columns(found: list[tuple[bool, float]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    positive, scores = zip(*found, strict=True)
    return np.array(positive), np.array(scores)


@given(rows)
def test_areas_are_those_of_scikit_learn(found: list[tuple[bool, float]]) -> None:
    positive, scores = columns(found)
    if positive.any():
        expected = metrics.average_precision_score(positive, scores)
        assert ranking.average_precision(positive, scores) == pytest.approx(expected)
    else:
        assert ranking.average_precision(positive, scores) == 0
    if positive.any() and not positive.all():
        assert ranking.auc(positive, scores) == pytest.approx(metrics.roc_auc_score(positive, scores))
    else:
        assert ranking.auc(positive, scores) == 0.5


@given(rows)
def test_a_sweep_holds_every_distinct_decision(found: list[tuple[bool, float]]) -> None:
    positive, scores = columns(found)
    sweep = ranking.sweep(positive, scores)
    decisions = {tuple(scores >= threshold) for threshold in scores}
    assert {tuple(scores >= threshold) for threshold in sweep.thresholds} == decisions
    assert len(sweep.thresholds) == len(decisions)
    for number, threshold in enumerate(sweep.thresholds):
        flagged = scores >= threshold
        assert sweep.flagged[number] == flagged.sum()
        assert sweep.true_positives[number] == (flagged & positive).sum()


@given(rows, st.sampled_from([0.5, 1.0, 2.0]))
def test_no_threshold_has_a_higher_f_beta(found: list[tuple[bool, float]], beta: float) -> None:
    positive, scores = columns(found)

    def f_beta(threshold: float) -> float:
        flagged = scores >= threshold
        hits = int((flagged & positive).sum())
        return (1 + beta**2) * hits / (beta**2 * positive.sum() + flagged.sum()) if hits else 0.0

    best = f_beta(ranking.best_threshold(positive, scores, beta))
    assert best == pytest.approx(max(f_beta(threshold) for threshold in scores))


@given(rows, st.sampled_from([0.0, 0.01, 0.3, 1.0]))
def test_the_recall_at_a_false_positive_rate(found: list[tuple[bool, float]], rate: float) -> None:
    positive, scores = columns(found)
    allowed = [
        int((positive & (scores >= threshold)).sum()) / max(1, positive.sum())
        for threshold in scores
        if int((~positive & (scores >= threshold)).sum()) <= rate * (~positive).sum()
    ]
    expected = max(allowed, default=0.0)
    assert ranking.recall_at_false_positive_rate(positive, scores, rate) == pytest.approx(expected)


@given(seed=st.integers(0, 999), count=st.integers(2, 3000))
def test_curves_are_thinned_without_losing_their_shape(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    positive = random.random(count) < 0.3
    positive[:2] = True, False
    scores = positive + random.normal(0, 1, count)
    false, true = ranking.roc_curve(positive, scores)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    area = float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))
    assert area == pytest.approx(ranking.auc(positive, scores), abs=0.01)
    precisions, recalls = ranking.precision_recall_curve(positive, scores)
    assert recalls[-1] == 1
    assert (np.diff(recalls) >= 0).all()
    assert len(false) == len(true) <= ranking.CURVE_POINTS
    assert len(precisions) == len(recalls) <= ranking.CURVE_POINTS
