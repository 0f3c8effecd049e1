"""The tables of the report, as HTML."""

from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration import Calibration
from evaluation import reliability
from evaluation.scoring import Scored

METRICS = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "average_precision": "average precision",
    "recall_at_1_percent": "recall at 1 % false positives",
    "auc": "AUC",
    "accuracy": "accuracy",
}
PLURALS = {"candidate": "candidates", "ablation": "ablations", "baseline": "baselines"}
FOLD_METRICS = {key: label for key, label in METRICS.items() if key != "accuracy"}


def models(metrics: pd.DataFrame) -> str:
    """A row per model, under a line for each kind; the best value of each column is marked."""
    best = {metric: metrics[metric].max() for metric in METRICS}
    rows, kind = [], ""
    for row in metrics.to_dict("records"):
        name = escape(row["name"])
        cells = [
            f"<td{' class=best' if row[metric] == best[metric] else ''}>{row[metric]:.3f}</td>"
            for metric in METRICS
        ]
        share = f"<td>{100 * row['verbosity']:.2f}</td>"
        threshold = f"<td>{row['threshold']:.3g}</td>"
        if row["kind"] != kind:
            kind = row["kind"]
            rows.append(f'<tr class="kind"><td colspan="{3 + len(METRICS)}">{PLURALS[kind]}</td></tr>')
        rows.append(f'<tr class="{kind}"><td>{name}</td>{threshold}{"".join(cells)}{share}</tr>')
    return _table(["model", "threshold", *METRICS.values(), "unlabelled flagged, %"], rows)


def calibration(scored: list[Scored], positive: NDArray[np.bool_]) -> str:
    """Of each candidate: the fit, and Brier score and calibration error on the test rows before and after."""
    rows = []
    for model in scored:
        fit = Calibration(**model.entry["calibration"])
        before = fit.undo(model.scores)
        cells = [f"{fit.slope:.3f}", f"{fit.intercept:+.3f}"]
        for measure in (reliability.brier, reliability.calibration_error):
            cells += [f"{measure(positive, scores):.4f}" for scores in (before, model.scores)]
        rows.append(_row(model.name, cells))
    pairs = [f"{name}, {when}" for name in ("Brier", "calibration error") for when in ("before", "after")]
    return _table(["candidate", "slope", "intercept", *pairs], rows)


def folds(table: pd.DataFrame) -> str:
    """Of each candidate: mean and standard deviation over the folds."""
    rows = []
    for name, part in table.groupby("candidate", sort=False):
        spread = part[list(FOLD_METRICS)].std(ddof=1).fillna(0.0)
        cells = [f"{part[metric].mean():.3f} ± {spread[metric]:.3f}" for metric in FOLD_METRICS]
        rows.append(_row(str(name), [str(part["fold"].nunique()), *cells]))
    return _table(["candidate", "folds", *FOLD_METRICS.values()], rows)


def _row(name: str, cells: list[str]) -> str:
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _table(head: list[str], rows: list[str]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
