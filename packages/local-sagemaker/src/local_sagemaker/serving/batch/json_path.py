"""The JSONPath of batch transform's InputFilter and OutputFilter.

The operators are those of the Amazon SageMaker documentation ("Associate Prediction Results with
Input Records", supported JSONPath operators), and no others. As that page has it, a slice includes
its end: ``$[1:4]`` is the second to the fifth element.
"""

import re
from dataclasses import dataclass
from typing import Any

_NAME = r"(?:'[^']*'|\"[^\"]*\")"
_PART = re.compile(
    rf"\.(?P<name>[^.\[\]*'\",\s]+)|\.?(?P<star>\*|\[\*\])|\.?\[\s*(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)\s*\]"
    r"|\.?\[\s*(?P<items>[-\d:,\s]+)\]|\.(?=\*)"
)
_INDEX = re.compile(r"-?\d+")
_RANGE = re.compile(r"(-?\d+)?\s*:\s*(-?\d+)?")


class PathError(Exception):
    """A path that is none, or that leads to nothing in a record; one line."""


@dataclass(frozen=True)
class _Names:
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Items:
    """Positions; a pair is a range of them, its end included."""

    items: tuple[int | tuple[int | None, int | None], ...]


_Part = _Names | _Items | None  # None: everything (``*``)


@dataclass(frozen=True)
class JsonPath:
    """A checked path; `text` is how it was written."""

    text: str
    parts: tuple[_Part, ...]

    @property
    def takes_all(self) -> bool:
        """True for ``$``."""
        return not self.parts

    @property
    def is_positional(self) -> bool:
        """True when it can be applied to the row of a table: positions only, of one level."""
        return len(self.parts) <= 1 and not any(isinstance(part, _Names) for part in self.parts)

    @property
    def has_end(self) -> bool:
        """True when it holds a range with an end, whose inclusion may surprise."""
        ranges = [item for part in self.parts if isinstance(part, _Items) for item in part.items]
        return any(isinstance(item, tuple) and item[1] is not None for item in ranges)

    def select(self, value: Any) -> Any:
        """What the path leads to in a JSON value.

        One name or one position gives that element; several names an object of them; several
        positions, a range and ``*`` a list. Raises PathError where there is no such element.
        """
        for part in self.parts:
            value = self._step(part, value)
        return value

    def row(self, values: list[str]) -> list[str]:
        """`select` in the row of a table: always a row."""
        selected = self.select(values)
        return selected if isinstance(selected, list) else [selected]

    def _step(self, part: _Part, value: Any) -> Any:
        if part is None:
            if not isinstance(value, dict | list):
                raise PathError(f"{self.text}: there is nothing below {value!r}")
            return list(value.values()) if isinstance(value, dict) else list(value)
        if isinstance(part, _Names):
            members = {name: self._member(value, name) for name in part.names}
            return members if len(members) > 1 else members[part.names[0]]
        if not isinstance(value, list):
            raise PathError(f"{self.text}: a position needs a list, and there is {_shown(value)}")
        if len(part.items) == 1 and isinstance(part.items[0], int):
            return value[self._position(part.items[0], len(value))]
        return [value[index] for item in part.items for index in self._positions(item, len(value))]

    def _member(self, value: Any, name: str) -> Any:
        if not isinstance(value, dict) or name not in value:
            raise PathError(f"{self.text}: there is no {name!r} in {_shown(value)}")
        return value[name]

    def _position(self, index: int, length: int) -> int:
        if not -length <= index < length:
            raise PathError(f"{self.text}: index {index} is not within the {length} elements of the record")
        return index % length

    def _positions(self, item: int | tuple[int | None, int | None], length: int) -> range:
        if isinstance(item, int):
            position = self._position(item, length)
            return range(position, position + 1)
        start, end = item
        first = 0 if start is None else self._position(start, length)
        last = length - 1 if end is None else end + length if end < 0 else end
        return range(first, min(last, length - 1) + 1)


def parse(text: str) -> JsonPath:
    """Read a path. Raises PathError, naming what is not supported."""
    if not text.startswith("$"):
        raise PathError(f"Invalid JsonPath: {text}: it has to begin with $")
    parts: list[_Part] = []
    position = 1
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise PathError(
                f"Invalid JsonPath: {text}: {text[position:]!r} is not supported; supported are .name, *,"
                " ['name','name'], [1,3], [2:5]"
            )
        if parts and not _is_single(parts[-1]):
            raise PathError(f"Invalid JsonPath: {text}: nothing may follow *, several names or positions")
        if match[0] != ".":
            parts.append(_part(match, text))
        position = match.end()
    return JsonPath(text, tuple(parts))


def _part(match: re.Match[str], text: str) -> _Part:
    if match["name"] is not None:
        return _Names((match["name"],))
    if match["names"] is not None:
        return _Names(tuple(name[1:-1] for name in re.findall(_NAME, match["names"])))
    if match["items"] is None:
        return None
    items: list[int | tuple[int | None, int | None]] = []
    for word in match["items"].split(","):
        word = word.strip()
        if _INDEX.fullmatch(word):
            items.append(int(word))
        elif bounds := _RANGE.fullmatch(word):
            items.append((int(bounds[1]) if bounds[1] else None, int(bounds[2]) if bounds[2] else None))
        else:
            raise PathError(f"Invalid JsonPath: {text}: {word!r} is neither an index nor a range")
    if sum(isinstance(item, tuple) for item in items) > 1:
        raise PathError(
            f"Invalid JsonPath: {text}: only single range filters of format (eg: [1:5]) are supported."
            f" Format {match[0]} is not supported"
        )
    return _Items(tuple(items))


def _is_single(part: _Part) -> bool:
    if isinstance(part, _Names):
        return len(part.names) == 1
    return isinstance(part, _Items) and len(part.items) == 1 and isinstance(part.items[0], int)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."
