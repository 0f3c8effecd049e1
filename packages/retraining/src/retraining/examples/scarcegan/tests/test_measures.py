import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import measures

truth_and_scores = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1)),
    min_size=1,
    max_size=50,
)


@settings(max_examples=300)
@given(truth_and_scores, st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]) | st.floats(0, 1))
def test_recall_at_a_false_positive_rate_is_the_best_of_all_thresholds(
    rows: list[tuple[bool, float]], rate: float
) -> None:
    positive, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    best = 0.0
    for threshold in [*set(scores), np.inf]:
        flagged = scores >= threshold
        if (flagged & ~positive).sum() <= rate * (~positive).sum() and positive.any():
            best = max(best, (flagged & positive).sum() / positive.sum())
    assert measures.recall_at_false_positive_rate(positive, scores, rate) == pytest.approx(best)


def test_rows_of_the_same_score_are_flagged_together() -> None:
    positive = np.array([True] * 3 + [False] * 100)
    scores = np.array([0.9, 0.8, 0.1, 0.9, 0.8, 0.7, *np.zeros(97)])
    # 1 % of 100 negatives is one: the threshold 0.9 flags one, 0.8 two.
    assert measures.recall_at_false_positive_rate(positive, scores, 0.01) == pytest.approx(1 / 3)
    assert measures.recall_at_false_positive_rate(positive, scores, 0.02) == pytest.approx(2 / 3)
    assert measures.recall_at_false_positive_rate(positive, scores, 0.0) == 0.0
    assert measures.ranking(positive, scores)["recall_at_1_percent"] == pytest.approx(1 / 3)
