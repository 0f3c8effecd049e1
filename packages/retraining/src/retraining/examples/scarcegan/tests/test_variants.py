"""The ablations, and what else of the training the folds decide."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import Chain

from candidates import Choice, Definition
from job_toolkit import ranking
from model import loop, training, variants
from model.loop import Loop
from model.training import Best, Progress
from model.training_data import Part
from model.variants import Settings

SHAPE = Settings(groups=3, features=4, batch_size=24, units=(16, 8), generator_units=(8,), noise_dim=6)
Trained = dict[str, tuple[Loop, list[np.ndarray]]]


def rows_of_groups() -> tuple[list[np.ndarray], Part]:
    """Three groups that differ in one feature each; unlabelled rows, few of which are scarce."""
    rng = np.random.default_rng(1)
    rows = [(rng.normal(size=(40, 4)) + centre).astype(np.float32) for centre in 4 * np.eye(3, 4)]
    part = Part(rows, np.concatenate(rows), np.repeat(np.arange(3), 40))
    return [rows[0][:2], *rows[1:]], part


def build(shape: Settings) -> Loop:
    unlabelled, part = rows_of_groups()
    return training.build(shape, part, np.concatenate(unlabelled))


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Of each variant the model, and the metrics of its first 50, next 500 and last 50 iterations."""
    return {name: learn(SHAPE.ablated(name)) for name in variants.NAMES}


def learn(shape: Settings) -> tuple[Loop, list[np.ndarray]]:
    model = build(shape)
    return model, [model.train(count, 600) for count in (50, 500, 50)]


@pytest.mark.parametrize("variant", variants.NAMES)
def test_every_variant_learns(variant: str, trained: Trained) -> None:
    model, (first, _, last) = trained[variant]
    assert np.isfinite(last).all()
    assert last[0] < first[0], "the supervised loss"
    _, part = rows_of_groups()
    logits = model.logits(part.held_out)
    # The groups are four deviations apart.
    assert ranking.auc(part.held_out_groups == 0, logits[:, 0] - logits[:, 1:].max(axis=1)) > 0.95


def test_variants_differ_in_what_they_leave_out(trained: Trained) -> None:
    shapes = {name: SHAPE.ablated(name) for name in variants.NAMES}
    assert shapes["scarcegan"] == SHAPE
    assert shapes["no-leeway"].leeway == shapes["vanilla"].leeway == 0
    assert shapes["no-bad-generator"].low_density_weight == shapes["vanilla"].low_density_weight == 0
    assert not shapes["vanilla"].has_unknown_head
    weights = {model.weights().tobytes() for model, _ in trained.values()}
    assert len(weights) == len(variants.NAMES)


def test_neither_calls_nor_where_the_rows_are_change_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterations cut into other calls; rows that do not stay on the device but are gathered on the host."""

    def after(model: Loop, *counts: int) -> list[np.ndarray]:
        for count in counts:
            model.train(count, 120)
        return [variable.numpy() for variable in model.variables]

    resident = build(SHAPE)
    fresh = [variable.numpy() for variable in resident.variables]
    whole = after(resident, 120)
    for variable, value in zip(resident.variables, fresh, strict=True):
        variable.assign(value)
    cut = after(resident, 1, 49, 3, 67)
    monkeypatch.setattr(loop, "RESIDENT", 0)
    gathered = build(SHAPE)
    assert gathered.rows is None
    for one, *others in zip(whole, cut, after(gathered, 70, 50), strict=True):
        for other in others:
            np.testing.assert_array_equal(one, other)


def test_mixed_precision_learns_nearly_the_same(trained: Trained) -> None:
    mixed, parts = learn(replace(SHAPE, mixed_precision=True))
    exact, rounded = (
        np.average([part[0] for part in own], weights=(50, 500, 50))
        for own in (trained["scarcegan"][1], parts)
    )
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.05)
    assert mixed.averaged.parameters.dtype == tf.float32


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("faint", [1.0, 0.25])
def test_noise_and_dropout_of_the_input(dropout: float, faint: float) -> None:
    """`faint` is the share of the noise that every second row has."""
    model = build(replace(SHAPE, input_noise=0.8, faint_noise=faint, input_dropout=dropout))
    uniform = np.random.default_rng(1).uniform(-1, 1, [100_000, 4]).astype(np.float32)
    noisy = model._blurred(tf.fill([100_000, 4], 5.0), tf.constant(uniform)).numpy()
    for first, deviation in ((0, 0.8), (1, 0.8 * faint)):
        rows = noisy[first::2]
        kept = rows[rows != 0]
        assert 1 - kept.size / rows.size == pytest.approx(dropout, abs=0.01)
        assert kept.mean() == pytest.approx(5.0, abs=0.02)
        assert kept.std() == pytest.approx(deviation, rel=0.02)


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
    assert means[training.best_epochs(done)["any"] - 1] == pytest.approx(best)


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
    assert "Fold=2; Iteration=80;" in folded.log("train")


def test_every_ablation_is_trained(folded: Chain) -> None:
    listing = json.loads((folded.model / "ablations.json").read_text())
    assert [entry["name"] for entry in listing] == list(variants.ABLATIONS)
    for name in variants.ABLATIONS:
        assert f"Variant={name}; Iteration=80;" in folded.log("train")
