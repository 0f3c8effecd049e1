"""The evaluation as one self-contained HTML page: tables, and charts as inline SVG."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics

import charts
import measures
from charts import Axis, Line
from measures import Bools, Floats, Labels

CSS = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #37352f; max-width: 1000px; margin: 2.5rem auto }
body { padding: 0 1.2rem } h1 { font-size: 1.7rem; margin-bottom: .2rem } p.lead { color: #787774; margin: 0 }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem } .row { display: flex; flex-wrap: wrap; gap: 0 2rem }
.tiles { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.4rem 0 }
.tile { background: #f7f6f3; border-radius: 8px; padding: .8rem 1.2rem; min-width: 8rem }
.tile b { display: block; font-size: 1.6rem } .tile span { color: #787774; font-size: .85rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .4rem .8rem; border-bottom: 1px solid #e9e9e7 }
th { color: #787774; font-weight: 600; font-size: .85rem } td:first-child, th:first-child { text-align: left }
figure { margin: .6rem 0 } svg { max-width: 100%; font: 11px system-ui, sans-serif; fill: #37352f }
figcaption span { margin-right: 1rem; color: #787774; font-size: .85rem }
figcaption i { display: inline-block; width: .8rem; height: .2rem; margin-right: .4rem }
figcaption i { vertical-align: middle }
"""


@dataclass(frozen=True)
class Scored:
    """A model on the test rows [n]."""

    name: str
    threshold: float
    scores: Floats
    decisions: Bools


@dataclass(frozen=True)
class Report:
    """What the page shows: labels [n], the models (the registered one first), model.json, history.csv."""

    labels: Labels
    models: list[Scored]
    document: dict[str, Any]
    history: pd.DataFrame

    @property
    def ranking(self) -> list[Scored]:
        """The models that tell rows apart: a constant has no curve."""
        return [model for model in self.models if np.ptp(model.scores) > 0]


def write(report: Report, path: Path) -> None:
    """Write the page."""
    model = report.models[0]
    values = measures.at_threshold(report.labels, model.decisions, model.scores)
    tiles = "".join(
        f'<div class="tile"><b>{values[key]:.1%}</b><span>{name}</span></div>'
        for key, name in (("auc", "AUC"), ("average_precision", "average precision"), ("f1", "F1"))
    )
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Purchase intention: evaluation</title>
<style>{CSS}</style></head><body>
<h1>Purchase intention: evaluation</h1>
<p class="lead">{len(report.labels):,} test sessions that no model has seen, {report.labels.mean():.1%} of
them with a purchase. {escape(model.name)} has {report.document["best_iteration"]} trees.</p>
<div class="tiles">{tiles}</div>
<h2>Beside the baselines</h2>{_table(report)}
<p>Each model decides at its own threshold, chosen on the validation sessions, never on the test sessions.</p>
<div class="row"><div><h2>Precision and recall</h2>{_precision_recall(report, values)}</div>
<div><h2>ROC</h2>{_roc(report)}</div>
<div><h2>Are the probabilities true?</h2>{_calibration(report)}</div>
<div><h2>Training</h2>{_training(report)}</div>
<div><h2>Share of the gain</h2>{charts.bars(report.document["importance"])}</div>
<div><h2>Confusion</h2>{_confusion(report)}</div></div>
</body></html>
""",
        encoding="utf-8",
    )


def _table(report: Report) -> str:
    lines = []
    for model in report.models:
        values = measures.at_threshold(report.labels, model.decisions, model.scores)
        head = ["model", "threshold", *(name.replace("_", " ") for name in values)]
        cells = "".join(f"<td>{value:.3f}</td>" for value in (model.threshold, *values.values()))
        lines.append(f"<tr><td>{escape(model.name)}</td>{cells}</tr>")
    titles = "".join(f"<th>{name}</th>" for name in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _precision_recall(report: Report, values: dict[str, float]) -> str:
    curves = [
        Line(model.name, *measures.precision_recall_curve(report.labels, model.scores), dashed=number > 0)
        for number, model in enumerate(report.ranking)
    ]
    share = report.labels.mean()
    curves.append(Line("at random", [0, 1], [share, share], dashed=True))
    return charts.lines(curves, Axis("recall"), Axis("precision"), (values["recall"], values["precision"]))


def _roc(report: Report) -> str:
    curves = [
        Line(model.name, *measures.roc_curve(report.labels, model.scores), dashed=number > 0)
        for number, model in enumerate(report.ranking)
    ]
    curves.append(Line("at random", [0, 1], [0, 1], dashed=True))
    return charts.lines(curves, Axis("false positive rate"), Axis("true positive rate"))


def _calibration(report: Report) -> str:
    scores, shares = measures.calibration(report.labels, report.models[0].scores)
    curves = [
        Line(report.models[0].name, scores, shares, dots=True),
        Line("perfect", [0, 1], [0, 1], dashed=True),
    ]
    return charts.lines(curves, Axis("mean probability of a group"), Axis("share of purchases"))


def _training(report: Report) -> str:
    history = report.history
    losses = history[["train_log_loss", "validation_log_loss"]].to_numpy()
    x = Axis("trees", 0, float(history["iteration"].max()))
    y = Axis("log loss", float(losses.min()), float(losses.max()))
    curves = [
        Line("training", history["iteration"], history["train_log_loss"]),
        Line("validation", history["iteration"], history["validation_log_loss"]),
    ]
    best = report.document["best_iteration"]
    return charts.lines(curves, x, y, (best, history["validation_log_loss"].iloc[best - 1]))


def _confusion(report: Report) -> str:
    counts = metrics.confusion_matrix(report.labels, report.models[0].decisions, labels=[0, 1])
    rows = "".join(
        f"<tr><td>{name}</td><td>{line[0]:,}</td><td>{line[1]:,}</td></tr>"
        for name, line in zip(("no purchase", "purchase"), counts, strict=True)
    )
    head = "<tr><th>actual</th><th>predicted: no purchase</th><th>predicted: purchase</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
