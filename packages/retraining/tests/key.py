"""A configuration key and where a compilation shows its effect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keyed_project import Compiled

SAME = "<the value>"


@dataclass(frozen=True)
class Key:
    """`value`, set at `path`, shows as `expected` at `place`; or `shows` tells whether it is honoured.

    Keys of one `variant` are compiled together. `beside` are settings that the key needs.
    """

    path: str
    value: Any
    place: str = ""
    expected: Any = SAME
    shows: Callable[[Compiled], bool] | None = None
    variant: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.path} -> {self.place or 'its effect'}"

    def is_honoured(self, compilation: Compiled) -> bool:
        if self.shows is not None:
            return self.shows(compilation)
        return bool(compilation.at(self.place) == (self.value if self.expected is SAME else self.expected))


Row = tuple[str, Any, str] | tuple[str, Any, str, Any]


def keys(
    here: str, at: str, rows: Iterable[Row], variant: str = "", beside: Mapping[str, Any] | None = None
) -> list[Key]:
    """Keys below `here` that show below `at`; `beside` stands below `here` too."""
    settings = {f"{here}/{path}": value for path, value in (beside or {}).items()}
    return [
        Key(f"{here}/{row[0]}", row[1], f"{at}/{row[2]}".lstrip("/"), expected, None, variant, settings)
        for row in rows
        for expected in (row[3] if len(row) == 4 else SAME,)
    ]


def in_uploads(words: str, place: str) -> Callable[[Compiled], bool]:
    """Whether an object below the URI at `place` holds the words."""

    def shows(compilation: Compiled) -> bool:
        return any(words.encode() in body for body in compilation.uploaded(compilation.at(place)).values())

    return shows


def joined(*parts: Any) -> dict[str, Any]:
    """A URI that the definition joins."""
    return {"Std:Join": {"On": "/", "Values": list(parts)}}
