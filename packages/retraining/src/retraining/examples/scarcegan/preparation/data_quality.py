"""The report on the data, as JSON and as an HTML page: rows and columns by group, and how far they moved."""

from dataclasses import dataclass
from typing import Any

from job_toolkit.pages import report
from job_toolkit.pages.report import Html, escape
from preparation.column_statistics import ColumnStatistics
from preparation.drift import NOTHING_SHARED
from preparation.schema import Schema

QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
SPLITS = ("train", "validation", "test", "unlabelled")
COLOURS = ("#d44c47", "#337ea9", "#448361", "#9065b0", "#c4823a", "#787774")
STYLE = """
body { max-width: 1180px } td { white-space: nowrap } thead th { position: sticky; top: 0; background: #fff }
td small { display: block; color: #787774; white-space: normal; max-width: 19rem; line-height: 1.3 }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin: 0 .35rem 0 1rem }
.badge { border-radius: 4px; padding: .05rem .4rem } .calm { background: #ddedea }
.moved { background: #faebdd } .far { background: #ffe2dd; font-weight: 700 } svg { display: block }
"""
WIDTH, LINE = 230, 9  # pixels of a column's picture, and of each group in it

Document = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """A group's rows: statistics of each column; rows per split; rows left out, whose key has a label."""

    statistics: ColumnStatistics
    splits: dict[str, int]
    left_out: int = 0


def document(groups: dict[str, Group], schema: Schema, drift: Document) -> Document:
    """What data_quality.json holds. Missing values, and values out of range, end a job before: both are 0."""
    every = ColumnStatistics(schema.names)
    for group in groups.values():
        every.merge(group.statistics)
    return {
        "groups": {name: _group(group) for name, group in groups.items()},
        "ranges": {feature.name: [feature.minimum, feature.maximum] for feature in schema.features},
        "descriptions": {feature.name: feature.description for feature in schema.features},
        "constant": every.constant(),
        "drift": drift,
    }


def _group(group: Group) -> Document:
    statistics, rows = group.statistics, group.statistics.rows
    moments, quantiles = statistics.moments, statistics.quantiles(list(QUANTILES.values()))
    columns = {}
    for number, name in enumerate(statistics.columns):
        values = {
            "zeros": statistics.zeros[number] / max(1, rows),
            "min": statistics.minimum[number],
            "max": statistics.maximum[number],
            "mean": moments.mean[number],
            "std": moments.std[number],
        } | dict(zip(QUANTILES, quantiles[number], strict=True))
        # -0 becomes 0: which of the two is the least is left to chance.
        rounded = {key: float(f"{value:.6g}") + 0.0 for key, value in values.items()}
        columns[name] = {"count": rows, "missing": 0, "out_of_range": 0} | rounded
    return {"rows": rows, "left_out": group.left_out, "splits": group.splits, "columns": columns}


def page(document: Document) -> str:
    """The HTML page of such a document."""
    groups, drift, constant = document["groups"], document["drift"], document["constant"]
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(groups)}
    legend = "".join(
        f'<span class="key" style="background:{colour}"></span>{escape(name)}'
        for name, colour in colours.items()
    )
    tiles = {
        "rows": f"{sum(group['rows'] for group in groups.values()):,}",
        "groups": f"{len(groups)}",
        "features": f"{len(document['ranges'])}",
        "constant features": f"{len(constant)}",
        "largest PSI": "none" if drift["psi_max"] is None else f"{drift['psi_max']:.3f}",
    }
    pictures = (
        "Mean, deviation and zeros are the largest group's. Each picture shows the groups on one scale: the"
        " middle half of the rows as a bar, nine tenths as a line, the median as a dot."
    )
    return report.page(
        "Data quality",
        report.tiles(tiles),
        report.paragraph(f"The same value in all rows: {', '.join(constant)}.") if constant else "",
        report.section("Rows", _rows(groups)),
        report.section("Features", report.paragraph(Html(pictures + legend)), _features(document, colours)),
        lead="What was read. No value is missing or out of its range: one would end the job.",
        footer=f"Quantiles are those of the values cut to eight significant bits. {_drift(drift)}",
        style=STYLE,
    )


def _rows(groups: Document) -> Html:
    rows = []
    for name, group in groups.items():
        counts = [group["rows"], *(group["splits"].get(split, 0) for split in SPLITS), group["left_out"]]
        rows.append([name, *(f"{count:,}" for count in counts)])
    return report.table(["group", "rows", *SPLITS, "left out"], rows)


def _features(document: Document, colours: dict[str, str]) -> Html:
    groups, rows = document["groups"], []
    largest = max(groups, key=lambda group: groups[group]["rows"])
    for name, (low, high) in document["ranges"].items():
        columns = {group: content["columns"][name] for group, content in groups.items()}
        least, most = min(one["min"] for one in columns.values()), max(one["max"] for one in columns.values())
        main = columns[largest]
        rows.append(
            [
                Html(f"{escape(name)}<small>{escape(document['descriptions'][name])}</small>"),
                f"{low:g} to {high:g}",
                f"{least:g} to {most:g}",
                f"{main['mean']:.4g}",
                f"{main['std']:.4g}",
                f"{main['zeros']:.1%}",
                _badge(document["drift"]["psi"].get(name)),
                _boxes(columns, colours),
            ]
        )
    return report.table(["feature", "allowed", "found", "mean", "deviation", "zeros", "PSI", "groups"], rows)


def _badge(psi: float | None) -> Html:
    if psi is None:
        return Html("&ndash;")
    kind = "far" if psi > 0.25 else "moved" if psi > 0.1 else "calm"
    return Html(f'<span class="badge {kind}">{psi:.3f}</span>')


def _boxes(columns: Document, colours: dict[str, str]) -> Html:
    low = min(one["p05"] for one in columns.values())
    span = max(one["p95"] for one in columns.values()) - low
    parts = []
    for number, (group, one) in enumerate(columns.items()):
        p05, p25, p50, p75, p95 = (
            3 + (WIDTH - 6) * ((one[share] - low) / span if span else 0)
            for share in ("p05", "p25", "p50", "p75", "p95")
        )
        y, colour = number * LINE + LINE / 2, colours[group]
        parts.append(
            f'<line x1="{p05:.1f}" x2="{p95:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-opacity=".45"/>'
            f'<rect x="{p25:.1f}" y="{y - 2}" width="{p75 - p25:.1f}" height="4" fill="{colour}"'
            f' fill-opacity=".55"/><circle cx="{p50:.1f}" cy="{y}" r="2.4" fill="{colour}"/>'
        )
    return Html(f'<svg width="{WIDTH}" height="{LINE * len(columns)}" role="img">{"".join(parts)}</svg>')


def _drift(drift: Document) -> str:
    if drift["psi_max"] is None:
        is_read = drift["reference_rows"] is not None
        return f"The profile {NOTHING_SHARED}." if is_read else "There was no earlier run to compare with."
    return (
        f"PSI: population stability index of the {drift['rows']:,} rows that the model is trained on against"
        f" {drift['reference_rows']:,} rows of the run before; above 0.1 they moved, above 0.25 far."
    )
