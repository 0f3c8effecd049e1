import dataclasses
import json
import re
import shutil
from pathlib import Path

import exported
import numpy as np
import pandas as pd
import pytest
from jobs import Chain

import candidates
import evaluate
import scaler
from evaluation import artifact, report, report_tables, results
from evaluation.scoring import Scored
from failure import InputError

ABLATIONS = ["vanilla", "no-leeway", "no-bad-generator", "adversarial-autoencoder"]


def metrics(**rates: tuple[str, float, float]) -> pd.DataFrame:
    """A row per model, name=(kind, average precision, recall at 1 % false positives)."""
    return pd.DataFrame(
        {"kind": kind, "name": name, "average_precision": area, "recall_at_1_percent": recall}
        for name, (kind, area, recall) in rates.items()
    )


MODEL = ("candidate", 0.8, 0.7)


@pytest.mark.parametrize(
    ("rivals", "expected"),
    [
        (
            {"a": ("baseline", 0.5, 0.6), "b": ("baseline", 0.75, 0.4), "c": ("ablation", 0.9, 0.9)},
            "gate beats every baseline: its average precision is 0.800 against 0.750 of b and its recall at "
            "1 % false positives is 0.700 against 0.600 of a, the best of them.",
        ),
        (
            {"a": ("baseline", 0.5, 0.7), "b": ("baseline", 0.9, 0.4)},
            "gate does not beat every baseline: its average precision is 0.800 against 0.900 of b and its "
            "recall at 1 % false positives is 0.700 against 0.700 of a.",
        ),
        (
            {"a": ("baseline", 0.9, 0.6)},
            "gate does not beat every baseline: its average precision is 0.800 against 0.900 of a. It is "
            "ahead of all in one measure: its recall at 1 % false positives is 0.700 against 0.600 of a.",
        ),
    ],
)
def test_the_verdict_says_plainly_who_is_ahead(
    rivals: dict[str, tuple[str, float, float]], expected: str
) -> None:
    assert results.verdict(metrics(gate=MODEL, **rivals), "gate", "baseline") == expected


def test_the_report_says_what_the_metrics_say(chain: Chain) -> None:
    page = (chain.evaluated / "evaluation" / "report.html").read_text()
    table = pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv")
    text = results.verdict(table, "best-recall", "baseline")
    assert text in page
    found = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())
    assert found["verdict"] == {"baselines": text}
    rates = table.set_index("name")["average_precision"]
    rivals = rates[["logistic-regression", "gradient-boosting", "self-training"]]
    if rates["best-recall"] <= rivals.max():
        assert text.startswith("best-recall does not beat every baseline")
        assert f"{rates['best-recall']:.3f} against {rivals.max():.3f} of {rivals.idxmax()}" in text


def test_how_far_a_lead_is_chance_is_said_too() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(2000) < 0.05
    scores = {name: positive * lift + rng.normal(size=2000) for name, lift in (("a", 3.0), ("b", 1.0))}
    models = [
        Scored("candidate", "gate", 0.5, scores["a"], positive, 0.0),
        Scored("baseline", "b", 0.5, scores["b"], positive, 0.0),
        Scored("baseline", "worse", 0.5, rng.normal(size=2000), positive, 0.0),
        Scored("ablation", "twin", 0.5, scores["a"] + rng.normal(0, 0.1, 2000), positive, 0.0),
    ]
    text = results.chance(models, positive, "baseline")
    assert re.search(
        r"to b has a 95 % interval of \+0\.\d{3} to \+0\.\d{3}, .*it is more than chance\.$", text
    )
    text = results.chance(models, positive, "ablation")
    assert re.search(r"to twin has a 95 % interval of -0\.\d{3} to \+0\.\d{3}, .*within chance\.$", text)


