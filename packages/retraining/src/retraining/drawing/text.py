"""The graph in a terminal: one line per step, and on the left the lines that connect them."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from retraining.console import out
from retraining.drawing.graph import Graph, Node

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
_MARKS = {"Condition": "◆", "Fail": "✗"}
_STEP = "●"
# By whether it leads up, down, left, right.
_CORNERS = {
    "ud": "│", "lr": "─", "udr": "├", "udl": "┤", "udlr": "┼", "ur": "╰", "ul": "╯", "ulr": "┴",
}  # fmt: skip
_ASCII = str.maketrans("│─├┤┼╰╯┴●◆✗…", "|-++++++*?x~")
_LEGEND = f"{_STEP} step  ◆ condition  ✗ the run fails  cache: reused while its inputs stay the same"
_LIST = "more parallel branches than fit here, so a list; --svg FILE draws them"
_NARROWEST_REMARK = 12


@dataclass(frozen=True)
class Row:
    """One step: the lines left of its mark, and right of it; without a step, the lines between two."""

    node: Node | None
    left: str
    right: str


def show(graph: Graph) -> None:
    """Print the graph as wide as the terminal is."""
    console = out()
    for line in lines(graph, console.width, _is_ascii(console)):
        console.print(line, soft_wrap=True)


def _is_ascii(console: Console) -> bool:
    return not console.encoding.startswith("utf")


def lines(graph: Graph, width: int, ascii_only: bool = False) -> Iterator[Text]:
    """The graph's lines, none longer than `width` where the names allow it."""
    yield Text(_title(graph), style="bold")
    drawn = list(rows(graph))
    wide = 2 + max(len(row.left) + 1 + len(row.right.rstrip()) for row in drawn)
    is_list = wide > max(18, width // 3)
    if is_list:
        drawn, wide = [Row(node, "", "") for node in graph.nodes.values()], 0
    columns = _Columns.for_width(graph, width - wide)
    for row in drawn:
        line = Text(row.left, style="dim")
        if row.node is not None:
            colour = COLOURS[graph.models.index(row.node.model) % len(COLOURS)]
            if not is_list:
                mark = _MARKS.get(row.node.step_class, _STEP)
                line.append(mark, style="red" if _is_fail(row.node) else colour)
                line.append(row.right.rstrip(), style="dim")
                line.append(" " * (wide - len(line)))
            line.append_text(columns.line(row.node, colour, _remarks(graph, row.node, is_list)))
        line.rstrip()
        yield _plain(line) if ascii_only else line
    legend = _LIST if is_list else _LEGEND if width >= len(_LEGEND) else _LEGEND.partition("  cache")[0]
    last = Text(_cut(legend, width), style="dim")
    yield _plain(last) if ascii_only else last


def _plain(line: Text) -> Text:
    return Text(line.plain.translate(_ASCII), spans=line.spans)


def _is_fail(node: Node) -> bool:
    return node.step_class == "Fail"


def _title(graph: Graph) -> str:
    steps, models = len(graph.nodes), len(graph.models)
    return f"{graph.pipeline}: {steps} step{'s'[: steps > 1]}, {models} model{'s'[: models > 1]}"


def rows(graph: Graph) -> Iterator[Row]:
    """Each step's line. A lane is held by a step until the last step after it is drawn."""
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    waiting = dict.fromkeys(graph.nodes, 0)
    for edge in graph.shortest:
        before[edge.end].append(edge.start)
        waiting[edge.start] += 1
    lanes: list[str | None] = []
    last = -1  # the lane of the step above
    for name, node in graph.nodes.items():
        for parent in before[name]:
            waiting[parent] -= 1
        met = {lanes.index(parent) for parent in before[name]}
        ended = {lane for lane in met if not waiting[lanes[lane] or ""]}
        place = min(ended) if ended else _free(lanes, max(met, default=-1) + 1)
        if place == len(lanes):
            lanes.append(None)
        signs = [_sign(lane, place, met, ended, lanes) for lane in range(len(lanes))]
        if place == last and place not in met:  # else it would seem to follow the step above
            yield Row(None, " ".join("│" if lane else " " for lane in lanes).rstrip(), "")
        last = place
        low, high = min(met | {place}), max(met | {place})
        left = "".join(sign + ("─" if low <= lane else " ") for lane, sign in enumerate(signs[:place]))
        right = "".join(
            ("─" if lane <= high else " ") + sign for lane, sign in enumerate(signs[place + 1 :], place + 1)
        )
        yield Row(node, left, right)
        for lane in ended:
            lanes[lane] = None
        lanes[place] = name if waiting[name] else None
        while lanes and lanes[-1] is None:
            lanes.pop()


def _free(lanes: list[str | None], start: int) -> int:
    """The first free lane from `start` on, or a new one."""
    return next((lane for lane in range(start, len(lanes)) if lanes[lane] is None), len(lanes))


def _sign(lane: int, place: int, met: set[int], ended: set[int], lanes: list[str | None]) -> str:
    """The sign in a lane next to the step in lane `place`, which follows those in the lanes `met`."""
    inside = min(met | {place}) < lane < max(met | {place})
    if lane not in met:
        return "│" if lanes[lane] is not None else "─" if inside else " "
    down = "" if lane in ended else "d"
    left = "l" if inside or lane > place else ""
    right = "r" if inside or lane < place else ""
    return _CORNERS.get(f"u{down}{left}{right}", "│")


def _remarks(graph: Graph, node: Node, with_order: bool) -> list[tuple[str, list[str]]]:
    """Words and names: the condition of the step, what it reads, what it waits for."""
    remarks = []
    if node.behind:
        remarks.append((f"{node.branch}", [node.behind]))
    kinds = [("reads", "data"), *([("after", "order")] if with_order else [])]
    for word, kind in kinds:
        names = [edge.start for edge in graph.before[node.name] if edge.kind == kind]
        if names:
            remarks.append((word, names))
    return remarks


@dataclass(frozen=True)
class _Columns:
    """How wide each column is; 0 leaves it out."""

    name: int
    step_class: int
    model: int
    cache: int
    remark: int

    @classmethod
    def for_width(cls, graph: Graph, width: int) -> "_Columns":
        nodes = graph.nodes.values()
        name = max(len(node.name) for node in nodes)
        step_class = max(len(node.step_class) for node in nodes) + 2
        model = max(map(len, graph.models)) + 2 if len(graph.models) > 1 else 0
        cache = 7 if any(node.cache for node in nodes) else 0
        for kept in ((step_class, model, cache), (step_class, 0, cache), (0, 0, cache), (0, 0, 0)):
            rest = width - name - sum(kept) - 2
            if rest >= _NARROWEST_REMARK:
                return cls(name, *kept, rest)
        return cls(max(8, min(name, width)), 0, 0, 0, 0)

    def line(self, node: Node, colour: str, remarks: list[tuple[str, list[str]]]) -> Text:
        name = Text(_cut(node.name, self.name).ljust(self.name), style="red" if _is_fail(node) else "")
        if self.step_class:
            name.append("  " + node.step_class.ljust(self.step_class - 2), style="dim")
        if self.model:
            name.append("  " + node.model.ljust(self.model - 2), style=colour)
        if self.cache:
            name.append("  " + ("cache" if node.cache else "").ljust(self.cache - 2), style="green")
        if self.remark and remarks:
            name.append("  " + _fit(remarks, self.remark))
        return name


def _fit(remarks: list[tuple[str, list[str]]], width: int) -> str:
    """As many names as fit, and how many more there are."""
    texts: list[str] = []
    for word, names in remarks:
        room = width - len("; ".join([*texts, ""]))
        if room > len(word) + 4:
            texts.append(_named(word, names, room))
    return "; ".join(texts)


def _named(word: str, names: list[str], width: int) -> str:
    for shown in range(len(names), 0, -1):
        more = f" +{len(names) - shown}" if shown < len(names) else ""
        text = f"{word} {', '.join(names[:shown])}{more}"
        if len(text) <= width:
            return text
    return _cut(f"{word} {', '.join(names)}", width)


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…"[:width]
