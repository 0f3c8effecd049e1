"""The SavedModel: what it answers, and that it answers the same in whatever company a row comes."""

import json
from pathlib import Path

import exported
import numpy as np
import pytest
import tensorflow as tf
from exported import FEATURES, GROUPS, UNITS
from hypothesis import given, settings
from hypothesis import strategies as st

import calibration
from calibration import Calibration
from evaluation import scoring
from model import export, networks

ROWS = 4096


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with a calibration and a threshold."""
    folder = tmp_path_factory.mktemp("saved")
    exported.save(folder, "candidates", ["only"], exported.fitted(), exported.rows(400, seed=2))
    return folder


@pytest.fixture(scope="module")
def signature(saved: Path) -> object:
    return tf.saved_model.load(str(saved / "candidates" / "only" / "1")).signatures["serving_default"]


@pytest.fixture(scope="module")
def whole(signature: object) -> dict[str, np.ndarray]:
    """The answer for all rows at once."""
    return ask(signature, exported.rows(ROWS))


def ask(signature: object, values: np.ndarray) -> dict[str, np.ndarray]:
    answer = signature(features=tf.constant(values, tf.float32))  # type: ignore[operator]
    return {name: value.numpy() for name, value in answer.items()}


@settings(max_examples=100)
@given(data=st.data())
def test_an_answer_does_not_depend_on_the_rows_next_to_it(
    data: st.DataObject, signature: object, whole: dict[str, np.ndarray]
) -> None:
    size = data.draw(st.sampled_from([1, 2, 7, 15, 16, 17, 50, 1000]) | st.integers(1, ROWS))
    start = data.draw(st.integers(0, ROWS - size))
    chosen = np.arange(start, start + size)
    if data.draw(st.booleans()):
        chosen = np.random.default_rng(size).permutation(chosen)
    answer = ask(signature, exported.rows(ROWS)[chosen])
    for name, values in whole.items():
        np.testing.assert_array_equal(answer[name], values[chosen], strict=True)


@pytest.mark.parametrize("size", [1, 3, 7, 17, 100])
def test_not_even_the_last_bit_of_the_float64_in_between_does(size: int) -> None:
    """float32 would hide it nearly always."""
    one, values = exported.serving(), tf.constant(exported.rows(1600), tf.float32)
    whole = tf.stack(one.probabilities(export.whole_vectors(values)), axis=1).numpy()
    for start in range(0, len(values), 16 * size):
        part = values[start : start + size]
        own = tf.stack(one.probabilities(export.whole_vectors(part)), axis=1).numpy()[: len(part)]
        np.testing.assert_array_equal(own, whole[start : start + size], strict=True)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.1, 1.0, 5.0, 50.0]))
def test_sums_are_the_same_in_any_order(seed: int, size: float) -> None:
    """The claim behind it: with weights and inputs on their grids, float64 does not round a sum."""
    rng = np.random.default_rng(seed)
    shapes = [(50, 256), (256, 128), (128, 5)]
    layers = [(rng.normal(0, size / 10, shape), rng.normal(0, size, shape[1])) for shape in shapes]
    values = rng.uniform(-6, 6, (8, 50))
    for grid in export.grids(layers, 6.0):
        values = np.round(values / grid.step) * grid.step
        orders = [rng.permutation(len(grid.weights)) for _ in range(3)]
        sums = [sum(values[:, [i]] * grid.weights[i] for i in order) + grid.bias for order in orders]
        for other in (sums[1], sums[2], values @ grid.weights + grid.bias):
            np.testing.assert_array_equal(sums[0], other)
        values = np.maximum(sums[0], 0.2 * sums[0])


@pytest.mark.parametrize("size", [1.0, 4.0])
def test_the_exported_network_is_the_trained_one(size: float) -> None:
    scale, raw = exported.fitted(), exported.rows(1000, seed=3)
    network = networks.Discriminator(len(FEATURES), len(GROUPS), UNITS, seed=0)
    network.parameters.assign(network.parameters * size)
    trained = tf.nn.softmax(network.supervised(tf.constant(scale.transform(raw)))).numpy()
    answer = exported.serving(0, size, scale).serve(tf.constant(raw, tf.float32))
    np.testing.assert_allclose(answer["probabilities"].numpy(), trained[:, :-1], atol=2e-5)


def test_the_calibration_grows_and_the_other_groups_share_the_rest() -> None:
    raw = tf.constant(exported.rows(1000, seed=3), tf.float32)
    one = exported.serving(0, 3.0)
    before = {name: value.numpy() for name, value in one.serve(raw).items()}
    fit = Calibration(0.7, -1.5)
    one.slope.assign(fit.slope)
    one.intercept.assign(fit.intercept)
    after = {name: value.numpy() for name, value in one.serve(raw).items()}
    np.testing.assert_allclose(after["score"], fit.apply(before["score"]), rtol=1e-4)
    order = np.lexsort((after["score"], before["score"]))  # scores that are all but 1 are the same float32
    assert (np.diff(after["score"][order]) >= 0).all()
    np.testing.assert_array_equal(after["score"], after["probabilities"][:, 0])
    unsure = before["score"] < 0.99
    rest = (1 - after["score"][unsure]) / (1 - before["score"][unsure])
    expected = before["probabilities"][unsure, 1:] * rest[:, None]
    assert unsure.sum() > 100
    np.testing.assert_allclose(after["probabilities"][unsure, 1:], expected, rtol=1e-4, atol=1e-7)
    assert (after["probabilities"].sum(axis=1) <= 1.000001).all()


def test_a_threshold_is_chosen_on_the_scores_that_are_served(saved: Path) -> None:
    """So the metrics in candidates.json are those of the saved model, exactly."""
    (entry,) = json.loads((saved / "candidates.json").read_text())
    values = exported.rows(400, seed=2)
    answer = scoring.Model(saved / "candidates" / "only", entry).answer(values)
    flagged = answer.groups == 0
    np.testing.assert_array_equal(flagged, answer.scores.astype(np.float64) >= entry["threshold"])
    one = exported.serving(0, 3.0, exported.fitted())
    positive = one.scores(values) >= np.quantile(one.scores(values), 0.9)
    assert entry["validation"]["recall"] == (flagged & positive).sum() / positive.sum()
    assert entry["validation"]["precision"] == (flagged & positive).sum() / flagged.sum()


def test_scores_at_the_ends_of_the_scale_are_finite() -> None:
    one = exported.serving(0, 200.0)
    scores = one.scores(exported.rows(200))
    assert ((scores >= 0) & (scores <= 1)).all()
    one.slope.assign(calibration.LEAST_SLOPE)
    one.intercept.assign(-600.0)
    assert (one.scores(exported.rows(200)) == 0).all()
