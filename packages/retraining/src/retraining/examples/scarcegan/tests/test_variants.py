"""The ablations, and what else of the training the folds decide."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import Chain, run_chain
from scipy.special import log_softmax

import measures
from candidates import Choice, Definition
from failure import InputError
from model import hyperparameters, loop, losses, progress, training, variants
from model.loop import Loop
from model.progress import Best, Progress
from model.training_data import Part
from model.variants import Settings

QUICK = ("--epochs", 4, "--iterations_per_epoch", 20, "--batch_size", 32)
Trained = dict[str, tuple[Loop, list[float], list[float]]]
SHAPE = Settings(groups=3, features=4, batch_size=24, units=(16, 8), generator_units=(8,), noise_dim=6)


@pytest.fixture(scope="module")
def folded(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A run with folds and ablations."""
    root = tmp_path_factory.mktemp("folded")
    shutil.copytree(small, root / "preprocess" / "input")
    return run_chain(root, train=(*QUICK, "--cross_validation", "true", "--ablations", "true"))


def rows_of_groups() -> tuple[list[np.ndarray], Part]:
    """Three groups that differ in one feature each; unlabelled rows, few of which are scarce."""
    rng = np.random.default_rng(1)
    rows = [(rng.normal(size=(40, 4)) + centre).astype(np.float32) for centre in 4 * np.eye(3, 4)]
    part = Part(rows, np.concatenate(rows), np.repeat(np.arange(3), 40))
    return [rows[0][:2], *rows[1:]], part


