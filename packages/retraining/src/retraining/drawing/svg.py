"""The graph as one self-contained SVG file, legible on light and on dark pages."""

from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from retraining.drawing.graph import Edge, Graph, Node
from retraining.drawing.layout import Layout, lay_out

# Borders of the models' steps: at least 3:1 against white and against #0d1117.
COLOURS = ("#0e7fb8", "#8f5bd6", "#1f8a4c", "#b3690f", "#c2458f", "#5d72d8", "#7a7f2a", "#c5503c")
_EDGES = {"data": "#7d8590", "order": "#7d8590", "if": "#1f8a4c", "else": "#d1453b"}
_FILLS = {"Condition": "#fff6dd", "Fail": "#ffe9e6"}
_LONGEST_NAME = 32
_HEIGHT, _GAP, _MARGIN, _TITLE = 46, 46, 24, 20
_STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-size: 11px; fill: #57606a }
.name { font-size: 13px; font-weight: 600; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600; fill: #7d8590 }
.key { fill: #7d8590 }
.cache { font-size: 10px; fill: #1f8a4c }
path { fill: none; stroke-width: 1.5 }
.order { stroke-dasharray: 5 4 }
"""


class _Paper:
    """Turns positions of the layout into pixels; wide graphs run from left to right, others downwards."""

    def __init__(self, graph: Graph, layout: Layout) -> None:
        longest = max(len(_short(node.name)) for node in graph.nodes.values())
        self.box = max(138.0, 7.6 * longest + 34)
        down = (layout.breadth * (self.box + 28), layout.layers * (_HEIGHT + _GAP))
        self.down = down[0] < max(1400, 2 * down[1])
        self.across = self.box + 28 if self.down else _HEIGHT + 18.0
        self.along = float(_HEIGHT + _GAP) if self.down else self.box + 64
        size = (layout.breadth * self.across, layout.layers * self.along)
        width, height = size if self.down else (size[1], size[0])
        self.width = max(width, 420) + 2 * _MARGIN
        self.height = height + 2 * _MARGIN + _TITLE

    def at(self, place: tuple[float, float]) -> tuple[float, float]:
        """The middle of a step's box."""
        across, along = (place[0] + 0.5) * self.across, (place[1] + 0.5) * self.along
        x, y = (across, along) if self.down else (along, across)
        return x + _MARGIN, y + _MARGIN + _TITLE

    def way(self, places: list[tuple[float, int]], start: float, end: float) -> str:
        """A smooth path from the border of the first step to that of the last, straight past the others.

        `start` and `end` say how far from the middle of the border it begins and ends.
        """
        half = (_HEIGHT if self.down else self.box) / 2
        points = [self._turned(self.at(place)) for place in places]
        (across, along), (last_across, last_along) = points[0], points[-1]
        stops = [(across + start, along + half)]
        for x, y in points[1:-1]:
            stops += [(x, y - half), (x, y + half)]
        stops.append((last_across + end, last_along - half - 5))
        parts = ["M" + self._written([stops[0]])]
        for index, ((x, y), (u, v)) in enumerate(pairwise(stops)):
            if index % 2:
                parts.append("L" + self._written([(u, v)]))
            else:
                parts.append("C" + self._written([(x, (y + v) / 2), (u, (y + v) / 2), (u, v)]))
        return "".join(parts)

    def _turned(self, point: tuple[float, float]) -> tuple[float, float]:
        return point if self.down else (point[1], point[0])

    def _written(self, points: list[tuple[float, float]]) -> str:
        return " ".join(f"{x:.1f} {y:.1f}" for x, y in map(self._turned, points))


def draw(graph: Graph) -> str:
    """The SVG document."""
    layout = lay_out(graph)
    paper = _Paper(graph, layout)
    size = f"{paper.width:.0f} {paper.height + 22:.0f}"
    width, height = size.split()
    ports = _ports(paper, layout)
    edges = [line for edge, places in layout.ways for line in _edge(paper, edge, places, *ports[edge])]
    nodes = [
        line
        for name, node in graph.nodes.items()
        for line in _node(paper, graph, node, *paper.at(layout.nodes[name]))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {size}"'
            ' role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(graph.pipeline)}</title>',
            f'<desc id="desc">{escape(_description(graph))}</desc>',
            f"<style>{_STYLE}</style>",
            f"<defs>{''.join(map(_arrow, _EDGES))}</defs>",
            f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 14}">{escape(graph.pipeline)}</text>',
            *edges,
            *nodes,
            *_key(graph, paper.height),
            "</svg>\n",
        ]
    )


def _description(graph: Graph) -> str:
    words = []
    for node in graph.nodes.values():
        before = [edge.start for edge in graph.before[node.name]]
        words.append(f"{node.name} ({node.step_class})" + (f" after {', '.join(before)}" if before else ""))
    return f"{len(graph.nodes)} steps: {'; '.join(words)}."


def _arrow(kind: str) -> str:
    return (
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto">'
        f'<path d="M0 0L8 4L0 8z" style="fill:{_EDGES[kind]}"/></marker>'
    )


def _ports(paper: _Paper, layout: Layout) -> dict[Edge, tuple[float, float]]:
    """How far from the middle of a border each edge begins and ends, so that edges do not overlap."""
    offsets = {edge: [0.0, 0.0] for edge, _ in layout.ways}
    for side in (0, 1):
        at: dict[str, list[tuple[float, Edge]]] = {}
        for edge, places in layout.ways:
            near = places[1 if side == 0 else -2][0]
            at.setdefault(edge.end if side else edge.start, []).append((near, edge))
        room = (paper.box if paper.down else _HEIGHT) * 0.7
        for edges in at.values():
            gap = min(22.0 if paper.down else 10.0, room / len(edges))
            for index, (_, edge) in enumerate(sorted(edges, key=lambda item: item[0])):
                offsets[edge][side] = (index - (len(edges) - 1) / 2) * gap
    return {edge: (start, end) for edge, (start, end) in offsets.items()}


def _edge(
    paper: _Paper, edge: Edge, places: list[tuple[float, int]], start: float, end: float
) -> Iterator[str]:
    path = paper.way(places, start, end)
    yield (
        f'<path class="{edge.kind}" d="{path}" stroke="{_EDGES[edge.kind]}" marker-end="url(#{edge.kind})">'
        f"<title>{escape(f'{edge.start} to {edge.end}: {edge.kind}')}</title></path>"
    )
    if edge.kind in ("if", "else"):
        x, y = paper.at(places[0])
        if paper.down:
            side, anchor = (-14, "end") if places[1][0] < places[0][0] else (14, "start")
            x, y = x + start + side, y + _HEIGHT / 2 + 11
        else:
            x, y, anchor = (
                x + paper.box / 2 + 8,
                y + start + (-6 if places[1][0] < places[0][0] else 14),
                "start",
            )
        style = f'text-anchor="{anchor}" style="fill:{_EDGES[edge.kind]}"'
        yield f'<text x="{x:.1f}" y="{y:.1f}" {style}>{edge.kind}</text>'


def _node(paper: _Paper, graph: Graph, node: Node, x: float, y: float) -> Iterator[str]:
    colour = COLOURS[graph.models.index(node.model) % len(COLOURS)]
    border = _EDGES["else"] if node.step_class == "Fail" else colour
    left, top, right = x - paper.box / 2, y - _HEIGHT / 2, x + paper.box / 2
    behind = f", {node.branch} {node.behind}" if node.behind else ""
    told = f"{node.name}: {node.step_class} of {node.model}{', cached' if node.cache else ''}{behind}"
    yield f"<g><title>{escape(told)}</title>"
    fill = f'style="fill:{_FILLS.get(node.step_class, "#ffffff")};stroke:{border};stroke-width:1.5"'
    if node.step_class == "Condition":
        half, long = _HEIGHT / 2, paper.box - 24
        corners = f"l12 {-half}h{long:.1f}l12 {half}l-12 {half}h{-long:.1f}"
        yield f'<path {fill} d="M{left:.1f} {y:.1f}{corners}z"/>'
    else:
        round_ = _HEIGHT / 2 if node.step_class == "Fail" else 8
        place = f'x="{left:.1f}" y="{top:.1f}" width="{paper.box:.1f}" height="{_HEIGHT}" rx="{round_}"'
        yield f"<rect {fill} {place}/>"
    name = f'<text class="name" x="{left + 18:.1f}" y="{y - 3:.1f}">{escape(_short(node.name))}</text>'
    yield f'{name}<text x="{left + 18:.1f}" y="{y + 13:.1f}">{node.step_class}</text>'
    if node.cache:
        yield f'<text class="cache" text-anchor="end" x="{right - 10:.1f}" y="{y + 13:.1f}">cache</text>'
    yield "</g>"


def _key(graph: Graph, y: float) -> Iterator[str]:
    """What lines and colours mean."""
    x = float(_MARGIN)
    for kind, word in (("data", "reads its data"), ("order", "waits for it")):
        yield f'<path class="{kind}" d="M{x:.0f} {y:.0f}h28" stroke="{_EDGES[kind]}"/>'
        yield f'<text class="key" x="{x + 36:.0f}" y="{y + 4:.0f}">{word}</text>'
        x += 36 + 6 * len(word) + 18
    if 1 < len(graph.models) <= len(COLOURS):
        for model, colour in zip(graph.models, COLOURS, strict=False):
            yield f'<rect x="{x:.0f}" y="{y - 5:.0f}" width="10" height="10" rx="2" fill="{colour}"/>'
            yield f'<text class="key" x="{x + 16:.0f}" y="{y + 4:.0f}">{escape(_short(model))}</text>'
            x += 16 + 6.5 * len(_short(model)) + 18


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[:20]}…{text[-(_LONGEST_NAME - 21) :]}"
