"""Small charts as SVG text, for a page that needs no other file and no plotting library in the container."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from job_toolkit.report import Html, escape, figure

STYLE = """
figcaption span { margin-right: 1rem }
figcaption i { display: inline-block; width: .8rem; height: .2rem; margin-right: .4rem }
figcaption i { vertical-align: middle }
"""
COLOURS = ("#0b6e99", "#d9730d", "#787774")
RING = "#37352f"
WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 46


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
    """A labelled axis from low to high."""

    label: str
    low: float = 0.0
    high: float = 1.0

    def at(self, share: float) -> float:
        return self.low + share * (self.high - self.low)

    def scale(self, values: ArrayLike, start: float, end: float) -> NDArray[np.float64]:
        share = (np.asarray(values, np.float64) - self.low) / ((self.high - self.low) or 1.0)
        return start + np.clip(share, 0, 1) * (end - start)


def lines(curves: list[Line], x: Axis, y: Axis, mark: tuple[float, float] | None = None) -> Html:
    """Curves on two axes, with a legend; `mark` is a point to put a ring around."""
    parts = [_frame(x, y)]
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = list(zip(*_place(curve.x, curve.y, x, y), strict=True))
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dash = ' stroke-dasharray="5 4"' if curve.dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        if curve.dots:
            parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in points]
    if mark:
        (a,), (b,) = _place([mark[0]], [mark[1]], x, y)
        parts.append(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="6" fill="none" stroke="{RING}" stroke-width="2"/>'
        )
    return figure(_svg(parts, HEIGHT), _legend(curves))


def bars(values: dict[str, float]) -> Html:
    """Horizontal bars, the longest first, with their shares in percent."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    longest = max(max(values.values()), 1e-12)
    parts = []
    for number, (name, value) in enumerate(ordered):
        top, length = 8 + 20 * number, value / longest * (WIDTH - 220)
        parts += [
            f'<text x="150" y="{top + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="158" y="{top}" width="{length:.1f}" height="13" fill="{COLOURS[0]}"/>',
            f'<text x="{164 + length:.1f}" y="{top + 11}">{value:.1%}</text>',
        ]
    return figure(_svg(parts, 16 + 20 * len(ordered)))


def _place(
    x_values: ArrayLike, y_values: ArrayLike, x: Axis, y: Axis
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return x.scale(x_values, LEFT, WIDTH - RIGHT), y.scale(y_values, HEIGHT - BOTTOM, TOP)


def _frame(x: Axis, y: Axis) -> str:
    """Grid lines, tick labels and axis labels."""
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        across, up = LEFT + share * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}" stroke="#e9e9e7"/>',
            f'<text x="{LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{y.at(share):.3g}</text>',
            f'<text x="{across:.1f}" y="{HEIGHT - 28}" text-anchor="middle">{x.at(share):.3g}</text>',
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x.label)}</text>',
        f'<text transform="translate(13 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y.label)}</text>",
    ]
    return "".join(parts)


def _legend(curves: list[Line]) -> Html:
    names = (
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(curve.name)}</span>'
        for number, curve in enumerate(curves)
    )
    return Html(" ".join(names))


def _svg(parts: list[str], height: int) -> Html:
    return Html(f'<svg viewBox="0 0 {WIDTH} {height}" role="img" width="{WIDTH}">{"".join(parts)}</svg>')
