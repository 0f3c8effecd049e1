"""The evaluation as one self-contained HTML page: tables, verdicts, and the pictures inlined."""

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import measures
from evaluation import report_tables, results
from evaluation.scoring import Scored

CSS = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #37352f }
body { max-width: 1040px; margin: 2.5rem auto; padding: 0 1.2rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.4rem }
p.lead { color: #787774; margin-top: 0 }
p.verdict { border-left: 4px solid #0b6e99; background: #f7f6f3; padding: .6rem 1rem }
p.behind { border-color: #d9730d }
.tiles { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.4rem 0 }
.tile { background: #f7f6f3; border-radius: 8px; padding: .8rem 1.2rem; min-width: 8rem }
.tile b { display: block; font-size: 1.6rem } .tile span { color: #787774; font-size: .85rem }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid #e9e9e7; vertical-align: bottom }
td { white-space: nowrap }
th { color: #787774; font-weight: 600; font-size: .85rem }
td:first-child, th:first-child { text-align: left }
tr.kind td { color: #787774; font-size: .85rem; padding-top: .9rem }
tr td.best { font-weight: 700; color: #0b6e99 }
img { max-width: 100% } .row { display: flex; flex-wrap: wrap; gap: 1rem } .row figure { flex: 1 1 420px }
figure { margin: 1rem 0 } figure.narrow { max-width: 760px }
footer { color: #787774; font-size: .85rem; margin-top: 3rem }
"""
TILES = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "average_precision": "average precision",
    "recall_at_1_percent": "recall at 1 % false positives",
}
NAMED = {"validation_loss": "validation loss"} | report_tables.METRICS


@dataclass(frozen=True)
class Report:
    """What the page shows: the table of metrics.csv, the models and the truth of the test rows [n],
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


def write(report: Report, path: Path) -> None:
    """Write the page."""
    sections = [
        _summary(report),
        _baselines(report),
        _ablations(report),
        _folds(report),
        f"<h2>Precision and recall</h2>{_figure(report.plots / 'precision_recall.png')}",
        _calibration(report),
        _unknown_space(report),
        _training(report),
        f"<h2>Scores</h2>{_figure(report.plots / 'scores.png', 'narrow')}",
        _confusion(report),
    ]
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ScarceGAN evaluation</title>
<style>{CSS}</style></head><body>
{"".join(section for section in sections if section)}
<footer>Labels of the negative groups are weak: some rows counted as false alarms here may be hidden members
of {escape(_scarce(report))}.</footer>
</body></html>
""",
        encoding="utf-8",
    )


def _summary(report: Report) -> str:
    gate = report.candidates[0].name
    row = report.metrics[report.metrics["name"] == gate].iloc[0]
    tiles = "".join(
        f'<div class="tile"><b>{row[metric]:.1%}</b><span>{escape(label)}</span></div>'
        for metric, label in TILES.items()
    )
    counts = ", ".join(f"{count:,} {escape(group)}" for group, count in report.rows.items())
    return f"""<h1>ScarceGAN evaluation</h1>
<p class="lead">Finding the group <b>{escape(_scarce(report))}</b> among {len(report.positive):,} test rows
that no model has seen: {counts}.</p>
<p>The quality gate looks at <b>{escape(gate)}</b>, the first configured candidate:</p>
<div class="tiles">{tiles}</div>
"""


def _baselines(report: Report) -> str:
    shown = report.metrics[report.metrics["kind"] != "ablation"]
    positives = int(report.positive.sum())
    return f"""{_verdict(report, "baseline")}
<h2>Candidates beside the baselines</h2>
{report_tables.models(shown)}
<p>One of {positives:,} scarce rows is {100 / positives:.1f} % of recall. Every model works at its own
decision threshold, chosen on rows that it was not fitted on, never on the test rows; average precision,
recall at 1 % false positives and AUC need no threshold. The baselines are fitted on the labelled training
rows, self-training on unlabelled ones too; their threshold follows the definition of
{escape(report.candidates[0].name)}. The best value of each column is marked.</p>
<h2>What the candidates were chosen for</h2>
{_definitions(report)}
"""


def _ablations(report: Report) -> str:
    ablations = report.metrics[report.metrics["kind"] == "ablation"]
    if ablations.empty:
        return ""
    first = report.metrics[report.metrics["name"] == report.candidates[0].name]
    return f"""<h2>What each part of the model is worth</h2>
{_verdict(report, "ablation")}
{report_tables.models(pd.concat([first, ablations]))}
<p>Each ablation is trained on the same rows and with the same settings, but for the part that it is named
after; of each, this is the model that serves the definition of {escape(report.candidates[0].name)} best.</p>
"""


def _folds(report: Report) -> str:
    if report.folds is None:
        return ""
    return f"""<h2>Folds</h2>
{report_tables.folds(report.folds)}
<p>Mean and standard deviation over folds of the training and validation rows: each time the model is trained
without one fold and measured on it. The threshold is chosen on that fold too, so recall, precision and F1 are
a little too good; what needs no threshold is not. The candidates are of the epochs that are best over the
folds.</p>
"""


def _calibration(report: Report) -> str:
    return f"""<h2>Calibration</h2>
{_figure(report.plots / "calibration.png")}
{report_tables.calibration(report.candidates, report.positive)}
<p>Platt scaling, fitted on the validation rows, is part of the exported models: a score is the probability of
being {escape(_scarce(report))}, at the share that the labelled rows have. On the dotted line, scores are true
to their word. Both measures are of the test rows; lower is better.</p>
"""


def _unknown_space(report: Report) -> str:
    return f"""<h2>Unlabelled rows</h2>{_figure(report.plots / "verbosity.png", "narrow")}
<p>How many of {report.unlabelled:,} unlabelled rows each model flags at its threshold: how much work it makes
where nobody knows the truth.</p>
"""


def _training(report: Report) -> str:
    figures = (_figure(report.plots / f"{name}.png", "narrow") for name in ("loss_curves", "entropy"))
    return f"<h2>Training</h2>{''.join(figures)}"


def _confusion(report: Report) -> str:
    figures = (_figure(report.plots / f"confusion_{model.name}.png") for model in report.candidates)
    return f'<h2>Confusion</h2><div class="row">{"".join(figures)}</div>'


def _verdict(report: Report, kind: str) -> str:
    text = results.verdict(report.metrics, report.candidates[0].name, kind)
    behind = " behind" if "does not beat" in text else ""
    text += " " + results.chance(report.models, report.positive, kind)
    return f'<p class="verdict{behind}">{escape(text)}</p>'


def _scarce(report: Report) -> str:
    return next(iter(report.rows))


def _definitions(report: Report) -> str:
    told = (definition(model, report.positive, report.folds is not None) for model in report.candidates)
    return f"<ul>{''.join(f'<li>{text}</li>' for text in told)}</ul>"


def definition(model: Scored, positive: NDArray[np.bool_], has_folds: bool) -> str:
    """What a candidate was chosen for, what its epoch has on the validation rows, and, where it is less than
    was asked for, on the test rows of truth `positive` [n]; as HTML.

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
    return (
        f"<b>{escape(model.name)}</b>: {goal}{f', with {asked}' if asked else ''}: "
        f"{'' if met else '<b>not reached</b>; '}epoch {entry['epoch']}, {which}, "
        f"has {has} on the validation rows.{_missed(model, positive, minimums)}"
    )


def _missed(model: Scored, positive: NDArray[np.bool_], minimums: dict[str, float]) -> str:
    found = measures.at_threshold(positive, model.flagged.astype(float), 0.5)
    missed = [
        f"{NAMED[key]} {_below(found[key], value)}, below the {value:g} that was asked for"
        for key, value in minimums.items()
        if found[key] < value
    ]
    return f" On the test rows it has {' and '.join(missed)} on the validation rows." if missed else ""


def _below(value: float, minimum: float) -> str:
    """As the tables have it, but with more digits where that would look like the minimum."""
    text = f"{value:.3f}"
    return text if float(text) < minimum else f"{value:.6f}"


def _figure(path: Path, style: str = "") -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    title = escape(path.stem.replace("_", " "))
    return f'<figure class="{style}"><img alt="{title}" src="data:image/png;base64,{data}"></figure>'
