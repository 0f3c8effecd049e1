"""Positions for the steps of a graph: layers one after the other, few crossings, straight edges.

The layered method of Sugiyama, Tagawa and Toda (1981): each step in the layer after the last one before
it, long edges cut into one piece per layer, layers ordered by the mean of their neighbours, and positions
from an isotonic regression, which keeps that order and the distances.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from retraining.drawing.graph import Edge, Graph

_ROUNDS = 12
_SWEEPS = 60
# A step's name, or one piece of a long edge: (index of the edge, layer).
_Place = str | tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Where steps and edges go: (position in the layer, layer); the unit is one step's width."""

    nodes: dict[str, tuple[float, int]]
    ways: list[tuple[Edge, list[tuple[float, int]]]]
    breadth: float
    layers: int


def lay_out(graph: Graph) -> Layout:
    """Positions for all steps, and for the edges that are drawn; unconnected parts are side by side."""
    nodes: dict[str, tuple[float, int]] = {}
    ways: list[tuple[Edge, list[tuple[float, int]]]] = []
    left, layers = 0.0, 0
    for part in map(_lay_out, _parts(graph)):
        nodes |= {name: (x + left, layer) for name, (x, layer) in part.nodes.items()}
        ways += [(edge, [(x + left, layer) for x, layer in places]) for edge, places in part.ways]
        left += part.breadth
        layers = max(layers, part.layers)
    return Layout(nodes, ways, left, layers)


def _parts(graph: Graph) -> list[Graph]:
    """The connected parts of a graph, in the order of their first steps."""
    joined = {name: {name} for name in graph.nodes}
    for edge in graph.edges:
        one, other = joined[edge.start], joined[edge.end]
        if one is not other:
            one |= other
            joined.update(dict.fromkeys(other, one))
    return [
        Graph(
            graph.pipeline,
            {name: node for name, node in graph.nodes.items() if name in names},
            tuple(edge for edge in graph.edges if edge.start in names),
        )
        for names in {id(names): names for names in joined.values()}.values()
    ]


def _lay_out(graph: Graph) -> Layout:
    """Positions for a connected graph; the parts of another one would drift apart."""
    short = set(graph.shortest)
    edges = [edge for edge in graph.edges if edge.kind != "order" or edge in short]
    layer = _layers(graph)
    ways: list[list[_Place]] = []
    for index, edge in enumerate(edges):
        between = range(layer[edge.start] + 1, layer[edge.end])
        ways.append([edge.start, *((index, number) for number in between), edge.end])
    rows: list[list[_Place]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in graph.nodes:
        rows[layer[name]].append(name)
    for way in ways:
        for piece in way[1:-1]:
            rows[piece[1]].append(piece)  # type: ignore[index]
    above, below = _neighbours(ways)
    rows = _ordered(rows, above, below)
    x = _placed(rows, above, below)
    number = {piece: index for index, row in enumerate(rows) for piece in row}
    return Layout(
        {name: (x[name], number[name]) for name in graph.nodes},
        [(edge, [(x[piece], number[piece]) for piece in way]) for edge, way in zip(edges, ways, strict=True)],
        max(x.values()) + 1,
        len(rows),
    )


def _layers(graph: Graph) -> dict[str, int]:
    layers: dict[str, int] = {}
    for name in graph.nodes:
        layers[name] = max((layers[edge.start] + 1 for edge in graph.before[name]), default=0)
    after: dict[str, list[int]] = defaultdict(list)
    for edge in graph.edges:
        after[edge.start].append(layers[edge.end])
    for name in graph.nodes:
        if not graph.before[name] and after[name]:
            layers[name] = min(after[name]) - 1
    return layers


_Neighbours = dict[_Place, list[_Place]]


def _neighbours(ways: list[list[_Place]]) -> tuple[_Neighbours, _Neighbours]:
    above: _Neighbours = defaultdict(list)
    below: _Neighbours = defaultdict(list)
    for way in ways:
        for first, second in pairwise(way):
            below[first].append(second)
            above[second].append(first)
    return above, below


def _ordered(rows: list[list[_Place]], above: _Neighbours, below: _Neighbours) -> list[list[_Place]]:
    """The rows in the order with the fewest crossings after sweeps down and up."""
    best, fewest = rows, _crossings(rows, below)
    for turn in range(_ROUNDS):
        if not fewest:
            break
        rows = [list(row) for row in rows]
        down = turn % 2 == 0
        for index in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            fixed = {piece: place for place, piece in enumerate(rows[index - 1 if down else index + 1])}
            neighbours = above if down else below
            mean = {
                piece: sum(fixed[other] for other in neighbours[piece]) / len(neighbours[piece])
                if neighbours[piece]
                else place * len(fixed) / len(rows[index])
                for place, piece in enumerate(rows[index])
            }
            rows[index].sort(key=mean.__getitem__)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _crossings(rows: list[list[_Place]], below: _Neighbours) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {piece: index for index, piece in enumerate(lower)}
        seen: list[int] = []
        for piece in upper:
            ends = sorted(place[other] for other in below[piece])
            count += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _placed(rows: list[list[_Place]], above: _Neighbours, below: _Neighbours) -> dict[_Place, float]:
    x: dict[_Place, float] = {}
    for row in rows:
        x.update(_apart(row, [(0.0, 1.0)] * len(row)))
    for turn in range(_SWEEPS):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = []
            for piece in row:
                near = (above if down else below)[piece]
                if turn > _SWEEPS // 2 or not near:
                    near = [*above[piece], *below[piece]] or [piece]
                weights = [_weight(piece, other) for other in near]
                total = sum(x[other] * weight for other, weight in zip(near, weights, strict=True))
                wanted.append((total / sum(weights), sum(weights)))
            x.update(_apart(row, wanted))
    left = min(x.values())
    return {piece: place - left for piece, place in x.items()}


def _weight(one: _Place, other: _Place) -> float:
    """How much an edge wants to be straight: from step to step, and along a long edge, not at its ends."""
    return 1.0 if isinstance(one, str) == isinstance(other, str) else 0.1


def _apart(row: list[_Place], wanted: list[tuple[float, float]]) -> dict[_Place, float]:
    """The positions nearest to those wanted (position, weight) that keep the order and the distances."""
    offset, offsets = 0.0, []
    for index, piece in enumerate(row):
        if index:
            offset += 1.0 if isinstance(piece, str) and isinstance(row[index - 1], str) else 0.6
        offsets.append(offset)
    blocks: list[tuple[float, float, int]] = []
    for (want, weight), shift in zip(wanted, offsets, strict=True):
        mean, size = want - shift, 1
        while blocks and blocks[-1][0] > mean:
            other, load, count = blocks.pop()
            mean, weight, size = (mean * weight + other * load) / (weight + load), weight + load, size + count
        blocks.append((mean, weight, size))
    means = [mean for mean, _, size in blocks for _ in range(size)]
    return {piece: mean + shift for piece, mean, shift in zip(row, means, offsets, strict=True)}
