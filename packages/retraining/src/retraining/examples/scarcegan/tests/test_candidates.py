"""Business definitions, the decisions that serve them, and scores that become probabilities."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

import calibration
import candidates
from calibration import Calibration
from candidates import Definition
from evaluation import results
from job_toolkit import ranking
from job_toolkit.failure import InputError

truth_and_scores = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | st.floats(0, 1)),
    min_size=1,
    max_size=60,
)
Rows = list[tuple[bool, float]]


def arrays(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@settings(max_examples=200)
@given(
    truth_and_scores,
    st.sampled_from(candidates.METRICS),
    st.sampled_from(["max", "min"]),
    st.dictionaries(st.sampled_from(candidates.THRESHOLD_METRICS), st.floats(0, 1), max_size=2),
)
def test_a_choice_meets_its_minimums_where_any_threshold_does(
    rows: Rows, metric: str, mode: str, minimums: dict[str, float]
) -> None:
    positive, scores = arrays(rows)
    choice = candidates.choose(Definition("any", metric, mode, minimums), positive, scores, 0.5)

    def measured(threshold: float) -> dict[str, float]:
        flagged = scores >= threshold
        hits, alarms, positives = (positive & flagged).sum(), flagged.sum(), positive.sum()
        return {
            "recall": hits / max(1, positives),
            "precision": hits / max(1, alarms),
            "f1": 2 * hits / max(1, alarms + positives),
            "accuracy": (positive == flagged).mean(),
        }

    for name, value in measured(choice.threshold).items():
        assert choice.metrics[name] == pytest.approx(value)
    possible = [measured(threshold) for threshold in ranking.sweep(positive, scores).thresholds]
    allowed = [one for one in possible if all(one[name] >= least for name, least in minimums.items())]
    assert choice.met == bool(allowed)
    if allowed and metric in candidates.THRESHOLD_METRICS:
        best = (max if mode == "max" else min)(one[metric] for one in allowed)
        assert choice.metrics[metric] == pytest.approx(best)
    assert choice.metrics["validation_loss"] == 0.5
    assert choice.metrics["auc"] == ranking.auc(positive, scores)


def test_definitions_are_read_as_they_are_written() -> None:
    document = {"only-one": {"metric": "f1", "mode": "max", "min_recall": 0.1}}
    (definition,) = candidates.parse(json.dumps(document))
    assert definition == Definition("only-one", "f1", "max", {"recall": 0.1})
    assert definition.document() == document["only-one"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "at least one candidate"),
        ('{"a": 1}', "'a' must be an object"),
        ('{"A b": {"metric": "f1", "mode": "max"}}', "'A b' is no candidate name"),
        ('{"a": {"metric": "recal", "mode": "max"}}', "metric 'recal'; allowed: recall, precision"),
        ('{"a": {"metric": "f1", "mode": "maximum"}}', "mode 'maximum'; allowed: max, min"),
        (
            '{"a": {"metric": "f1", "mode": "max", "min_gain": 1}}',
            "unknown key 'min_gain'; allowed: metric, mode",
        ),
        ('{"a": {"metric": "f1", "mode": "max", "min_recall": 2}}', "min_recall 2"),
        (
            '{"a": {"metric": "f1", "mode": "max"}, "a": {"metric": "f1", "mode": "max"}}',
            "'a' is named twice",
        ),
        ('{"a": {"metric": "f1", "metric": "recall", "mode": "max"}}', "'metric' is named twice; keep one"),
    ],
)
def test_a_wrong_definition_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        candidates.parse(text)
    assert message in str(raised.value)


def draw(rows: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and scores, where sigmoid(2 * logit(score) - 1) is the truth's law."""
    rng = np.random.default_rng(seed)
    scores = calibration.sigmoid(rng.normal(calibration.logit(np.array(share)), 1.5, rows))
    return rng.random(rows) < Calibration(2.0, -1.0).apply(scores), scores


