"""`retrain graph`: as data, as text, as a picture."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from projects import COMMAND

from retraining.compile import definition
from retraining.compile.compiled import read
from retraining.config import configuration
from retraining.drawing import graph, svg
from retraining.drawing import text as graph_text
from retraining.drawing.graph import Edge, Graph, Node
from retraining.drawing.layout import lay_out

SVG = "{http://www.w3.org/2000/svg}"


def made(count: int, edges: list[tuple[int, int]], kind: graph.EdgeKind = "data") -> Graph:
    nodes = {f"s{index}": Node(f"s{index}", "Processing", f"m{index % 3}") for index in range(count)}
    return Graph("p", nodes, tuple(Edge(f"s{a}", f"s{b}", kind) for a, b in edges))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    return made(count, sorted(chosen))


def read_back(drawn: Graph) -> set[tuple[str, str]]:
    """The connections that the lines of a drawing show, read from top to bottom."""
    open_lanes: dict[int, str] = {}
    pairs = set()
    for row in graph_text.rows(drawn):
        line = row.left + ("●" + row.right if row.node else "")
        marks = {lane: line[2 * lane] if 2 * lane < len(line) else " " for lane in range(len(line) // 2 + 1)}
        place = len(row.left) // 2
        if row.node:
            joined = {lane for lane, sign in marks.items() if sign in "├┤┼╰╯┴"}
            if place in open_lanes:
                pairs.add((open_lanes[place], row.node.name))
            pairs |= {(open_lanes[lane], row.node.name) for lane in joined}
        open_lanes = {lane: name for lane, name in open_lanes.items() if marks.get(lane, " ") in "│├┤┼"}
        if row.node:
            open_lanes[place] = row.node.name
    return pairs


@given(graphs())
def test_the_lines_show_exactly_the_shortest_ways(drawn: Graph) -> None:
    assert read_back(drawn) == {(edge.start, edge.end) for edge in drawn.shortest}


@given(graphs())
def test_the_shortest_ways_lead_to_the_same_steps(drawn: Graph) -> None:
    def reached(edges: tuple[Edge, ...]) -> dict[str, set[str]]:
        above: dict[str, set[str]] = {name: set() for name in drawn.nodes}
        for name in drawn.nodes:
            for edge in edges:
                if edge.end == name:
                    above[name] |= {edge.start} | above[edge.start]
        return above

    assert reached(drawn.shortest) == reached(drawn.edges)


@given(graphs())
def test_the_layout_keeps_steps_apart_and_edges_forward(drawn: Graph) -> None:
    layout = lay_out(drawn)
    rows: dict[int, list[float]] = {}
    for x, layer in layout.nodes.values():
        rows.setdefault(layer, []).append(x)
    for row in rows.values():
        assert all(right - left > 0.99 for left, right in pairwise(sorted(row)))
    assert {edge for edge, _ in layout.ways} == set(drawn.edges)
    for edge, places in layout.ways:
        assert places[0] == layout.nodes[edge.start]
        assert places[-1] == layout.nodes[edge.end]
        assert [layer for _, layer in places] == list(range(places[0][1], places[-1][1] + 1))


def test_two_models_side_by_side_do_not_cross() -> None:
    chain = [(0, 2), (2, 4), (1, 3), (3, 5), (0, 4), (1, 5)]
    layout = lay_out(made(6, chain))
    left = {layout.nodes[name][0] for name in ("s0", "s2", "s4")}
    right = {layout.nodes[name][0] for name in ("s1", "s3", "s5")}
    assert max(left) < min(right) or max(right) < min(left)


@given(graphs(), graphs())
def test_what_nothing_joins_stands_side_by_side_without_an_empty_band(one: Graph, other: Graph) -> None:
    after = len(one.nodes)
    pairs = [(int(edge.start[1:]), int(edge.end[1:])) for edge in other.edges]
    moved = [(start + after, end + after) for start, end in pairs]
    both = made(after + len(other.nodes), [])
    both = Graph("p", both.nodes, (*one.edges, *made(after, moved).edges))
    alone = [lay_out(drawn) for drawn in (one, other)]
    assert lay_out(both).breadth == pytest.approx(sum(layout.breadth for layout in alone))
    assert lay_out(both).layers == max(layout.layers for layout in alone)


def test_a_chain_beside_long_edges_stays_near_them() -> None:
    """Three models in one pipeline: two that are built on each other, and one by itself."""
    joined = [(0, 1), (1, 2), (1, 9), (2, 3), (2, 5), (2, 6), (3, 4), (3, 10), (4, 5), (5, 6), (6, 7), (7, 8)]
    joined += [(6, 10), (7, 9), (9, 10)]
    layout = lay_out(made(14, [*joined, (11, 12), (12, 13)]))
    alone = {layout.nodes[f"s{index}"][0] for index in (11, 12, 13)}
    assert len(alone) == 1
    others = [x for edge, places in layout.ways if int(edge.end[1:]) < 11 for x, _ in places]
    assert alone.pop() - max(others) == pytest.approx(1)


@pytest.mark.parametrize("width", [40, 80, 160])
@given(drawn=graphs())
def test_no_line_is_wider_than_the_terminal(width: int, drawn: Graph) -> None:
    assert all(len(line) <= width for line in graph_text.lines(drawn, width))


def test_many_parallel_steps_become_a_list() -> None:
    fan = made(62, [(0, index) for index in range(1, 61)] + [(index, 61) for index in range(1, 61)])
    lines = [line.plain for line in graph_text.lines(fan, 100)]
    assert len(lines) == 64
    assert lines[-2].startswith("s61  Processing  m1  reads s1, s2, s3, s4, s5,")
    assert lines[-2].endswith(" +44")
    assert "a list" in lines[-1]


def test_without_unicode() -> None:
    text = "\n".join(line.plain for line in graph_text.lines(made(3, [(0, 1), (0, 2)]), 80, ascii_only=True))
    assert text.isascii()


def test_the_picture_is_one_well_formed_file() -> None:
    nodes = {name: Node(name, "Condition", "a<b") for name in ("one", "t" * 60)}
    drawn = Graph('a "p" & <q>', nodes, (Edge("one", "t" * 60, "if"),))
    text = svg.draw(drawn)
    root = ElementTree.fromstring(text)
    assert root.find(f"{SVG}title").text == 'a "p" & <q>'  # type: ignore[union-attr]
    assert "one (Condition)" in root.find(f"{SVG}desc").text  # type: ignore[union-attr, operator]
    assert root.get("role") == "img"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    labels = [element.text for element in root.iter(f"{SVG}text")]
    assert {"one", "if", "Condition"} <= set(labels)
    assert len(root.findall(f"{SVG}path[@marker-end]")) == 1
    assert any("t" * 60 in (element.text or "") for element in root.iter(f"{SVG}title"))


@given(graphs())
def test_the_picture_stays_on_its_paper(drawn: Graph) -> None:
    root = ElementTree.fromstring(svg.draw(drawn))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width + 1
        assert y + h <= height + 1


def test_a_hundred_models_are_drawn_at_once() -> None:
    edges = [(6 * model + a, 6 * model + a + 1) for model in range(100) for a in range(5)]
    big = made(600, edges)
    assert len(list(graph_text.lines(big, 80))) >= 602
    assert svg.draw(big).count("<g>") == 600


def test_the_projects_own_graph(project: Path) -> None:
    drawn = graph.graph_of(configuration.load(project))
    assert list(drawn.nodes) == [
        "Preprocess", "Train", "Evaluate", "QualityGate", "QualityGateFailed", "Register"
    ]  # fmt: skip
    assert {name for name, node in drawn.nodes.items() if node.cache} == {"Preprocess", "Train", "Evaluate"}
    assert (drawn.nodes["Register"].behind, drawn.nodes["Register"].branch) == ("QualityGate", "if")
    assert drawn.nodes["QualityGateFailed"].branch == "else"
    kinds = {(edge.start, edge.end): edge.kind for edge in drawn.edges}
    assert kinds["Preprocess", "Train"] == "data"
    assert kinds["QualityGate", "Register"] == "if"
    assert kinds["QualityGate", "QualityGateFailed"] == "else"


def test_champion_own_fail_step_and_what_is_disabled(project: Path) -> None:
    path = project / "models" / "scarcegan" / "conf.yaml"
    content = yaml.safe_load(path.read_text())
    content["conf"]["models"]["scarcegan"]["gate"]["champion"] = {}
    path.write_text(yaml.safe_dump(content))
    path = project / "conf" / "pipeline.yaml"
    content = yaml.safe_load(path.read_text())
    steps = content["conf"]["sagemakerPipeline"]["models"]["scarcegan"]["steps"]
    next(step for step in steps if step["step_name"] == "QualityGate")["else_step"] = "Stop"
    next(step for step in steps if step["step_name"] == "Register")["disabled"] = True
    steps.append({"step_name": "Stop", "step_class": "Fail", "error_message": "no"})
    path.write_text(yaml.safe_dump(content))
    drawn = graph.graph_of(configuration.load(project))
    assert {"QualityGateFailed", "Register"}.isdisjoint(drawn.nodes)
    assert (drawn.nodes["Stop"].behind, drawn.nodes["Stop"].branch) == ("QualityGate", "else")
    assert Edge("QualityGateChampion", "QualityGate", "data") in drawn.edges
    compiled = read(definition.compile_pipeline(configuration.load(project)).text)
    assert set(drawn.nodes) == set(compiled.steps)


def retrain(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "HOME": str(project)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command(project: Path) -> None:
    shown = retrain(project, "graph")
    assert shown.returncode == 0, shown.stderr
    assert "QualityGateFailed" in shown.stdout
    assert "\x1b[" not in shown.stdout
    document = json.loads(retrain(project, "graph", "--json").stdout)
    assert document["pipeline"] == "demo-retraining"
    assert {"from": "Preprocess", "to": "Train", "kind": "data"} in document["edges"]
    drawn = retrain(project, "graph", "--svg", "g.svg")
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (0, "wrote g.svg\n", "")
    assert json.loads(retrain(project, "graph", "--svg", "g.svg", "--json").stdout) == document
    ElementTree.parse(project / "g.svg")
    failed = retrain(project, "graph", "--svg", "no/such/folder/g.svg")
    assert failed.returncode == 2
    assert failed.stderr == "Error: --svg no/such/folder/g.svg: No such file or directory\n"


def test_the_sdk_is_not_imported(project: Path) -> None:
    code = "import sys; sys.argv = ['retrain', 'graph']\n"
    code += "from retraining.cli.app import app\napp(standalone_mode=False)\n"
    code += "print(sorted({'sagemaker', 'boto3', 'botocore', 'mlflow'} & set(sys.modules)))"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
