"""The graph of a pipeline's steps, as the configuration describes it."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from retraining.config.configuration import Configuration
from retraining.config.flow import order
from retraining.config.schema.pipeline import CACHED

# data: one step reads what the other writes. order: it only waits. if, else: the branches of a condition.
EdgeKind = Literal["data", "order", "if", "else"]


@dataclass(frozen=True)
class Node:
    """One step; `behind` is the condition that decides whether it runs, on its outcome `branch`."""

    name: str
    step_class: str
    model: str
    cache: bool = False
    behind: str | None = None
    branch: Literal["if", "else"] | None = None
    made: bool = False  # for another step of the configuration, not described by itself


@dataclass(frozen=True)
class Edge:
    start: str
    end: str
    kind: EdgeKind


@dataclass(frozen=True)
class Graph:
    """`nodes` in an order in which they could run."""

    pipeline: str
    nodes: dict[str, Node]
    edges: tuple[Edge, ...]

    @cached_property
    def models(self) -> list[str]:
        return list(dict.fromkeys(node.model for node in self.nodes.values()))

    @cached_property
    def before(self) -> dict[str, list[Edge]]:
        """The edges that end at each node."""
        edges: dict[str, list[Edge]] = {name: [] for name in self.nodes}
        for edge in self.edges:
            edges[edge.end].append(edge)
        return edges

    @cached_property
    def shortest(self) -> tuple[Edge, ...]:
        """The edges without those that a longer path implies."""
        above: dict[str, int] = {}
        bit = {name: 1 << index for index, name in enumerate(self.nodes)}
        kept = []
        for name in self.nodes:
            edges = self.before[name]
            behind = 0
            for edge in edges:
                behind |= above[edge.start]
            kept += [edge for edge in edges if not bit[edge.start] & behind]
            above[name] = behind | sum({bit[edge.start] for edge in edges})
        return tuple(kept)

    def as_json(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "nodes": [asdict(node) for node in self.nodes.values()],
            "edges": [{"from": edge.start, "to": edge.end, "kind": edge.kind} for edge in self.edges],
        }


def graph_of(configuration: Configuration) -> Graph:
    """The graph of a configuration; disabled steps are not in it."""
    dag = configuration.dag
    unordered = configuration.pipeline.model_copy(update={"dependencies": []})
    data = order.dag_of(unordered, configuration.models).before
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for name, step in configuration.steps.items():
        model = step.model_name
        behind = dag.branch[name]
        ending = next((gate for gate, other in dag.otherwise.items() if other == name), None)
        edges += [
            Edge(other, name, "data" if other in data[name] else "if" if other == behind else "order")
            for other in dag.before[name]
            if other != ending
        ]
        if step.step_class == "Condition" and step.section.champion:
            champion = step.settings.champion_step
            nodes[champion] = Node(champion, "Lambda", model, behind=behind, made=True)
            edges.append(Edge(champion, name, "data"))
        cache = step.settings.enable_cache and step.step_class in CACHED
        branch: Literal["if", "else"] | None = "else" if ending else "if" if behind else None
        nodes[name] = Node(name, step.step_class, model, cache, ending or behind, branch)
        if ending:
            edges.append(Edge(ending, name, "else"))
        if step.step_class == "Condition" and name not in dag.otherwise:
            end = step.settings.own_fail_step
            nodes[end] = Node(end, "Fail", model, behind=name, branch="else", made=True)
            edges.append(Edge(name, end, "else"))
    names = _depth_first(list(nodes), edges)
    return Graph(configuration.pipeline.pipelineName, {name: nodes[name] for name in names}, tuple(edges))


def _depth_first(names: list[str], edges: list[Edge]) -> list[str]:
    """The names so that each comes after those before it, and, where it can, right after one of them."""
    after: dict[str, list[str]] = {name: [] for name in names}
    missing = dict.fromkeys(names, 0)
    for edge in edges:
        after[edge.start].append(edge.end)
        missing[edge.end] += 1
    position = {name: index for index, name in enumerate(names)}
    ready = [name for name in reversed(names) if not missing[name]]
    ordered = []
    while ready:
        name = ready.pop()
        ordered.append(name)
        freed = []
        for other in after[name]:
            missing[other] -= 1
            if not missing[other]:
                freed.append(other)
        # What nothing follows goes first: it ends its line at once.
        ready += sorted(freed, key=lambda item: (bool(after[item]), position[item]), reverse=True)
    return ordered
