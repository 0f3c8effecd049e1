"""The evaluation as one self-contained HTML page: tables, and charts as inline SVG."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics

import classification
from classification import Labels
from job_toolkit import ranking
from job_toolkit.pages import charts
from job_toolkit.pages.charts import Axis, Line
from job_toolkit.pages.report import Html, figure, page, paragraph, section, side_by_side, table, tiles
from job_toolkit.ranking import Bools, Floats

SHOWN = {"auc": "AUC", "average_precision": "average precision", "f1": "F1"}


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


def plots(report: Report) -> dict[str, Html]:
    """The pictures by name, as SVG."""
    return {
        "precision_recall": _precision_recall(report),
        "roc": _roc(report),
        "calibration": _calibration(report),
        "training": _training(report),
        "importance": charts.bars(report.document["importance"]),
    }


def write(report: Report, pictures: dict[str, Html], path: Path) -> None:
    """Write the page with the pictures that `plots` gives."""
    model = report.models[0]
    values = classification.at_threshold(report.labels, model.decisions, model.scores)
    shown = {name: figure(svg) for name, svg in pictures.items()}
    text = page(
        "Purchase intention: evaluation",
        tiles({label: f"{values[name]:.1%}" for name, label in SHOWN.items()}),
        section("The model and its baselines", _table(report)),
        paragraph(
            "Each model decides at its own threshold, chosen on the validation sessions, never on the test "
            "sessions."
        ),
        side_by_side(
            section("Precision and recall", shown["precision_recall"]),
            section("ROC", shown["roc"]),
            section("Are the probabilities true?", shown["calibration"]),
            section("Training", shown["training"]),
            section("Share of the gain", shown["importance"]),
            section("Confusion", _confusion(report)),
        ),
        lead=f"{len(report.labels):,} test sessions that no model has seen, {report.labels.mean():.1%} of "
        f"them with a purchase. {model.name} has {report.document['best_iteration']} trees.",
    )
    path.write_text(text, encoding="utf-8")


def _table(report: Report) -> Html:
    measured = {
        model.name: {"threshold": model.threshold}
        | classification.at_threshold(report.labels, model.decisions, model.scores)
        for model in report.models
    }
    head = ["model", *(name.replace("_", " ") for name in measured[report.models[0].name])]
    rows = ([name, *(f"{value:.3f}" for value in values.values())] for name, values in measured.items())
    return table(head, rows)


def _precision_recall(report: Report) -> Html:
    model = report.models[0]
    values = classification.at_threshold(report.labels, model.decisions, model.scores)
    curves = [
        Line(model.name, *_recall_precision(report.labels, model.scores), dashed=number > 0)
        for number, model in enumerate(report.ranking)
    ]
    share = report.labels.mean()
    curves.append(Line("at random", [0, 1], [share, share], dashed=True))
    return charts.lines(curves, Axis("recall"), Axis("precision"), (values["recall"], values["precision"]))


def _roc(report: Report) -> Html:
    curves = [
        Line(model.name, *ranking.roc_curve(report.labels == 1, model.scores), dashed=number > 0)
        for number, model in enumerate(report.ranking)
    ]
    curves.append(Line("at random", [0, 1], [0, 1], dashed=True))
    return charts.lines(curves, Axis("false positive rate"), Axis("true positive rate"))


def _calibration(report: Report) -> Html:
    scores, shares = classification.calibration(report.labels, report.models[0].scores)
    curves = [
        Line(report.models[0].name, scores, shares, dots=True),
        Line("perfect", [0, 1], [0, 1], dashed=True),
    ]
    return charts.lines(curves, Axis("mean probability of a group"), Axis("share of purchases"))


def _training(report: Report) -> Html:
    history = report.history
    losses = {"training": history["train_log_loss"], "validation": history["validation_log_loss"]}
    best = report.document["best_iteration"] - 1
    return charts.training("trees", "log loss", history["iteration"], losses, best)


def _recall_precision(labels: Labels, scores: Floats) -> tuple[Floats, Floats]:
    precisions, recalls = ranking.precision_recall_curve(labels == 1, scores)
    return recalls, precisions


def _confusion(report: Report) -> Html:
    counts = metrics.confusion_matrix(report.labels, report.models[0].decisions, labels=[0, 1])
    rows = (
        [name, *(f"{count:,}" for count in line)]
        for name, line in zip(("no purchase", "purchase"), counts, strict=True)
    )
    return table(["actual", "predicted: no purchase", "predicted: purchase"], rows)
