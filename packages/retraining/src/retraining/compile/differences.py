"""Where two JSON values differ, and how to say it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retraining.compile.compiled import is_expression

_NAMES = ("InputName", "OutputName", "ChannelName", "PropertyFileName", "Name", "Key")
_LONGEST = 70
# An input or an output as a whole: its name says more than its parts.
_NAMED = re.compile(
    r"(?:.+\.)?(?:(ProcessingInputs|InputDataConfig)|ProcessingOutputConfig\.Outputs)\.([^.]+)"
)
_SIGNS = {
    "Equals": "==",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}
ABSENT = None


@dataclass(frozen=True)
class Difference:
    """A value at `path` that was `old` and is `new`; None stands for no value."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.old is ABSENT or self.new is ABSENT:
            named = _NAMED.fullmatch(self.path)
            value = words(self.old if self.new is ABSENT else self.new)
            what = f"{'input' if named[1] else 'output'} {named[2]}" if named else f"{self.path}: {value}"
            return f"{what} is {'gone' if self.new is ABSENT else 'new'}"
        return f"{self.path}: {words(self.old)} -> {words(self.new)}"


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
    """A value as people read it, a reference as its path: at most `_LONGEST` characters, conditions apart."""
    if isinstance(value, str):
        text = value.partition("\0")[0]
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]  # hyperparameters are JSON texts
    elif is_expression(value):
        text = _expression(value)
    elif isinstance(value, list) and value and all(map(_is_condition, value)):
        return " and ".join(map(_condition, value))
    else:
        text = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
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
    if function == "Std:JsonGet" and is_expression(argument.get("PropertyFile")):
        return f"{argument.get('Path')} of {_expression(argument['PropertyFile'])}"
    return json.dumps(argument, ensure_ascii=False, allow_nan=False)


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and value.get("Type") in (*_SIGNS, "In", "Not", "Or")


def _condition(value: dict[str, Any]) -> str:
    """A condition of a Condition step: ``Parameters.Epochs > 3``."""
    match value:
        case {"Type": "Not", "Condition": dict(inner)} if _is_condition(inner):
            return f"not ({_condition(inner)})"
        case {"Type": "Or", "Conditions": list(inner)} if all(map(_is_condition, inner)):
            return f"({' or '.join(map(_condition, inner))})"
        case {"Type": "In", "QueryValue": query, "Values": values}:
            return f"{words(query)} in {words(values)}"
        case {"Type": str(kind), "LeftValue": left, "RightValue": right} if kind in _SIGNS:
            return f"{words(left)} {_SIGNS[kind]} {words(right)}"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
