"""Edits of a YAML file's text at the positions of its values: comments and formatting stay as they are."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from retraining.errors import FileLine, Problem, UserError

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./:-]*")


class YamlText:
    """The text of one file in block style, its nodes, and the edits that are to be made in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open(encoding="utf-8", newline="") as file:
                self.text = file.read()
            self.root = yaml.compose(self.text, yaml.SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        self._lines = [0, *(match.end() for match in re.finditer("\n", self.text)), len(self.text)]
        self._edits: dict[tuple[int, int], str] = {}

    def find(self, *keys: str) -> tuple[yaml.Node, yaml.Node] | None:
        """Key and value at a path of keys; None where one of them is absent."""
        entry: tuple[yaml.Node, yaml.Node] | None = None
        node = self.root
        for key in keys:
            entry = item(node, key)
            if entry is None:
                return None
            node = entry[1]
        return entry

    def block(self, *keys: str) -> tuple[int, int] | None:
        """Offsets of the lines of a key and its value: start of the first, start of the line after the last.

        Raises:
            UserError: the key is inside braces, so that it has no lines of its own.
        """
        entry = self.find(*keys)
        if entry is None:
            return None
        key, value = entry
        start = self._lines[key.start_mark.line]
        if self.text[start : key.start_mark.index].strip():
            place = FileLine(str(self.path), key.start_mark.line + 1)
            raise UserError(Problem(place, keys, "write it in lines of its own, without braces around it"))
        return start, self.after(value)

    def start_of_line(self, node: yaml.Node) -> int:
        """Offset of the start of the line in which a value starts."""
        return self._lines[node.start_mark.line]

    def after(self, node: yaml.Node) -> int:
        """Offset of the start of the line after a value's last one."""
        last = max(_last_line(node), node.start_mark.line)
        while last > node.start_mark.line and not self.text[self._lines[last] : self._end(last)].strip():
            last -= 1
        return self._end(last)

    def _end(self, line: int) -> int:
        return self._lines[min(line + 1, len(self._lines) - 1)]

    def replace(self, node: yaml.Node, value: str) -> None:
        """Another value for a scalar; one in quotes keeps them."""
        style = node.style if isinstance(node, yaml.ScalarNode) else None
        if style in ("'", '"'):
            shown = f"{style}{value}{style}"
        else:
            shown = value if _PLAIN.fullmatch(value) else json.dumps(value, allow_nan=False)
        self.substitute(node.start_mark.index, node.end_mark.index, shown)

    def substitute(self, start: int, end: int, text: str) -> None:
        """Replace the text between two offsets."""
        self._edits[start, end] = text

    def insert_lines(self, offset: int, text: str) -> None:
        """Put lines before the line that starts at the offset."""
        before = "" if offset == 0 or self.text[offset - 1] == "\n" else "\n"
        self._edits[offset, offset] = (before + text).replace("\n", self.newline)

    def cut(self, start: int, end: int) -> None:
        """Leave lines out, with the blank lines and the comments directly above them."""
        lines = self.text[:start].splitlines(keepends=True)
        while lines and lines[-1].lstrip().startswith("#"):
            start -= len(lines.pop())
        while lines and not lines[-1].strip():
            start -= len(lines.pop())
        self._edits[start, end] = ""

    def comments(self) -> Iterator[tuple[int, int]]:
        """Offsets of the comments."""
        scalars = sorted(
            (node.start_mark.index, node.end_mark.index)
            for node in nodes(self.root)
            if isinstance(node, yaml.ScalarNode)
        )
        for match in re.finditer(r"(?m)(?:^|(?<=\s))#.*$", self.text):
            if not any(start <= match.start() < end for start, end in scalars):
                yield match.span()

    def render(self, start: int = 0, end: int | None = None) -> str:
        """The edited text between two offsets; of two edits, one inside the other, the outer counts."""
        end = len(self.text) if end is None else end
        parts, at = [], start
        for (first, last), text in sorted(self._edits.items(), key=_insertions_first):
            if first >= at and last <= end:
                parts += [self.text[at:first], text]
                at = last
        return "".join([*parts, self.text[at:end]])


def _insertions_first(edit: tuple[tuple[int, int], str]) -> tuple[int, bool, int]:
    """The order of edits: of those that begin at one place, what is put before it, then the longest."""
    (start, end), _ = edit
    return start, end > start, -end


def item(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Key and value of a mapping; None where `node` is none or lacks the key."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next(((name, value) for name, value in pairs if name.value == key), None)


def value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value alone."""
    entry = item(node, key)
    return entry[1] if entry else None


def nodes(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """A node and all below it, keys included."""
    if node is None:
        return
    yield node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from nodes(key)
            yield from nodes(value)
    elif isinstance(node, yaml.SequenceNode):
        for below in node.value:
            yield from nodes(below)


def _last_line(node: yaml.Node) -> int:
    """Line of a node's last character; PyYAML ends a block only where the next one begins."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        end = node.end_mark
        return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)
    below = (
        [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    )
    return max(map(_last_line, below), default=node.start_mark.line)


def reindented(text: str, by: int) -> str:
    """Lines moved to the right, or to the left where `by` is negative."""
    lines = text.splitlines()
    moved = [" " * by + line if by > 0 else line[-by:] for line in lines]
    return "".join(f"{line}\n" if line.strip() else "\n" for line in moved)


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole: a reader sees the old or the new one, also after a crash."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    if path.exists():
        shutil.copymode(path, draft)
    os.replace(draft, path.resolve())