def test_a_row_of_the_table_judges_the_models_own_decisions() -> None:
    positive = np.arange(10) < 4
    scores = np.linspace(0.9, 0.1, 10)
    model = Scored("candidate", "only", 0.99, scores, flagged=np.arange(10) < 5, verbosity=0.25)
    (row,) = results.table([model], positive).to_dict("records")
    assert row["recall"] == 1.0
    assert row["precision"] == 0.8
    assert row["average_precision"] == row["recall_at_1_percent"] == row["auc"] == 1.0
    assert row["brier"] == pytest.approx(((scores - positive) ** 2).mean())
    assert (row["verbosity"], row["threshold"], row["flagged"]) == (0.25, 0.99, 5)


@pytest.fixture(scope="module")
def compared(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of an evaluation whose model artifact has ablations and folds."""
    model = tmp_path_factory.mktemp("model") / "model"
    shutil.copytree(chain.model, model)
    scale = scaler.load(model / "candidates" / "best-recall" / "scaler.json")
    rows = pd.read_csv(chain.preprocessed / "test" / "data.csv").iloc[:, 1:].to_numpy()
    exported.save(model, "ablations", ABLATIONS, scale, rows)
    rng = np.random.default_rng(0)
    pd.DataFrame(
        [
            {"fold": fold, "candidate": entry["name"]}
            | dict.fromkeys(artifact.FOLDS[2:-3], round(rng.random(), 6))
            | {"threshold": 0.5, "rows": 100, "positives": 9}
            for fold in range(3)
            for entry in artifact.candidates(model)
        ]
    ).to_csv(model / "folds.csv", index=False)
    out = tmp_path_factory.mktemp("compared")
    evaluate.evaluate(chain.root / "evaluate" / "input", model, out)
    shutil.copyfile(model / "folds.csv", out / "folds.csv")
    return out


def test_ablations_are_compared_and_not_packed(compared: Path, chain: Chain) -> None:
    table = pd.read_csv(compared / "evaluation" / "metrics.csv")
    assert list(table["kind"]) == ["candidate"] * 4 + ["ablation"] * 4 + ["baseline"] * 3
    found = json.loads((compared / "evaluation" / "evaluation.json").read_text())
    assert list(found["ablations"]) == ABLATIONS
    for row in table[table["kind"] == "ablation"].to_dict("records"):
        for key, value in found["ablations"][row["name"]].items():
            assert value == pytest.approx(row[key]), key
    packed = {path.name for path in (compared / "candidates").iterdir()}
    assert packed == {entry["name"] for entry in artifact.candidates(chain.model)}
    assert not list((compared / "evaluation" / "model_quality").glob("vanilla*"))
    before = pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv")
    rest = table[table["kind"] != "ablation"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, before)


def test_the_report_has_the_ablations_and_the_folds(compared: Path, chain: Chain) -> None:
    page = (compared / "evaluation" / "report.html").read_text()
    table = pd.read_csv(compared / "evaluation" / "metrics.csv")
    assert results.verdict(table, "best-recall", "ablation") in page
    for name in ABLATIONS:
        assert f"<td>{name}</td>" in page
    folds = pd.read_csv(compared / "folds.csv")
    for name, part in folds.groupby("candidate"):
        told = f"<td>{name}</td><td>3</td><td>{part['recall'].mean():.3f} ± {part['recall'].std():.3f}</td>"
        assert told in page
    without = (chain.evaluated / "evaluation" / "report.html").read_text()
    assert "Folds</h2>" not in without
    assert "vanilla" not in without


def chosen(hits: int = 6, **entry: object) -> Scored:
    """A candidate whose epoch has precision 0.6 on the validation rows, and hits / 10 on the test rows."""
    found = dict.fromkeys(candidates.METRICS, 0.5) | {"recall": 0.9, "precision": 0.6, "f1": 0.72}
    definition = {"metric": "recall", "mode": "max", "min_precision": 0.55}
    settled = {"definition": definition, "definition_met": True, "epoch": 20, "validation": found}
    flagged = np.arange(len(POSITIVE)) < 10
    rows = np.roll(flagged, hits - 10)
    return Scored("candidate", "one", 0.5, rows.astype(float), rows, 0.0, entry=settled | entry)


POSITIVE = np.arange(40) < 10
LOSS = {"metric": "validation_loss", "mode": "min"}


def test_an_epoch_is_best_on_the_folds_where_there_are_folds_and_on_the_validation_rows_elsewhere() -> None:
    goal = "highest recall, with precision of at least 0.55: "
    has = "has recall 0.900, precision 0.600 on the validation rows"
    told = report.definition(chosen(), POSITIVE, has_folds=True)
    assert told == f"<b>one</b>: {goal}epoch 20, the best on average over the folds, {has}."
    told = report.definition(chosen(), POSITIVE, has_folds=False)
    assert told == f"<b>one</b>: {goal}epoch 20, the best of all, {has}."
    told = report.definition(chosen(definition=LOSS), POSITIVE, has_folds=True)
    assert told.startswith("<b>one</b>: lowest validation loss: epoch 20, the best on average over the folds")
    assert "has validation loss 0.500, recall 0.900, precision 0.600 on the validation rows." in told


def test_a_definition_that_nothing_meets_is_told() -> None:
    missed = chosen(definition_met=False)
    told = report.definition(missed, POSITIVE, has_folds=False)
    assert ": <b>not reached</b>; epoch 20, the nearest, has recall 0.900, precision 0.600 on the" in told
    told = report.definition(missed, POSITIVE, has_folds=True)
    assert ": <b>not reached</b>; epoch 20, the best on average over the folds, has recall 0.900" in told


def test_a_minimum_that_the_test_rows_do_not_hold_is_told() -> None:
    told = report.definition(chosen(hits=5), POSITIVE, has_folds=False)
    assert told.endswith(
        "on the validation rows. On the test rows it has precision 0.500, below the 0.55 that was asked for "
        "on the validation rows."
    )
    assert "test rows" not in report.definition(chosen(hits=6), POSITIVE, has_folds=False)
    assert "test rows" not in report.definition(chosen(5, definition=LOSS), POSITIVE, has_folds=False)
    near = chosen(definition={"metric": "recall", "mode": "max", "min_precision": 0.667})
    near = dataclasses.replace(near, flagged=np.isin(np.arange(40), [8, 9, 10]))
    assert "precision 0.666667, below the 0.667 that" in report.definition(near, POSITIVE, has_folds=False)


def test_the_report_says_what_the_listing_and_the_history_say(compared: Path, chain: Chain) -> None:
    history = pd.read_csv(compared / "evaluation" / "history.csv").set_index("epoch")["validation_loss"]
    entry = next(one for one in artifact.candidates(chain.model) if one["name"] == "lowest-loss")
    assert history.idxmin() == entry["epoch"]
    has = f"has validation loss {history.min():.3f}, recall {entry['validation']['recall']:.3f}, precision"
    page = (chain.evaluated / "evaluation" / "report.html").read_text()
    assert f"epoch {entry['epoch']}, the best of all, {has}" in page
    assert "over the folds" not in page
    page = (compared / "evaluation" / "report.html").read_text()
    assert f"epoch {entry['epoch']}, the best on average over the folds, {has}" in page
    assert "the best of all" not in page
    assert "not reached" not in page


def test_one_fold_has_no_spread() -> None:
    table = pd.DataFrame([dict.fromkeys(artifact.FOLDS, 0.5) | {"candidate": "only", "fold": 0}])
    assert "0.500 ± 0.000" in report_tables.folds(table)


def test_names_are_text_in_the_page() -> None:
    model = Scored("baseline", "<b>", 0.5, np.array([0.4, 0.6]), np.array([False, True]), 0.0)
    page = report_tables.models(results.table([model], np.array([False, True])))
    assert "<td>&lt;b&gt;</td>" in page
    assert not re.search(r"<b>", page)


def test_without_scarce_test_rows_there_is_nothing_to_measure(chain: Chain, tmp_path: Path) -> None:
    source = tmp_path / "input"
    shutil.copytree(chain.root / "evaluate" / "input", source)
    label = source / "test" / "label.csv"
    label.write_text(label.read_text().replace(",risky", ",heavy"))
    with pytest.raises(InputError, match=r"input test: needs 1 row\(s\) of 'risky' and of the other groups"):
        evaluate.evaluate(source, chain.model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
