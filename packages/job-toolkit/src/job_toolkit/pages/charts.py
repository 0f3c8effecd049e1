"""Small charts as SVG text, for pages and files that need no plotting library in the container.

Each is a whole SVG document: in a page it goes into `report.figure`, in a file a browser and MLflow show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from job_toolkit.pages.report import Html, escape

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#787774")
DARK, GRID = "#37352f", "#e9e9e7"
WIDTH, HEIGHT = 460, 320  # of the plot; a legend is below it
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 46
CHARACTER = 6.0  # width of one, at most, on average


@dataclass(frozen=True)
class Line:
    """A named curve: x [m] and y [m]."""

    name: str
    x: ArrayLike
    y: ArrayLike
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """A labelled axis from low to high; `counts` where it has whole numbers only."""

    label: str
    low: float = 0.0
    high: float = 1.0
    counts: bool = False

    @property
    def ticks(self) -> list[float]:
        """The values that are written beside it."""
        values = ticks(self.low, self.high)
        return [value for value in values if value == round(value)] if self.counts else values

    def scale(self, values: ArrayLike, start: float, end: float) -> NDArray[np.float64]:
        """Where values [m] are between start and end; those outside the axis are at its ends."""
        with np.errstate(over="ignore"):  # on an axis without length, a value may be infinitely far from it
            share = (np.asarray(values, np.float64) - self.low) / ((self.high - self.low) or 1.0)
        return start + np.clip(share, 0, 1) * (end - start)


def lines(
    curves: Sequence[Line],
    x: Axis,
    y: Axis,
    mark: tuple[float, float] | None = None,
) -> Html:
    """Curves on two axes, with a legend; `mark` is a point to put a ring around."""
    parts = [_frame(x, y)]
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = list(zip(*_place(curve.x, curve.y, x, y), strict=True))
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dash = ' stroke-dasharray="5 4"' if curve.dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        if curve.dots or len(points) == 1:
            parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in points]
    if mark:
        (a,), (b,) = _place([mark[0]], [mark[1]], x, y)
        parts.append(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="6" fill="none" stroke="{DARK}" stroke-width="2"/>'
        )
    legend, height = _legend([curve.name for curve in curves])
    return document(parts + legend, WIDTH, height)


def training(
    step: str, unit: str, counts: ArrayLike, curves: Mapping[str, ArrayLike], best: int | None = None
) -> Html:
    """What a training measured, [m] for each curve, after each of `counts` [m] steps such as epochs.

    Args:
        step, unit: the labels of the axes.
        best: the index of the step whose model was kept: a ring is around the last curve's value there.
    """
    steps = np.asarray(counts, np.float64)
    values = {name: np.asarray(curve, np.float64) for name, curve in curves.items()}
    finite = np.concatenate([curve[np.isfinite(curve)] for curve in values.values()])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    margin = 0.04 * ((high - low) or max(abs(high), 1.0))
    shown = [Line(name, steps[(kept := np.isfinite(curve))], curve[kept]) for name, curve in values.items()]
    last = list(values.values())[-1]
    mark = None if best is None or not np.isfinite(last[best]) else (float(steps[best]), float(last[best]))
    begin, end = float(steps.min()), float(steps.max())
    spare = 0 if end > begin else 1
    x = Axis(step, begin - spare, end + spare, counts=True)
    return lines(shown, x, Axis(unit, low - margin, high + margin), mark)


def bars(values: Mapping[str, float]) -> Html:
    """Horizontal bars, the longest first, with their shares in percent."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    longest = max(max(values.values()), 1e-12)
    parts = []
    for number, (name, value) in enumerate(ordered):
        top, length = 8 + 20 * number, value / longest * (WIDTH - 220)
        parts += [
            text(150, top + 11, name, "end"),
            f'<rect x="158" y="{top}" width="{length:.1f}" height="13" fill="{COLOURS[0]}"/>',
            text(164 + length, top + 11, f"{value:.1%}", "start"),
        ]
    return document(parts, WIDTH, 16 + 20 * len(ordered))


def document(parts: Sequence[str], width: int, height: int, title: str = "") -> Html:
    """The whole SVG; `title` is what it shows, for those who do not see it."""
    label = f' aria-label="{escape(title)}"' if title else ""
    return Html(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
        f'{label} font-family="system-ui, sans-serif" font-size="11" fill="{DARK}">{"".join(parts)}</svg>'
    )


def write(charts: Mapping[str, str], folder: Path) -> None:
    """Write each chart as <name>.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in charts.items():
        (folder / f"{name}.svg").write_text(svg + "\n", encoding="utf-8")


def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    """A text; `anchor` is which part of it is at x."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between low and high, four to eleven; only low where high is not above it."""
    if not high > low:
        return [low]
    power = 10.0 ** np.floor(np.log10((high - low) / 4))
    step = power * max(factor for factor in (1, 2, 5) if power * factor <= (high - low) / 4 * (1 + 1e-9))
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    rounded: list[float] = (np.arange(first, last + 1) * step).tolist()
    return rounded


def _place(
    x_values: ArrayLike, y_values: ArrayLike, x: Axis, y: Axis
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return x.scale(x_values, LEFT, WIDTH - RIGHT), y.scale(y_values, HEIGHT - BOTTOM, TOP)


def _frame(x: Axis, y: Axis) -> str:
    """Grid lines, tick labels and axis labels."""
    parts = []
    for value in y.ticks:
        (up,) = y.scale([value], HEIGHT - BOTTOM, TOP)
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}" stroke="{GRID}"/>',
            text(LEFT - 8, up + 4, _number(value), "end"),
        ]
    for value in x.ticks:
        (across,) = x.scale([value], LEFT, WIDTH - RIGHT)
        parts.append(text(across, HEIGHT - 28, _number(value)))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return "".join(
        [
            *parts,
            text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x.label),
            f'<g transform="translate(13 {middle}) rotate(-90)">{text(0, 0, y.label)}</g>',
        ]
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value + 0.0:.6g}"


def _legend(names: Sequence[str]) -> tuple[list[str], int]:
    """Each name beside its curve's colour, in as many lines as it takes; and the picture's whole height."""
    parts, left, top = [], float(LEFT), HEIGHT + 14
    for number, name in enumerate(names):
        width = 18 + CHARACTER * len(name) + 16
        if left > LEFT and left + width > WIDTH:
            left, top = float(LEFT), top + 17
        colour = COLOURS[number % len(COLOURS)]
        parts += [
            f'<rect x="{left:.1f}" y="{top - 6}" width="13" height="3" fill="{colour}"/>',
            text(left + 18, top, name, "start"),
        ]
        left += width
    return parts, top + 8
