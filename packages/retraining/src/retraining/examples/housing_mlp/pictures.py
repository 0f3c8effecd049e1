"""The report's pictures as SVG text: the container of the evaluation has no plotting library."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from job_toolkit.pages import charts
from job_toolkit.pages.report import Html, escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 340, 56, 44, 10
BLUE, ORANGE, GREY = "#0b6e99", "#d9730d", "#787774"

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """Maps values to the picture; `low` and `high` are (x, y) of its corners."""

    low: tuple[float, float]
    high: tuple[float, float]

    def x(self, value: float) -> float:
        return LEFT + (value - self.low[0]) / (self.high[0] - self.low[0]) * (WIDTH - LEFT - 10)

    def y(self, value: float) -> float:
        share = (value - self.low[1]) / (self.high[1] - self.low[1])
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def predicted_by_actual(actual: Values, predicted: Values, cells: int = 50) -> Html:
    """How many rows have which actual and predicted price; on the line the prediction is right."""
    low = float(min(actual.min(), predicted.min()))
    high = max(float(max(actual.max(), predicted.max())), low + 1)
    axes = Axes((low, low), (high, high))
    edges = np.linspace(low, high, cells + 1)
    counts, _, _ = np.histogram2d(actual, predicted, bins=(edges, edges))
    darkest = np.log1p(counts.max())
    marks = []
    for column, row in zip(*np.nonzero(counts), strict=True):
        left, upper = axes.x(edges[column]), axes.y(edges[row + 1])
        size = (axes.x(edges[column + 1]) - left, axes.y(edges[row]) - upper)
        shade = 0.15 + 0.85 * np.log1p(counts[column, row]) / darkest
        marks.append(_rect(left, upper, *size, BLUE, shade))
    marks.append(_line(axes, (low, low), (high, high), ORANGE))
    return _picture(axes, marks, "actual price, thousand dollars", "predicted price, thousand dollars", 1e-3)


def residuals(errors: Values, bins: int = 40) -> Html:
    """How the errors, predicted minus actual in dollars, are distributed, but for the largest hundredth."""
    reach = max(float(np.quantile(np.abs(errors), 0.99)), 1.0)
    counts, edges = np.histogram(errors, np.linspace(-reach, reach, bins + 1))
    axes = Axes((-reach, 0), (reach, float(max(counts.max(), 1))))
    marks = [
        _rect(axes.x(left), axes.y(count), axes.x(right) - axes.x(left) - 1, axes.y(0) - axes.y(count), BLUE)
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    marks.append(_line(axes, (0, 0), (0, axes.high[1]), ORANGE))
    return _picture(axes, marks, "predicted minus actual, thousand dollars", "rows", 1e-3, 1)


def errors_by_price(actual: Values, predicted: Values, parts: int = 10) -> Html:
    """Per tenth of the rows by actual price: the median error, and where the middle four fifths lie."""
    order = np.array_split(np.argsort(actual, kind="stable"), min(parts, len(actual)))
    errors = predicted - actual
    bands = [(actual[rows].mean(), *np.quantile(errors[rows], [0.1, 0.5, 0.9])) for rows in order]
    values = np.array(bands)
    reach = max(float(np.abs(values[:, 1:]).max()), 1.0) * 1.05
    margin = 0.04 * max(float(np.ptp(values[:, 0])), 1.0)
    axes = Axes((values[0, 0] - margin, -reach), (values[-1, 0] + margin, reach))
    marks = [_line(axes, (axes.low[0], 0), (axes.high[0], 0), GREY)]
    for price, low, middle, high in values.tolist():
        marks.append(_line(axes, (price, low), (price, high), BLUE))
        marks.append(f'<circle cx="{axes.x(price):.1f}" cy="{axes.y(middle):.1f}" r="3.5" fill="{BLUE}"/>')
    return _picture(axes, marks, "actual price, thousand dollars", "error, thousand dollars", 1e-3)


def _picture(
    axes: Axes, marks: list[str], label: str, side: str, unit: float, side_unit: float | None = None
) -> Html:
    parts = [*marks]
    for value in charts.ticks(axes.low[0] * unit, axes.high[0] * unit):
        parts.append(_text(axes.x(value / unit), HEIGHT - BOTTOM + 16, f"{value:,g}"))
    scale = unit if side_unit is None else side_unit
    for value in charts.ticks(axes.low[1] * scale, axes.high[1] * scale):
        parts.append(_text(LEFT - 6, axes.y(value / scale) + 4, f"{value:,g}", "end"))
    parts.append(_text((WIDTH + LEFT) / 2, HEIGHT - 8, label))
    middle = (HEIGHT - BOTTOM) / 2
    parts.append(f'<g transform="rotate(-90 12 {middle})">{_text(12, middle + 4, side)}</g>')
    return charts.document(parts, WIDTH, HEIGHT, f"{side} by {label}")


def _rect(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="{opacity:.2f}"/>'
    )


def _line(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{axes.x(x1):.1f}" y1="{axes.y(y1):.1f}" x2="{axes.x(x2):.1f}" y2="{axes.y(y2):.1f}" '
        f'stroke="{colour}" stroke-width="1.6"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="{GREY}">'
        f"{escape(text)}</text>"
    )
