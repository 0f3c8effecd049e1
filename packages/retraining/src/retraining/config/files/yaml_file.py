"""YAML files whose every value remembers its line, so that an error can name it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from retraining.errors import UserError, seen

Location = tuple[str | int, ...]
NODES = 100_000
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+")
# libyaml's, where PyYAML was built with it, is ten times as fast.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    """What a value without quotes is: as in YAML 1.1, but a date, 12:30 and 010 are texts."""
    kept = {}
    for first, found in _Base.yaml_implicit_resolvers.items():
        kept[first] = [
            (tag, re.compile(f"(?:{_INTEGER.pattern})$") if tag == _TAG + "int" else expression)
            for tag, expression in found
            if tag != _TAG + "timestamp"
        ]
    return kept


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers = _resolvers()


@dataclass(frozen=True)
class Document:
    """A value read from one file or several; `marks` says where each key path stands, ``path:line``."""

    content: Any
    marks: dict[Location, str] = field(repr=False)

    def where(self, location: Location) -> str:
        """``conf/project.yaml:7`` for a key path, or the place of the nearest key above it that is known."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.marks:
                return self.marks[location[:length]]
        return "the configuration"

    def with_content(self, content: Any) -> "Document":
        return Document(content, self.marks)


def dotted(location: Location) -> str:
    """``conf.models.m.train.channels.x.dataFiles[0]``, in one line whatever the keys are."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            part = part if part.isprintable() and len(part) <= 80 else seen(part)
            text += f".{part}" if text else part
    return text


def merge(base: Document, over: Document) -> Document:
    """`over` on top of `base`: mappings are merged key by key, everything else is replaced."""
    replaced: set[Location] = set()

    def combine(low: Any, high: Any, location: Location) -> Any:
        if isinstance(low, dict) and isinstance(high, dict):
            taken = {key: (*location, key) for key in high}
            replaced.update(here for key, here in taken.items() if key not in low)
            return low | {
                key: combine(low[key], value, taken[key]) if key in low else value
                for key, value in high.items()
            }
        replaced.add(location)
        return high

    def is_replaced(location: Location) -> bool:
        return any(location[:length] in replaced for length in range(len(location) + 1))

    content = combine(base.content, over.content, ())
    if not replaced:
        return Document(content, base.marks)
    marks = {location: mark for location, mark in base.marks.items() if not is_replaced(location)}
    marks |= {location: mark for location, mark in over.marks.items() if is_replaced(location)}
    return Document(content, marks)


def load(path: Path) -> Document:
    """Read one YAML document.

    Raises:
        UserError: the file is absent, unreadable, not YAML, or has keys twice: one line for each.
    """
    text = _text(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None, {(): f"{path}:1"})
        if "*" in text:  # aliases; without them a file is as large as it looks
            _require_finite(node, path)
        scan = _Scan(path)
        scan.visit(node, ())
        if scan.errors:
            raise UserError("\n".join(scan.errors))
        return Document(loader.construct_document(node), scan.marks)
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}:{_line(error)}: not valid YAML: {_problem(error)}") from None
    except RecursionError:
        raise UserError(f"{path}: not valid YAML: this nests too deeply") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML passes on what Python says of an impossible value.
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())[:200]}") from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        words = f"cannot be read as UTF-8 text: byte 0x{content[error.start]:02x} is none"
        raise UserError(f"{path}:{line}: {words}: save it as UTF-8") from None
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        words = f"not valid YAML: the character U+{ord(found[0]):04X} may not stand here"
        raise UserError(f"{path}:{line}: {words}")
    return text


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


# What libyaml says -> what people say.
_PROBLEMS = {
    "but found another document": "a second document begins here, after ---: a file holds one",
    "did not find expected alphabetic or numeric character": "a value with * or & before it stands in quotes",
}


def _problem(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, and where that began: a quote that nobody closes is missed at the end only."""
    problem = " ".join((error.problem or error.context or "").split())
    words = _PROBLEMS.get(problem, problem)[:200]
    began = error.context_mark.line + 1 if error.context_mark else _line(error)
    is_open = any(noun in (error.context or "") for noun in ("flow", "quoted", "simple key"))
    return f"{words}, in what begins on line {began}" if is_open and began != _line(error) else words


class _Scan:
    """One walk over a file's nodes: where each key stands, and which stand twice. Keys become texts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marks: dict[Location, str] = {}
        self.errors: list[str] = []

    def visit(self, node: yaml.Node, location: Location) -> None:
        self.marks.setdefault(location, f"{self.path}:{node.start_mark.line + 1}")
        if node.tag not in _PLAIN:
            self._add(
                node,
                location,
                f"the tag {node.tag.replace(_TAG, '!!')} is not supported: write a plain value",
            )
        elif node.tag == _TAG + "int" and len(node.value) > 1000:
            self._add(node, location, f"a number of {len(node.value)} digits cannot be read")
        elif isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, location)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*location, index))

    def _visit_mapping(self, node: yaml.MappingNode, location: Location) -> None:
        lines: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(key_node, location, "a key is a text, not a list or a mapping")
                continue
            if key_node.tag == _TAG + "merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            key_node.tag = _TAG + "str"
            key, line = str(key_node.value), key_node.start_mark.line + 1
            here = (*location, key)
            if key in lines:
                self._add(key_node, here, f"this key stands here again, first on line {lines[key]}: keep one")
                continue
            lines[key] = line
            self.marks[here] = f"{self.path}:{line}"
            self.visit(value_node, here)
        for item in merged:
            if isinstance(item, yaml.MappingNode):
                self._visit_merged(item, location, lines)

    def _visit_merged(self, node: yaml.MappingNode, location: Location, lines: dict[str, int]) -> None:
        """What `<<` brings stands where its anchor does; keys beside it win."""
        below = _Scan(self.path)
        below.visit(node, location)
        for place, mark in below.marks.items():
            if len(place) > len(location) and place[len(location)] not in lines:
                self.marks.setdefault(place, mark)

    def _add(self, node: yaml.Node, location: Location, message: str) -> None:
        key = f"{dotted(location)}: " if location else ""
        self.errors.append(f"{self.path}:{node.start_mark.line + 1}: {key}{message}")


def _require_finite(root: yaml.Node, path: Path) -> None:
    """Refuse an alias inside its own anchor, and aliases that multiply into something huge."""
    sizes: dict[int, int] = {}
    line = 0

    def size(node: yaml.Node) -> int:
        nonlocal line
        if id(node) not in sizes:
            sizes[id(node)] = NODES + 1  # found again below itself, it is counted as endless
            children = (
                [item for pair in node.value for item in pair] if isinstance(node, yaml.MappingNode) else []
            )
            children = list(node.value) if isinstance(node, yaml.SequenceNode) else children
            sizes[id(node)] = 1 + sum(size(child) for child in children)
            if sizes[id(node)] > NODES and not line:
                line = node.start_mark.line + 1
        return sizes[id(node)]

    if size(root) > NODES:
        words = f"aliases (*name) make this endless or larger than {NODES} values"
        raise UserError(f"{path}:{line}: not valid YAML: {words}")
