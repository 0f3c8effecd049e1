"""The evaluation as one self-contained HTML page: the table of models, and the pictures inlined."""

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

CSS = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #37352f }
body { max-width: 1040px; margin: 2.5rem auto; padding: 0 1.2rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.4rem }
p.lead { color: #787774; margin-top: 0 }
.tiles { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.4rem 0 }
.tile { background: #f7f6f3; border-radius: 8px; padding: .8rem 1.2rem; min-width: 8rem }
.tile b { display: block; font-size: 1.6rem } .tile span { color: #787774; font-size: .85rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid #e9e9e7 }
th { color: #787774; font-weight: 600; font-size: .85rem } td:first-child, th:first-child { text-align: left }
tr.baseline td { color: #787774 } td.best { font-weight: 700; color: #0b6e99 }
img { max-width: 100% } .row { display: flex; flex-wrap: wrap; gap: 1rem } .row figure { flex: 1 1 420px }
figure { margin: 1rem 0 } footer { color: #787774; font-size: .85rem; margin-top: 3rem }
"""
METRICS = ("recall", "precision", "f1", "average_precision", "auc", "accuracy")


@dataclass(frozen=True)
class Report:
    """What the page shows: the table of metrics.csv, definitions by candidate, test rows per group."""

    metrics: pd.DataFrame
    definitions: dict[str, dict[str, Any]]
    gate_candidate: str
    rows: dict[str, int]
    plots: Path


def write(report: Report, path: Path) -> None:
    """Write the page."""
    scarce = next(iter(report.rows))
    gate = report.metrics.loc[report.metrics["name"] == report.gate_candidate].iloc[0]
    tiles = "".join(
        f'<div class="tile"><b>{gate[metric]:.1%}</b><span>{escape(label)}</span></div>'
        for metric, label in (("recall", "recall"), ("precision", "precision"), ("f1", "F1"))
    )
    counts = ", ".join(f"{count:,} {escape(group)}" for group, count in report.rows.items())
    confusions = "".join(_figure(file) for file in sorted(report.plots.glob("confusion_*.png")))
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ScarceGAN evaluation</title>
<style>{CSS}</style></head><body>
<h1>ScarceGAN evaluation</h1>
<p class="lead">Finding the group <b>{escape(scarce)}</b> among {sum(report.rows.values()):,} test rows
that no model has seen: {counts}.</p>
<p>The quality gate looks at <b>{escape(report.gate_candidate)}</b>, the first configured candidate:</p>
<div class="tiles">{tiles}</div>
<h2>Candidates beside the baselines</h2>
{_table(report.metrics)}
<p>Every row works at its own decision threshold, chosen on rows that its model was not fitted on, never on
the test rows. The baselines are fitted on the labelled training rows alone; their threshold follows the
definition of {escape(report.gate_candidate)}. The best value of each column is marked.</p>
<h2>What the candidates were chosen for</h2>
{_definitions(report.definitions)}
<h2>Precision and recall</h2>{_figure(report.plots / "precision_recall.png")}
<h2>Training</h2>{_figure(report.plots / "loss_curves.png")}
<h2>Scores</h2>{_figure(report.plots / "scores.png")}
<h2>Confusion</h2><div class="row">{confusions}</div>
<footer>Labels of the negative groups are weak: some rows counted as false alarms here may be hidden members
of {escape(scarce)}.</footer>
</body></html>
""",
        encoding="utf-8",
    )


def _table(metrics: pd.DataFrame) -> str:
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in ("model", "threshold", *METRICS))
    best = {metric: metrics[metric].max() for metric in METRICS}
    lines = []
    for row in metrics.to_dict("records"):
        cells = "".join(
            f"<td{' class=best' if row[metric] == best[metric] else ''}>{row[metric]:.3f}</td>"
            for metric in METRICS
        )
        name = escape(row["name"]) + (" (baseline)" if row["kind"] == "baseline" else "")
        lines.append(f'<tr class="{row["kind"]}"><td>{name}</td><td>{row["threshold"]:.3g}</td>{cells}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _definitions(definitions: dict[str, dict[str, Any]]) -> str:
    return (
        "<ul>"
        + "".join(f"<li><b>{escape(n)}</b>: {escape(_sentence(d))}</li>" for n, d in definitions.items())
        + "</ul>"
    )


def _sentence(definition: dict[str, Any]) -> str:
    goal = (
        f"{'highest' if definition['mode'] == 'max' else 'lowest'} {definition['metric'].replace('_', ' ')}"
    )
    minimums = [
        f"{key.removeprefix('min_')} of at least {value:g}"
        for key, value in definition.items()
        if key.startswith("min_")
    ]
    return f"{goal} on the validation rows" + (f", with {' and '.join(minimums)}" if minimums else "")


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    title = escape(path.stem.replace("_", " "))
    return f'<figure><img alt="{title}" src="data:image/png;base64,{data}"></figure>'
