"""A comparison as one HTML page, with curves."""

import io
from collections.abc import Callable

from job_toolkit.pages import report
from retraining.results.comparison import Compared, Metric, best, differing, usual

# Distinct in print and to most eyes: Okabe and Ito, "Color universal design" (2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_COUNTERS = ("iteration", "step")  # columns of a history that only count
_STYLE = """
td, th { text-align: left } td { vertical-align: top }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .4rem }
table { table-layout: fixed } td { overflow-wrap: anywhere } th:first-child { width: 13rem }
details { margin: 1rem 0 } summary { cursor: pointer; color: #787774 }
"""


def page(title: str, columns: list[Compared], file_of: Callable[[str], str]) -> str:
    """The page; `file_of` says where an object of S3 can be opened."""
    names = " and ".join([", ".join(column.name for column in columns[:-1]), columns[-1].name])
    return report.page(
        title,
        _facts(columns, file_of),
        _parameters(columns),
        _metrics(columns),
        _curves(columns),
        lead=names,
        style=_STYLE,
    )


def _head(columns: list[Compared], first: str = "") -> list[str]:
    keys = (
        report.Html(
            f'<span class="key" style="background:{_colour(index)}"></span>{report.escape(column.name)}'
        )
        for index, column in enumerate(columns)
    )
    return [first, *keys]


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _facts(columns: list[Compared], file_of: Callable[[str], str]) -> report.Html:
    titles = dict.fromkeys(title for column in columns for title in column.facts)
    rows = [[title, *(column.facts.get(title, "") for column in columns)] for title in titles]
    if any(column.report for column in columns):
        rows.append(["report", *(_link(column.report, file_of) for column in columns)])
    return report.table(_head(columns), rows)


def _link(uri: str | None, file_of: Callable[[str], str]) -> str:
    if uri is None:
        return ""
    place = file_of(uri)
    shown = place.rsplit("/", 1)[-1]
    address = f"file://{place}" if place.startswith("/") else place
    return report.Html(f'<a href="{report.escape(address)}">{report.escape(shown)}</a>')


def _parameters(columns: list[Compared]) -> report.Html:
    different = differing(columns)
    every = dict.fromkeys(name for column in columns for name in column.parameters)
    same = [name for name in every if name not in different]

    def rows(names: list[str]) -> list[list[str]]:
        return [[name, *(column.parameters.get(name, "-") for column in columns)] for name in names]

    parts = [report.table(_head(columns), rows(different))] if different else []
    if not different:
        parts.append(report.paragraph("All parameters are the same."))
    if same:
        parts.append(_more(f"{len(same)} that are the same", report.table(_head(columns), rows(same))))
    return report.section("Parameters that differ", *parts)


def _metrics(columns: list[Compared]) -> report.Html:
    measured = list(dict.fromkeys(key for column in columns for key in column.metrics))
    if not measured:
        return report.section("Metrics", report.paragraph("Nothing was measured."))
    first = set(usual(metric for _, metric in measured))
    shown = [key for key in measured if key[1] in first]
    note = report.paragraph("On the test set; of a row's values the best is in colour.", "lead")
    every = [] if len(shown) == len(measured) else [_more("all metrics", _metrics_table(columns, measured))]
    return report.section("Metrics", note, _metrics_table(columns, shown), *every)


def _metrics_table(columns: list[Compared], keys: list[Metric]) -> report.Html:
    candidates = dict.fromkeys(candidate for candidate, _ in keys)
    baselines = frozenset[str]().union(*(column.baselines for column in columns))
    rows: list[list[str] | str] = []
    for candidate in candidates:
        if candidate or len(candidates) > 1:
            rows.append(f"{candidate or 'model'}{' (baseline)' if candidate in baselines else ''}")
        for key in (key for key in keys if key[0] == candidate):
            values = [column.metrics.get(key) for column in columns]
            top = best(key[1], values)
            rows.append([key[1].replace("_", " "), *(_cell(value, top) for value in values)])
    return report.table(_head(columns), rows)


def _more(title: str, content: report.Html) -> report.Html:
    return report.Html(f"<details><summary>{report.escape(title)}</summary>{content}</details>")


def _cell(value: float | None, top: float | None) -> str:
    if value is None:
        return "-"
    text = f"{value:.4g}"
    return report.bold(text) if value == top else text


def _curves(columns: list[Compared]) -> report.Html | str:
    named = dict.fromkeys(title for column in columns for title in column.curves)
    titles = [title for title in named if title.rpartition("/")[2] not in _COUNTERS]
    if not titles:
        return ""
    figures = [report.figure(_chart(title, columns)) for title in titles]
    return report.section("Curves, by epoch", report.side_by_side(*figures))


def _chart(title: str, columns: list[Compared]) -> report.Html:
    """One curve of every column that has it, as SVG."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 9}):
        figure = Figure(figsize=(4.8, 2.7), layout="constrained")
        axes = figure.subplots()
        for index, column in enumerate(columns):
            points = column.curves.get(title, [])
            if points:
                marker = "o" if len(points) == 1 else None
                axes.plot(*zip(*points, strict=True), color=_colour(index), marker=marker, label=column.name)
        axes.set_title(title.replace("_", " "), loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e9e9e7")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return report.Html(text.getvalue()[text.getvalue().index("<svg") :])
