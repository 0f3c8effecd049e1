"""Where two JSON values differ, and how to say it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retraining.compiled import is_expression

_NAMES = ("InputName", "OutputName", "ChannelName", "PropertyFileName", "Name", "Key")
_LONGEST = 70
ABSENT = None


@dataclass(frozen=True)
class Difference:
    """At `path`, `old` stood and `new` stands; None is nothing."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.old is ABSENT:
            return f"{self.path}: {words(self.new)} is new"
        if self.new is ABSENT:
            return f"{self.path}: {words(self.old)} is gone"
        return f"{self.path}: {words(self.old)} -> {words(self.new)}"

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "old": self.old, "new": self.new}


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Each innermost place where `old` and `new` differ.

    Named objects in a list are compared by name, command line arguments by option.
    """
    old, new = _by_name(old), _by_name(new)
    if old == new and type(old) is type(new):
        return
    if _is_open(old) and _is_open(new):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield Difference(path, old, new)


def _is_open(value: Any) -> bool:
    return isinstance(value, dict) and not is_expression(value)


def _by_name(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        return value
    for member in _NAMES:
        if all(isinstance(item, dict) and isinstance(item.get(member), str) for item in value):
            named = {item[member]: {k: v for k, v in item.items() if k != member} for item in value}
            if len(named) == len(value):
                return named
    if all(isinstance(item, str) and item.startswith("--") for item in value[::2]) and len(value) % 2 == 0:
        options = dict(zip(value[::2], value[1::2], strict=True))
        return options if len(options) * 2 == len(value) else value
    return value


def words(value: Any) -> str:
    """A value as people read it, at most `_LONGEST` characters: a reference as its path."""
    if isinstance(value, str):
        text = value.partition("\0")[0]
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]  # hyperparameters are JSON texts
    elif is_expression(value):
        text = _expression(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) or "''"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2 - 1]}...{text[-_LONGEST // 2 + 2 :]}"


def _expression(value: Any) -> str:
    ((function, argument),) = value.items()
    if function == "Get":
        return str(argument)
    if function == "Std:Join":
        parts = (
            f"{{{_expression(item)}}}" if is_expression(item) else str(item) for item in argument["Values"]
        )
        return str(argument.get("On", "")).join(parts)
    return json.dumps(argument, ensure_ascii=False)
