"""Charts are whole SVG documents, whatever is drawn."""

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_toolkit.pages import charts
from job_toolkit.pages.charts import Axis, Line

SVG = "{http://www.w3.org/2000/svg}"
number = st.floats(-1e9, 1e9)
name = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="￾￿"), max_size=40
)


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


@given(name, st.lists(st.tuples(number, number), min_size=1, max_size=5), number, number)
def test_any_curve_is_drawn_inside_the_frame(
    words: str, points: list[tuple[float, float]], low: float, high: float
) -> None:
    x, y = zip(*points, strict=True)
    root = parsed(charts.lines([Line(words, x, y)], Axis(words, low, max(low, high)), Axis(words)))
    assert texts(root).count(words) >= 3
    (line,) = root.findall("{*}polyline")
    for a, b in (map(float, point.split(",")) for point in line.attrib["points"].split()):
        assert charts.LEFT <= a <= charts.WIDTH - charts.RIGHT
        assert charts.TOP <= b <= charts.HEIGHT - charts.BOTTOM


@given(st.lists(st.one_of(number, st.just(math.nan), st.just(math.inf)), min_size=1, max_size=5))
def test_a_training_that_diverged_is_drawn_too(losses: list[float]) -> None:
    finite = [loss for loss in losses if math.isfinite(loss)]
    best = losses.index(min(finite)) if finite else None
    root = parsed(charts.training("epoch", "loss", range(1, len(losses) + 1), {"loss": losses}, best))
    (line,) = root.findall("{*}polyline")
    assert len(line.attrib["points"].split()) == len(finite)
    rings = [circle for circle in root.findall("{*}circle") if circle.attrib["fill"] == "none"]
    assert len(rings) == bool(finite)


def test_epochs_are_whole() -> None:
    root = parsed(charts.training("epoch", "loss", [1, 2, 3], {"loss": [0.5, 0.4, 0.3]}))
    beside_x = [
        text.text for text in root.iter(f"{SVG}text") if text.attrib["y"] == f"{charts.HEIGHT - 28}.0"
    ]
    assert beside_x == ["1", "2", "3"]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_few(low: float, size: float) -> None:
    values = charts.ticks(low, low + size)
    assert 3 <= len(values) <= 11
    slack = 1e-6 * max(abs(low), size)
    assert low - slack <= values[0] < values[-1] <= low + size + slack
    (step,) = {f"{gap:.3e}" for gap in np.diff(values)}
    assert step[:5] in ("1.000", "2.000", "5.000")


def test_the_legend_takes_as_many_lines_as_it_needs() -> None:
    few, many = ([Line(f"a curve with a name {n}", [0, 1], [0, 1]) for n in range(count)] for count in (2, 9))
    heights = [
        float(parsed(charts.lines(curves, Axis("x"), Axis("y"))).attrib["viewBox"].split()[-1])
        for curves in (few, many)
    ]
    assert heights[1] > heights[0]


def test_bars_are_in_order_and_files_are_whole(tmp_path: Path) -> None:
    charts.write({"shares": charts.bars({"a<b": 0.2, "c": 0.8})}, tmp_path / "plots")
    root = parsed((tmp_path / "plots" / "shares.svg").read_text())
    assert texts(root) == ["c", "80.0%", "a<b", "20.0%"]
    wide, narrow = (float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect"))
    assert narrow == pytest.approx(wide / 4, abs=0.1)