def build(shape: Settings) -> Loop:
    unlabelled, part = rows_of_groups()
    return training.model(shape, part, np.concatenate(unlabelled))


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Of each variant the model, and the metrics of its first and last 50 iterations."""
    found = {}
    for name in variants.NAMES:
        model = build(SHAPE.ablated(name))
        first = model.train(50, 600)
        model.train(500, 600)
        found[name] = (model, first.tolist(), model.train(50, 600).tolist())
    return found


@pytest.mark.parametrize("variant", variants.NAMES)
def test_every_variant_learns(
    variant: str, trained: dict[str, tuple[Loop, list[float], list[float]]]
) -> None:
    model, first, last = trained[variant]
    assert np.isfinite(last).all()
    assert last[0] < first[0], "the supervised loss"
    _, part = rows_of_groups()
    logits = model.logits(part.held_out)
    # The groups lie four deviations apart.
    assert measures.auc(part.held_out_groups == 0, logits[:, 0] - logits[:, 1:].max(axis=1)) > 0.95


def test_variants_differ_in_what_they_leave_out(trained: Trained) -> None:
    found = {name: SHAPE.ablated(name) for name in variants.NAMES}
    assert found["scarcegan"] == SHAPE
    assert found["no-leeway"].leeway == found["vanilla"].leeway == 0
    assert found["no-bad-generator"].low_density_weight == found["vanilla"].low_density_weight == 0
    assert not found["vanilla"].has_unknown_head
    weights = {model.weights().tobytes() for model, _, _ in trained.values()}
    assert len(weights) == len(variants.NAMES)


def test_how_iterations_are_cut_into_calls_does_not_matter() -> None:
    whole, cut = build(SHAPE), build(SHAPE)
    whole.train(120, 120)
    for count in (1, 49, 3, 67):
        cut.train(count, 120)
    for one, other in zip(whole.variables, cut.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_rows_that_are_not_resident_give_the_same_model(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = build(SHAPE)
    monkeypatch.setattr(loop, "RESIDENT", 0)
    gathered = build(SHAPE)
    assert gathered.rows is None
    for count in (70, 51):
        np.testing.assert_array_equal(resident.train(count, 200), gathered.train(count, 200))
    np.testing.assert_array_equal(resident.weights(), gathered.weights())


def test_mixed_precision_learns_nearly_the_same() -> None:
    whole, mixed = build(SHAPE), build(replace(SHAPE, mixed_precision=True))
    losses_ = [model.train(300, 300)[0] for model in (whole, mixed)]
    assert losses_[0] != losses_[1]
    assert losses_[1] == pytest.approx(losses_[0], rel=0.05)
    assert mixed.averaged.parameters.dtype == tf.float32


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_noise_and_dropout_of_the_input(dropout: float) -> None:
    model = build(Settings(groups=3, features=4, input_noise=0.7, input_dropout=dropout))
    uniform = np.random.default_rng(1).uniform(-1, 1, [50_000, 4]).astype(np.float32)
    rows = np.full([50_000, 4], 5.0, np.float32)
    found = model._blurred(tf.constant(rows), tf.constant(uniform)).numpy()
    kept = found[found != 0]
    assert 1 - kept.size / found.size == pytest.approx(dropout, abs=0.01)
    assert kept.mean() == pytest.approx(5.0, abs=0.02)
    assert kept.std() == pytest.approx(0.7, rel=0.02)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_every_second_row_has_the_faint_noise(dropout: float) -> None:
    shape = Settings(groups=3, features=4, input_noise=0.8, faint_noise=0.25, input_dropout=dropout)
    uniform = np.random.default_rng(1).uniform(-1, 1, [50_000, 4]).astype(np.float32)
    found = build(shape)._blurred(tf.fill([50_000, 4], 5.0), tf.constant(uniform)).numpy()
    for first, expected in ((0, 0.8), (1, 0.2)):
        rows = found[first::2]
        assert rows[rows != 0].std() == pytest.approx(expected, rel=0.02)


def test_terms_of_the_supervised_head() -> None:
    real, fake = (np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32) for seed in (1, 2))
    log_real, log_fake = log_softmax(real, axis=1), log_softmax(fake, axis=1)
    scarce = -np.log1p(-np.exp(log_real[:, 0])).mean()
    assert float(losses.unlabelled_not_scarce(real)) == pytest.approx(scarce, rel=1e-4)
    assert float(losses.generated_unknown(fake)) == pytest.approx(-log_fake[:, -1].mean(), rel=1e-5)
    expected = 0.5 * (-np.log1p(-np.exp(log_real[:, -1])).mean() - log_fake[:, -1].mean())
    assert float(losses.known_or_generated(real, fake)) == pytest.approx(expected, rel=1e-4)


values = st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=5)


@settings(max_examples=100)
@given(values, st.sampled_from(["max", "min"]))
def test_the_epoch_is_the_best_on_average_over_the_folds(folds: list[list[float]], mode: str) -> None:
    definition = Definition("any", "recall", mode, {})
    done = [
        Progress(
            [Best(definition)],
            [{} for _ in fold],
            [[Choice(0.5, {"recall": value, "f1": 0.0}, True)] for value in fold],
        )
        for fold in folds
    ]
    means = np.mean(folds, axis=0)
    best = (max if mode == "max" else min)(means)
    assert means[progress.best_epochs(done)["any"] - 1] == pytest.approx(best)


def test_folds_settle_the_epochs(folded: Chain) -> None:
    table = pd.read_csv(folded.model / "folds.csv")
    listing = json.loads((folded.model / "candidates.json").read_text())
    assert len(table) == 3 * len(listing)
    for entry in listing:
        rows = table[table["candidate"] == entry["name"]]
        assert set(rows["epoch"]) == {entry["epoch"]}
        assert sorted(rows["fold"]) == [0, 1, 2]
    held_out = [
        len(pd.read_csv(folded.preprocessed / "kfold_validation_label" / f"fold_{number}.csv"))
        for number in range(3)
    ]
    assert table.groupby("fold")["rows"].first().tolist() == held_out
    assert "Fold=2; Iteration=80;" in folded.logs["train"]


def test_ablations_are_trained_scored_and_reported(folded: Chain) -> None:
    listing = json.loads((folded.model / "ablations.json").read_text())
    assert [entry["name"] for entry in listing] == list(variants.ABLATIONS)
    found = json.loads((folded.evaluated / "evaluation" / "evaluation.json").read_text())
    assert set(found["ablations"]) == set(variants.ABLATIONS)
    page = (folded.evaluated / "evaluation" / "report.html").read_text()
    for name in variants.ABLATIONS:
        assert name in page
    assert {path.name for path in (folded.evaluated / "candidates").iterdir()} == {
        entry["name"] for entry in json.loads((folded.model / "candidates.json").read_text())
    }


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("variant", "wgan", "hyperparameter variant: 'wgan' is none; it must be scarcegan, vanilla"),
        ("units", "128,", "hyperparameter units: '128,' is no list of layers"),
        ("units", "0", "hyperparameter units: '0' is no list"),
        ("cross_validation", "yes", "hyperparameter cross_validation: 'yes' must be true or false"),
        ("input_dropout", "1", "hyperparameter input_dropout: 1 is out of range"),
    ],
)
def test_a_wrong_hyperparameter_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(InputError) as raised:
        hyperparameters.parse([f"--{name}", value])
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)
