"""YAML files whose every value remembers its line, so that an error can name it."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from retraining.errors import UserError

Location = tuple[str | int, ...]
NODES = 100_000


@dataclass(frozen=True)
class YamlFile:
    """A parsed file: `content`, and for each key path the line (from 1) on which it stands."""

    path: Path
    content: Any
    lines: dict[Location, int] = field(repr=False)

    def where(self, location: Location) -> str:
        """``conf/project.yaml:7`` for a key path, or the nearest line above it that is known."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return f"{self.path}:{self.lines[location[:length]]}"
        return str(self.path)


def load(path: Path) -> YamlFile:
    """Read one YAML document.

    Raises:
        UserError: the file is absent, unreadable, not YAML, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    lines: dict[Location, int] = {}
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _require_finite(node, path)
            _record(node, (), lines, path)
        content = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML passes on what Python says of an impossible date, number or nesting.
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
    return YamlFile(path, content, lines)


def _record(node: yaml.Node, location: Location, lines: dict[Location, int], path: Path) -> None:
    lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: dict[Hashable, int] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if isinstance(key, str) and key != "<<":
                if key in seen:
                    raise UserError(
                        f"{path}:{line}: key {key!r} stands here again, first on line {seen[key]}: keep one"
                    )
                seen[key] = line
                lines[(*location, key)] = line
                _record(value_node, (*location, key), lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _record(item, (*location, index), lines, path)


def _require_finite(root: yaml.Node, path: Path) -> None:
    """Refuse an alias inside its own anchor, and aliases that multiply into something huge."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = NODES + 1  # found again below itself, it is counted as endless
            children = (
                [item for pair in node.value for item in pair] if isinstance(node, yaml.MappingNode) else []
            )
            children = list(node.value) if isinstance(node, yaml.SequenceNode) else children
            sizes[id(node)] = 1 + sum(size(child) for child in children)
        return sizes[id(node)]

    if size(root) > NODES:
        raise UserError(f"{path}: aliases (*name) make this file endless or larger than {NODES} values")
