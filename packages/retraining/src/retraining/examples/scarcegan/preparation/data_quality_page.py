"""The data-quality report as one self-contained HTML page: rows, columns, and how far they moved."""

from html import escape
from typing import Any

from preparation.drift import NOTHING_SHARED

COLOURS = ("#d44c47", "#337ea9", "#448361", "#9065b0", "#c4823a", "#787774")
CSS = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #37352f }
body { max-width: 1180px; margin: 2.5rem auto; padding: 0 1.2rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.4rem }
p.lead, footer { color: #787774; margin-top: 0 } footer { font-size: .85rem; margin-top: 3rem }
.tiles { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.4rem 0 }
.tile { background: #f7f6f3; border-radius: 8px; padding: .8rem 1.2rem; min-width: 8rem }
.tile b { display: block; font-size: 1.6rem } .tile span { color: #787774; font-size: .85rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid #e9e9e7; white-space: nowrap }
th { color: #787774; font-weight: 600; font-size: .85rem } td:first-child, th:first-child { text-align: left }
thead th { position: sticky; top: 0; background: #fff }
td small { display: block; color: #787774; white-space: normal; max-width: 19rem; line-height: 1.3 }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin: 0 .35rem 0 1rem }
.badge { border-radius: 4px; padding: .05rem .4rem } .calm { background: #ddedea }
.moved { background: #faebdd } .far { background: #ffe2dd; font-weight: 700 } svg { display: block }
"""
WIDTH, LINE = 230, 9  # pixels of a column's picture, and of each group in it


def page(document: dict[str, Any]) -> str:
    """The page of a document of `data_quality.document`."""
    groups = document["groups"]
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(groups)}
    legend = "".join(
        f'<span class="key" style="background:{colour}"></span>{escape(name)}'
        for name, colour in colours.items()
    )
    drift, constant = document["drift"], document["constant"]
    tiles = [
        (f"{sum(group['rows'] for group in groups.values()):,}", "rows"),
        (f"{len(groups)}", "groups"),
        (f"{len(document['ranges'])}", "features"),
        (f"{len(constant)}", "constant features"),
        ("none" if drift["psi_max"] is None else f"{drift['psi_max']:.3f}", "largest PSI"),
    ]
    shown = "".join(f'<div class="tile"><b>{text}</b><span>{name}</span></div>' for text, name in tiles)
    warning = f"<p>The same value in all rows: {escape(', '.join(constant))}.</p>" if constant else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Data quality</title>
<style>{CSS}</style></head><body>
<h1>Data quality</h1>
<p class="lead">What was read. No value is missing or out of its range: one would end the job.</p>
<div class="tiles">{shown}</div>{warning}
<h2>Rows</h2>{_rows(groups)}
<h2>Features</h2>
<p>Mean, deviation and zeros are the largest group's. Each picture shows the groups on one scale: the middle
half of the rows as a bar, nine tenths as a line, the median as a dot.{legend}</p>
{_features(document, colours)}
<footer>Quantiles are those of the values cut to eight significant bits. {_drift(drift)}</footer>
</body></html>
"""


def _rows(groups: dict[str, Any]) -> str:
    splits = ("train", "validation", "test", "unlabelled")
    head = "".join(f"<th>{name}</th>" for name in ("group", "rows", *splits, "left out"))
    lines = []
    for name, group in groups.items():
        cells = [group["rows"], *(group["splits"].get(split, 0) for split in splits), group["left_out"]]
        counts = "".join(f"<td>{count:,}</td>" for count in cells)
        lines.append(f"<tr><td>{escape(name)}</td>{counts}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _features(document: dict[str, Any], colours: dict[str, str]) -> str:
    names = ("feature", "allowed", "found", "mean", "deviation", "zeros", "PSI", "groups")
    head = "".join(f"<th>{name}</th>" for name in names)
    lines = []
    for name, (low, high) in document["ranges"].items():
        columns = {group: found["columns"][name] for group, found in document["groups"].items()}
        largest = max(document["groups"], key=lambda group: document["groups"][group]["rows"])
        main = columns[largest]
        least, most = (
            min(one["min"] for one in columns.values()),
            max(one["max"] for one in columns.values()),
        )
        cells = [
            f"{low:g} to {high:g}",
            f"{least:g} to {most:g}",
            f"{main['mean']:.4g}",
            f"{main['std']:.4g}",
        ]
        cells += [
            f"{main['zeros']:.1%}",
            _badge(document["drift"]["psi"].get(name)),
            _boxes(columns, colours),
        ]
        text = f"{escape(name)}<small>{escape(document['descriptions'][name])}</small>"
        lines.append(f"<tr><td>{text}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _badge(psi: float | None) -> str:
    if psi is None:
        return "&ndash;"
    kind = "far" if psi > 0.25 else "moved" if psi > 0.1 else "calm"
    return f'<span class="badge {kind}">{psi:.3f}</span>'


def _boxes(columns: dict[str, Any], colours: dict[str, str]) -> str:
    low = min(one["p05"] for one in columns.values())
    span = max(one["p95"] for one in columns.values()) - low
    parts = []
    for number, (group, one) in enumerate(columns.items()):
        places = [
            3 + (WIDTH - 6) * ((one[share] - low) / span if span else 0)
            for share in ("p05", "p25", "p50", "p75", "p95")
        ]
        p05, p25, p50, _, p95 = (f"{place:.1f}" for place in places)
        y, width, colour = number * LINE + LINE / 2, f"{places[3] - places[1]:.1f}", colours[group]
        parts.append(
            f'<line x1="{p05}" x2="{p95}" y1="{y}" y2="{y}" stroke="{colour}" stroke-opacity=".45"/>'
            f'<rect x="{p25}" y="{y - 2}" width="{width}" height="4" fill="{colour}" fill-opacity=".55"/>'
            f'<circle cx="{p50}" cy="{y}" r="2.4" fill="{colour}"/>'
        )
    return f'<svg width="{WIDTH}" height="{LINE * len(columns)}" role="img">{"".join(parts)}</svg>'


def _drift(drift: dict[str, Any]) -> str:
    if drift["psi_max"] is None:
        read = drift["reference_rows"] is not None
        return f"The profile {NOTHING_SHARED}." if read else "There was no earlier run to compare with."
    return (
        f"PSI: population stability index of the {drift['rows']:,} rows that the model is trained on against"
        f" {drift['reference_rows']:,} rows of the run before; above 0.1 they moved, above 0.25 far."
    )
