"""The evaluation as one self-contained HTML page: tables, verdicts, and the pictures inlined."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration import Calibration
from evaluation import results
from evaluation.scoring import Scored
from job_toolkit.pages.report import (
    Html,
    bold,
    escape,
    page,
    paragraph,
    picture,
    section,
    side_by_side,
    table,
    tiles,
)

STYLE = """
p.verdict { border-left: 4px solid #0b6e99; background: #f7f6f3; padding: .6rem 1rem }
p.behind { border-color: #d9730d } td { white-space: nowrap }
"""
METRICS = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "average_precision": "average precision",
    "recall_at_1_percent": "recall at 1 % false positives",
    "auc": "AUC",
    "accuracy": "accuracy",
}
TILES = tuple(METRICS)[:5]
FOLD_METRICS = {key: label for key, label in METRICS.items() if key != "accuracy"}
NAMED = {"validation_loss": "validation loss"} | METRICS
CALIBRATION = {"brier": "Brier", "calibration_error": "calibration error"}


@dataclass(frozen=True)
class Report:
    """What the page shows: the table of all models' measures, the models and the truth of the test rows [n],
    folds.csv where there is one, test rows per group, and the number of unlabelled rows."""

    metrics: pd.DataFrame
    models: list[Scored]
    positive: NDArray[np.bool_]
    folds: pd.DataFrame | None
    rows: dict[str, int]
    unlabelled: int
    plots: Path

    @property
    def candidates(self) -> list[Scored]:
        return [model for model in self.models if model.kind == "candidate"]

    @property
    def scarce(self) -> str:
        return next(iter(self.rows))

    def measures(self, name: str) -> pd.Series:
        return self.metrics[self.metrics["name"] == name].iloc[0]

    def picture(self, name: str) -> Html:
        return picture(self.plots / f"{name}.png")


def write(report: Report, path: Path) -> None:
    """Write the page."""
    counts = ", ".join(f"{count:,} {escape(group)}" for group, count in report.rows.items())
    lead = (
        f"Finding the group {bold(report.scarce)} among {len(report.positive):,} test rows that no model has"
        f" seen: {counts}."
    )
    sections = [
        _gate(report),
        _verdict(report, "baseline"),
        _baselines(report),
        section("What the candidates were chosen for", _definitions(report)),
        _ablations(report),
        _folds(report),
        section("Precision and recall", report.picture("precision_recall")),
        _calibration(report),
        _unknown_space(report),
        section("Training", report.picture("loss_curves"), report.picture("entropy")),
        section("Scores", report.picture("scores")),
        _confusion(report),
    ]
    footer = (
        "Labels of the negative groups are weak: some rows counted as false alarms here may be hidden members"
        f" of {report.scarce}."
    )
    content = page("ScarceGAN evaluation", *sections, lead=Html(lead), footer=footer, style=STYLE)
    path.write_text(content, encoding="utf-8")


def _gate(report: Report) -> Html:
    gate = report.candidates[0].name
    row = report.measures(gate)
    text = Html(f"The quality gate looks at {bold(gate)}, the first configured candidate:")
    return Html(paragraph(text) + tiles({METRICS[key]: f"{row[key]:.1%}" for key in TILES}))


def _baselines(report: Report) -> Html:
    positives = int(report.positive.sum())
    text = (
        f"One of {positives:,} scarce rows is {100 / positives:.1f} % of recall. Every model works at its own"
        " decision threshold, chosen on rows that it was not fitted on, never on the test rows; average"
        " precision, recall at 1 % false positives and AUC need no threshold. The baselines are fitted on the"
        " labelled training rows, self-training on unlabelled ones too; their threshold follows the"
        f" definition of {report.candidates[0].name}. The best value of each column is marked."
    )
    shown = report.metrics[report.metrics["kind"] != "ablation"]
    return section("Candidates and baselines", model_table(shown), paragraph(text))


def _ablations(report: Report) -> str:
    ablations = report.metrics[report.metrics["kind"] == "ablation"]
    if ablations.empty:
        return ""
    gate = report.candidates[0].name
    text = (
        "Each ablation is trained on the same rows and with the same settings, but for the part that it is"
        f" named after; of each, this is the model that serves the definition of {gate} best."
    )
    shown = pd.concat([report.metrics[report.metrics["name"] == gate], ablations])
    title = "What each part of the model is worth"
    return section(title, _verdict(report, "ablation"), model_table(shown), paragraph(text))


def _folds(report: Report) -> str:
    if report.folds is None:
        return ""
    text = (
        "Mean and standard deviation over folds of the training and validation rows: each time the model is"
        " trained without one fold and measured on it. The threshold is chosen on that fold too, so recall,"
        " precision and F1 are a little too good; what needs no threshold is not. The candidates are of the"
        " epochs that are best over the folds."
    )
    return section("Folds", fold_table(report.folds), paragraph(text))


def _calibration(report: Report) -> Html:
    text = (
        "Platt scaling, fitted on the validation rows, is part of the exported models: a score is the"
        f" probability of being {report.scarce}, at the share that the labelled rows have. On the dotted"
        " line, scores are what they say. Both measures are of the test rows; lower is better."
    )
    rows = []
    for model in report.candidates:
        fit = Calibration(**model.entry["calibration"])
        before, after = (
            results.calibration_measures(report.positive, scores)
            for scores in (fit.undo(model.scores), model.scores)
        )
        pairs = [f"{part[key]:.4f}" for key in CALIBRATION for part in (before, after)]
        rows.append([model.name, f"{fit.slope:.3f}", f"{fit.intercept:+.3f}", *pairs])
    titles = [f"{name}, {when}" for name in CALIBRATION.values() for when in ("before", "after")]
    measured = table(["candidate", "slope", "intercept", *titles], rows)
    return section("Calibration", report.picture("calibration"), measured, paragraph(text))


def _unknown_space(report: Report) -> Html:
    text = (
        f"How many of {report.unlabelled:,} unlabelled rows each model flags at its threshold: how much work"
        " it makes where nobody knows the truth."
    )
    return section("Unlabelled rows", report.picture("verbosity"), paragraph(text))


def _confusion(report: Report) -> Html:
    pictures = [report.picture(f"confusion_{model.name}") for model in report.candidates]
    return section("Confusion", side_by_side(*pictures))


def _verdict(report: Report, kind: str) -> Html:
    text = results.verdict(report.metrics, report.candidates[0].name, kind)
    behind = " behind" if "does not beat" in text else ""
    return paragraph(f"{text} {results.chance(report.models, report.positive, kind)}", f"verdict{behind}")


def _definitions(report: Report) -> Html:
    has_folds = report.folds is not None
    items = (definition(model, report.measures(model.name), has_folds) for model in report.candidates)
    return Html(f"<ul>{''.join(f'<li>{text}</li>' for text in items)}</ul>")


def definition(model: Scored, measures: Mapping[str, float] | pd.Series, has_folds: bool) -> Html:
    """What a candidate was chosen for, what its epoch has on the validation rows, and, where it is less than
    was asked for, on the test rows, of which `measures` are.

    Where there are folds, the epoch is the best on average over them, and need not be on the validation rows.
    """
    entry = model.entry
    wanted, met = entry["definition"], entry["definition_met"]
    minimums = {key.removeprefix("min_"): value for key, value in wanted.items() if key.startswith("min_")}
    goal = f"{'highest' if wanted['mode'] == 'max' else 'lowest'} {NAMED[wanted['metric']]}"
    asked = " and ".join(f"{NAMED[key]} of at least {value:g}" for key, value in minimums.items())
    which = "the best of all" if met else "the nearest"
    if has_folds:
        which = "the best on average over the folds"
    shown = dict.fromkeys([wanted["metric"], *minimums, "recall", "precision"])
    has = ", ".join(f"{NAMED[key]} {entry['validation'][key]:.3f}" for key in shown)
    missed = " and ".join(
        f"{NAMED[key]} {_below(measures[key], value)}, below the {value:g} that was asked for"
        for key, value in minimums.items()
        if measures[key] < value
    )
    on_test = f" On the test rows it has {missed} on the validation rows." if missed else ""
    return Html(
        f"{bold(model.name)}: {goal}{f', with {asked}' if asked else ''}: "
        f"{'' if met else '<b>not reached</b>; '}epoch {entry['epoch']}, {which}, "
        f"has {has} on the validation rows.{on_test}"
    )


def _below(value: float, minimum: float) -> str:
    """As the tables have it, but with more digits where that would look like the minimum."""
    text = f"{value:.3f}"
    return text if float(text) < minimum else f"{value:.6f}"


def model_table(metrics: pd.DataFrame) -> Html:
    """A row per model, under a line for each kind; the best value of each column is marked."""
    rows: list[list[str] | str] = []
    for kind, part in metrics.groupby("kind", sort=False):
        rows.append(f"{kind}s")
        for row in part.to_dict("records"):
            cells = [
                bold(f"{row[key]:.3f}") if row[key] == metrics[key].max() else f"{row[key]:.3f}"
                for key in METRICS
            ]
            share = f"{100 * row['verbosity']:.2f}"
            rows.append([row["name"], f"{row['threshold']:.3g}", *cells, share])
    return table(["model", "threshold", *METRICS.values(), "unlabelled flagged, %"], rows)


def fold_table(folds: pd.DataFrame) -> Html:
    """Of each candidate: mean and standard deviation over the folds."""
    rows = []
    for name, part in folds.groupby("candidate", sort=False):
        values = part[list(FOLD_METRICS)]
        mean, spread = values.mean(), values.std(ddof=1).fillna(0.0)
        cells = [f"{mean[key]:.3f} ± {spread[key]:.3f}" for key in FOLD_METRICS]
        rows.append([str(name), str(part["fold"].nunique()), *cells])
    return table(["candidate", "folds", *FOLD_METRICS.values()], rows)
