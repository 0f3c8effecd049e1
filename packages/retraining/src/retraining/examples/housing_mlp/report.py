"""The evaluation as one self-contained HTML page: the model beside its baselines, and where it errs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import charts

CSS = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #37352f }
body { max-width: 1040px; margin: 2.5rem auto; padding: 0 1.2rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.4rem }
p.lead, footer { color: #787774 } p.lead { margin-top: 0 } footer { font-size: .85rem; margin-top: 3rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid #e9e9e7 }
th { color: #787774; font-size: .85rem } td:first-child, th:first-child { text-align: left }
tr.baseline td { color: #787774 } svg { width: 100%; height: auto }
.row { display: flex; flex-wrap: wrap; gap: 1rem }
figure { flex: 1 1 400px; max-width: 500px; margin: 1rem 0 }
"""
MODEL = "model"
MEASURES = ("rmse", "mae", "r2", "mape")


def write(
    actual: NDArray[np.float64],
    predicted: NDArray[np.float64],
    table: dict[str, dict[str, float]],
    deviations: dict[str, float],
    path: Path,
) -> None:
    """Write the page; `table` holds the measures of MODEL and of each baseline by name."""
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>House prices: evaluation</title>
<style>{CSS}</style></head><body>
<h1>House prices: evaluation</h1>
<p class="lead">{len(actual):,} test rows that neither the PCA model nor the network has seen.</p>
{_table(table, deviations)}
<p>A prediction of the model is off by {table[MODEL]["mae"]:,.0f} dollars, or {table[MODEL]["mape"]:.1%}, on
average. Baselines: a linear regression on the same columns, and the mean price of the training rows.
&plusmn; is the standard deviation over bootstrap samples of the test rows.</p>
<h2>Predicted and actual price</h2>
<div class="row"><figure>{charts.predicted_by_actual(actual, predicted)}</figure>
<figure>{charts.errors_by_price(actual, predicted)}
<figcaption>Per tenth of the rows: median error, and the middle four fifths.</figcaption></figure></div>
<h2>Errors</h2>
<div class="row"><figure>{charts.residuals(predicted - actual)}</figure></div>
<footer>Test rows are drawn at random: most of them have training rows in their neighbourhood. In a place from
which there are no training rows, errors are larger than these.</footer>
</body></html>
""",
        encoding="utf-8",
    )


def _table(table: dict[str, dict[str, float]], deviations: dict[str, float]) -> str:
    lines = []
    for name, row in table.items():
        spread = deviations if name == MODEL else {}
        cells = "".join(f"<td>{_shown(key, row[key], spread.get(key))}</td>" for key in MEASURES)
        kind = "" if name == MODEL else ' class="baseline"'
        lines.append(f"<tr{kind}><td>{name.replace('_', ' ')}</td>{cells}</tr>")
    head = "".join(f"<th>{name.upper()}</th>" for name in ("", *MEASURES))
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _shown(name: str, value: float, spread: float | None) -> str:
    form = {"r2": ".3f", "mape": ".1%"}.get(name, ",.0f")
    value = round(value, 6) if abs(value) > 5e-4 else 0.0  # no "-0.000"
    return f"{value:{form}}" + (f" &plusmn; {spread:{form}}" if spread is not None else "")