def test_the_law_that_made_the_labels_is_found() -> None:
    fit = calibration.fit(*draw(200_000, 0.4, seed=1))
    assert fit.slope == pytest.approx(2.0, abs=0.05)
    assert fit.intercept == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_ten_positives_are_enough_to_be_nearer_to_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    positive, scores = draw(40_000, 0.4, seed)

    def rows(positives: int, others: int) -> np.ndarray:
        kinds = (np.flatnonzero(positive), positives), (np.flatnonzero(~positive), others)
        return np.concatenate([rng.choice(places, count) for places, count in kinds])

    chosen, fresh = rows(10, 300), rows(100, 3000)
    fit = calibration.fit(positive[chosen], scores[chosen])
    assert 0.5 < fit.slope < 5
    before, after = (
        results.calibration_measures(positive[fresh], values)["brier"]
        for values in (scores[fresh], fit.apply(scores[fresh]))
    )
    assert after < before


@settings(max_examples=300)
@given(truth_and_scores)
def test_a_fit_is_finite_grows_and_is_no_worse_than_none(rows: Rows) -> None:
    positive, scores = arrays(rows)
    if positive.all() or not positive.any():
        with pytest.raises(InputError, match=r"the validation rows hold \d+ of the scarce group and \d+ oth"):
            calibration.fit(positive, scores)
        return
    fit = calibration.fit(positive, scores)
    assert np.isfinite([fit.slope, fit.intercept]).all()
    assert fit.slope >= calibration.LEAST_SLOPE
    after = fit.apply(scores)
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after[np.argsort(scores)]) >= 0).all()

    def loss(slope: float, intercept: float) -> float:
        hits, others = positive.sum(), (~positive).sum()
        target = np.where(positive, (hits + 1) / (hits + 2), 1 / (others + 2))
        value = slope * calibration.logit(scores) + intercept
        return float(np.sum(np.logaddexp(0, value) - target * value))

    assert loss(fit.slope, fit.intercept) <= loss(1.0, 0.0) + 1e-6
    for step in (-1e-3, 1e-3):
        assert loss(fit.slope, fit.intercept) <= loss(fit.slope, fit.intercept + step) + 1e-9


def test_scores_that_are_all_the_same_become_the_share_of_positives() -> None:
    fit = calibration.fit(np.arange(100) < 20, np.full(100, 0.9))
    assert fit.slope == 1.0
    assert fit.apply(np.array([0.9]))[0] == pytest.approx(0.2, abs=0.02)


def test_scores_that_fall_where_they_should_grow_keep_their_order() -> None:
    positive = np.arange(100) < 20
    fit = calibration.fit(positive, np.where(positive, 0.1, 0.9))
    assert fit.slope == calibration.LEAST_SLOPE
    assert fit.apply(np.array([0.5]))[0] == pytest.approx(0.2, abs=0.03)


@settings(max_examples=200)
@given(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=20), st.floats(0.1, 5), st.floats(-4, 4))
def test_undoing_gives_the_scores_again(scores: list[float], slope: float, intercept: float) -> None:
    fit = Calibration(slope, intercept)
    values = fit.apply(np.array(scores))
    inside = (values > 1e-11) & (values < 1 - 1e-11)
    np.testing.assert_allclose(fit.undo(values)[inside], np.array(scores)[inside], rtol=1e-3)


@settings(max_examples=200)
@given(truth_and_scores)
def test_the_measures_of_calibration_agree_with_their_definitions(rows: Rows) -> None:
    positive, scores = arrays(rows)
    measured = results.calibration_measures(positive, scores)
    expected = reference.brier_score_loss(positive, scores, pos_label=True, labels=[False, True])
    assert measured["brier"] == pytest.approx(expected)
    gaps = 0.0
    for number in range(results.BINS):
        last = number == results.BINS - 1
        inside = (scores * results.BINS >= number) & (last | (scores * results.BINS < number + 1))
        if inside.any():
            gaps += abs(scores[inside].mean() - positive[inside].mean()) * inside.sum() / len(rows)
    assert measured["calibration_error"] == pytest.approx(gaps)
    predicted, _, held = results.reliability(positive, scores)
    assert held.sum() == len(rows)
    assert (held > 0).all()
    assert (np.diff(predicted) > 0).all()


def test_probabilities_that_are_what_they_say_have_no_error() -> None:
    scores = np.repeat([0.25, 0.75], 400)
    positive = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    error = [
        results.calibration_measures(positive, values)["calibration_error"] for values in (scores, 1 - scores)
    ]
    assert error == pytest.approx([0.0, 0.5])
