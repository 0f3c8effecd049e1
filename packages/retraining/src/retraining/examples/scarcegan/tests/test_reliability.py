import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from evaluation import reliability

truth_and_scores = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 1.0]) | st.floats(0, 1)), min_size=1, max_size=60
)


@settings(max_examples=200)
@given(truth_and_scores)
def test_the_measures_agree_with_their_definitions(rows: list[tuple[bool, float]]) -> None:
    positive, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    expected = brier_score_loss(positive, scores, pos_label=True, labels=[False, True])
    assert reliability.brier(positive, scores) == pytest.approx(expected)
    gaps = 0.0
    for number in range(reliability.BINS):
        last = number == reliability.BINS - 1
        inside = (scores * reliability.BINS >= number) & (
            np.full(len(scores), True) if last else scores * reliability.BINS < number + 1
        )
        if inside.any():
            gaps += abs(scores[inside].mean() - positive[inside].mean()) * inside.sum() / len(rows)
    assert reliability.calibration_error(positive, scores) == pytest.approx(gaps)
    found = reliability.reliability(positive, scores)
    assert found.rows.sum() == len(rows)
    assert (found.rows > 0).all()
    assert (np.diff(found.predicted) > 0).all()


def test_probabilities_that_keep_their_word_have_no_error() -> None:
    scores = np.repeat([0.25, 0.75], 400)
    positive = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    assert reliability.calibration_error(positive, scores) == pytest.approx(0.0)
    assert reliability.calibration_error(positive, 1 - scores) == pytest.approx(0.5)
