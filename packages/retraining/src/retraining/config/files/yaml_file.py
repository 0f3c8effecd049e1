"""YAML files whose every value remembers its line, so that an error can name it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from retraining.errors import FileLine, Location, Problem, Source, UserError

NODES = 100_000
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))
# YAML 1.1 takes 1e-5 and 1.0e5 for texts.
_EXPONENT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+")
# libyaml's, where PyYAML was built with it, is ten times as fast.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    """What a value without quotes is: as in YAML 1.1, but a date, 12:30 and 010 are texts, and 1e-5 is a
    number, as in YAML 1.2."""
    kept = {}
    for first, resolvers in _Base.yaml_implicit_resolvers.items():
        kept[first] = [
            (tag, re.compile(f"(?:{_INTEGER.pattern})$") if tag == _TAG + "int" else expression)
            for tag, expression in resolvers
            if tag != _TAG + "timestamp"
        ]
    for first in "-+.0123456789":
        kept[first].append((f"{_TAG}float", _EXPONENT))
    return kept


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers = _resolvers()


@dataclass(frozen=True)
class Document:
    """A value read from one file or several; `marks` says where each key path was read."""

    content: Any
    marks: Mapping[Location, Source] = field(repr=False)

    def where(self, key: Location) -> Source | None:
        """Where a key was read, or the nearest key above it that was read; None where none was."""
        for length in range(len(key), -1, -1):
            if key[:length] in self.marks:
                return self.marks[key[:length]]
        return None

    def with_content(self, content: Any) -> "Document":
        return Document(content, self.marks)


EMPTY = Document({}, {})


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
        UserError: the file is absent, unreadable, not YAML, or has keys twice: a problem for each.
    """
    text = _text(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None, {(): FileLine(str(path), 1)})
        if "*" in text:  # aliases; without them a file is as large as it looks
            _require_finite(node, path)
        scan = _Scan(str(path))
        scan.visit(node, ())
        if scan.problems:
            raise UserError(*scan.problems)
        return Document(loader.construct_document(node), scan.marks)
    except yaml.MarkedYAMLError as error:
        raise _refusal(path, f"not valid YAML: {_problem(error)}", _line(error)) from None
    except RecursionError:
        raise _refusal(path, "not valid YAML: this nests too deeply") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML passes on what Python says of an impossible value.
        raise _refusal(path, f"not valid YAML: {' '.join(str(error).split())[:200]}") from None


def _refusal(path: Path, words: str, line: int | None = None) -> UserError:
    return UserError(Problem(FileLine(str(path), line), (), words))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _refusal(path, "no such file") from None
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        words = f"cannot be read as UTF-8 text: invalid byte 0x{content[error.start]:02x}"
        raise _refusal(path, f"{words}: save it as UTF-8", line) from None
    if forbidden := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, forbidden.start()) + 1
        words = f"not valid YAML: the character U+{ord(forbidden[0]):04X} is not allowed here"
        raise _refusal(path, words, line)
    return text


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


# What libyaml says -> what people say.
_PROBLEMS = {
    "but found another document": "a second document begins here, after ---: a file holds one",
    "did not find expected alphabetic or numeric character": "a value that begins with * or & needs quotes",
}


def _problem(error: yaml.MarkedYAMLError) -> str:
    """The problem, and where it began: an unclosed quote is noticed only at the end of the file."""
    problem = " ".join((error.problem or error.context or "").split())
    words = _PROBLEMS.get(problem, problem)[:200]
    began = error.context_mark.line + 1 if error.context_mark else _line(error)
    is_open = any(noun in (error.context or "") for noun in ("flow", "quoted", "simple key"))
    return f"{words}, in what begins on line {began}" if is_open and began != _line(error) else words


class _Scan:
    """One walk over a file's nodes: the line of each key, and which keys are repeated. Keys become texts."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[Location, FileLine] = {}
        self.problems: list[Problem] = []

    def visit(self, node: yaml.Node, key: Location) -> None:
        self.marks.setdefault(key, self._place(node))
        if node.tag not in _PLAIN:
            tag = node.tag.replace(_TAG, "!!")
            self._add(node, key, f"the tag {tag} is not supported: write a plain value")
        elif node.tag == _TAG + "int" and len(node.value) > 1000:
            self._add(node, key, f"a number of {len(node.value)} digits cannot be read")
        elif isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, key)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*key, index))

    def _visit_mapping(self, node: yaml.MappingNode, key: Location) -> None:
        lines: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self._add(name_node, key, "a key is a string, not a list or a mapping")
                continue
            if name_node.tag == _TAG + "merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            name_node.tag = _TAG + "str"
            name, place = str(name_node.value), self._place(name_node)
            here = (*key, name)
            if name in lines:
                words = f"duplicate key, first on line {lines[name]}: keep one"
                self._add(name_node, here, words)
                continue
            lines[name] = place.line or 0
            self.marks[here] = place
            self.visit(value_node, here)
        for item in merged:
            if isinstance(item, yaml.MappingNode):
                self._visit_merged(item, key, lines)

    def _visit_merged(self, node: yaml.MappingNode, key: Location, lines: dict[str, int]) -> None:
        """What `<<` brings is marked where its anchor is; the mapping's own keys win."""
        scan = _Scan(self.file)
        scan.visit(node, key)
        for below, mark in scan.marks.items():
            if len(below) > len(key) and below[len(key)] not in lines:
                self.marks.setdefault(below, mark)

    def _place(self, node: yaml.Node) -> FileLine:
        return FileLine(self.file, node.start_mark.line + 1)

    def _add(self, node: yaml.Node, key: Location, words: str) -> None:
        self.problems.append(Problem(self._place(node), key, words))


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
        raise _refusal(path, f"not valid YAML: {words}", line)
