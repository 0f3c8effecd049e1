"""Requests and responses against SageMaker's own service model, as botocore carries it.

botocore checks required members and types before it sends, and nothing else; the service also
checks lengths, ranges, enumerations and patterns. This module does all of it, in the service's
words, so that what passes here passes there.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model

from local_sagemaker.core.errors import SerializationError, UnknownOperation, ValidationError
from local_sagemaker.core.store import Document

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "structure": ("Structure", (dict,)),
    "map": ("Map", (dict,)),
    "list": ("List", (list,)),
    "string": ("String", (str,)),
    "blob": ("String", (str,)),
    "integer": ("Integer", (int,)),
    "long": ("Integer", (int,)),
    "float": ("Float", (int, float)),
    "double": ("Float", (int, float)),
    "boolean": ("Boolean", (bool,)),
    "timestamp": ("Timestamp", (int, float)),
}
_NAMES = {dict: "Structure", list: "List", str: "String", bool: "Boolean", int: "Integer", float: "Float"}
_DIALECT = {r"\p{Alnum}": "A-Za-z0-9", r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF"}
_PRESENT = "Member must not be null"
_MANY = 5  # problems named in one message
_SHOWN = 80  # characters of a refused value that are shown
_DEEPEST = 100  # levels of a JSON document

Skip = Callable[[object], bool]


@cache
def model() -> Any:
    """botocore's ``ServiceModel`` of SageMaker."""
    return botocore.model.ServiceModel(
        botocore.loaders.Loader().load_service_model("sagemaker", "service-2"), "sagemaker"
    )


def input_shape(operation: str) -> Any:
    """The shape of `operation`'s request; raises UnknownOperation when there is no such operation."""
    if operation not in model().operation_names:
        raise UnknownOperation(f"SageMaker has no operation {operation!r}")
    return model().operation_model(operation).input_shape


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError for what is no JSON or nested too deeply, and, naming its path, for a number that
    JSON does not know (NaN, Infinity) or that no double holds (1e999).
    """
    try:
        value = json.loads(text, parse_constant=_Refused, parse_float=_float, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {_DEEPEST} levels") from None
    level = [("", value)]
    for _ in range(_DEEPEST):
        for path, item in level:
            if isinstance(item, _Refused):
                raise ValueError(f"{path}: {item.words}" if path else item.words)
        level = [inner for path, item in level for inner in _items(path, item)]
        if not level:
            return value
    raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def without_nulls(value: Any) -> Any:
    """`value` without members that are null: the service reads them as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def validate(operation: str, request: Any) -> Document:
    """The request without nulls; raises ValidationError, in the service's words, when it breaks the model."""
    checked: Document = without_nulls(request)
    problems = list(check(input_shape(operation), checked))
    if problems:
        raise ValidationError(describe(problems))
    return checked


def check_types(operation: str, request: Any) -> None:
    """Raise SerializationError for the first member that has another type than the model says.

    The service reads a request into its model before it validates it. The words are AWS's, the path is not.
    """
    for path, problem in _mistyped(input_shape(operation), without_nulls(request)):
        raise SerializationError(f"{problem} (at '{path}')" if path else problem)


def require(request: Document, *members: str) -> None:
    """Raise ValidationError, in the service's words, where `request` lacks `members` that the service wants
    and the model does not."""
    if absent := [_problem(None, _member(name), _PRESENT) for name in members if name not in request]:
        raise ValidationError(describe(absent))


def describe(problems: list[str]) -> str:
    """The service's sentence about a list of problems."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    more = [f"and {len(problems) - _MANY} more"] if len(problems) > _MANY else []
    return f"{count}: {'; '.join(problems[:_MANY] + more)}"


def check(
    shape: Any, value: Any, path: str = "", skip: Skip = lambda _: False, absent: frozenset[str] = frozenset()
) -> Iterator[str]:
    """What is wrong with `value` as an instance of botocore's `shape`, one sentence per problem.

    Values for which `skip` is true (expressions that are not resolved yet) count as right. Members
    named in `absent` may be missing from the outermost structure.
    """
    if skip(value):
        return
    expected, types = _TYPES[shape.type_name]
    if not _is_one(value, types):
        actual = _NAMES.get(type(value), "null")
        yield _problem(value, path, f"Member must be of type {expected}, not {actual}")
        return
    yield from _check_bounds(shape, value, path)
    if shape.type_name == "structure":
        yield from _check_structure(shape, value, path, skip, absent)
    elif shape.type_name == "list":
        for index, item in enumerate(value, start=1):
            yield from check(shape.member, item, f"{path}.{index}.member", skip)
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from check(shape.key, key, f"{path}.{key}.key", skip)
            yield from check(shape.value, item, f"{path}.{key}", skip)


def _mistyped(shape: Any, value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where `value` is not of the types of `shape`, and what the service says of it."""
    expected, types = _TYPES[shape.type_name]
    if not _is_one(value, types):
        yield path, _unexpected(value, expected)
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from _mistyped(member, value[name], f"{path}.{_member(name)}".lstrip("."))
    elif shape.type_name == "list":
        for index, item in enumerate(value, start=1):
            yield from _mistyped(shape.member, item, f"{path}.{index}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _mistyped(shape.value, item, f"{path}.{key}")


def _unexpected(value: Any, expected: str) -> str:
    if isinstance(value, list):
        return "Start of list found where not expected"
    if isinstance(value, dict):
        return "Start of structure or map found where not expected."
    if expected in ("Structure", "Map", "List"):
        return "Unexpected field type"
    if isinstance(value, bool):
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        token = {str: "STRING_VALUE", type(None): "NULL_VALUE"}.get(type(value), "NUMBER_VALUE")
    return f"{token} can not be converted to {'an' if expected == 'Integer' else 'a'} {expected}"


def serialise(operation: str, response: Document) -> Document:
    """`response` with the members that the operation's output has, and no others; times as epoch seconds."""
    shape = model().operation_model(operation).output_shape
    if shape is None:
        return {}
    serialised: Document = _serialise(shape, response)
    return serialised


def _serialise(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _serialise(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [_serialise(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: _serialise(shape.value, item) for key, item in value.items()}
    return value.timestamp() if isinstance(value, datetime) else value


def _check_structure(
    shape: Any, value: Document, path: str, skip: Skip, absent: frozenset[str]
) -> Iterator[str]:
    prefix = path + "." if path else ""
    for name in shape.required_members:
        if name not in value and name not in absent:
            yield _problem(None, prefix + _member(name), _PRESENT)
    for name, item in value.items():
        if name in shape.members:
            yield from check(shape.members[name], item, prefix + _member(name), skip)
        else:
            known = ", ".join(sorted(shape.members))
            yield f"Unknown member '{name}' at '{path or shape.name}'; known: {known}"


def _check_bounds(shape: Any, value: Any, path: str) -> Iterator[str]:
    rules = shape.metadata
    measure = "value" if isinstance(value, int | float) else "length"
    size = value if measure == "value" else len(value)
    if "min" in rules and size < rules["min"]:
        yield _problem(value, path, f"Member must have {measure} greater than or equal to {rules['min']}")
    if "max" in rules and size > rules["max"]:
        yield _problem(value, path, f"Member must have {measure} less than or equal to {rules['max']}")
        return
    if not isinstance(value, str):
        return
    if rules.get("enum") and value not in rules["enum"]:
        yield _problem(value, path, f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]")
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        yield _problem(value, path, f"Member must satisfy regular expression pattern: {rules['pattern']}")


class _Refused:
    """Stands for a number in a JSON text until its path is known."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        is_word = text.lstrip("-").isalpha()
        self.words = f"{shown} is not a number {'of JSON' if is_word else 'that a double holds'}"


def _float(text: str) -> float | _Refused:
    value = float(text)
    return value if math.isfinite(value) else _Refused(text)


def _integer(text: str) -> int | _Refused:
    return int(text) if math.isfinite(float(text)) else _Refused(text)


def _items(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values in a mapping or list, each with its path, such as ``metrics[0].auc``."""
    if isinstance(value, dict):
        yield from ((f"{path}.{name}" if path else name, item) for name, item in value.items())
    elif isinstance(value, list):
        yield from ((f"{path}[{index}]", item) for index, item in enumerate(value))


def _is_one(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _problem(value: Any, path: str, constraint: str) -> str:
    text = str(value)
    shown = "null" if value is None else f"'{text if len(text) <= _SHOWN else text[:_SHOWN] + '...'}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _member(name: str) -> str:
    return name[:1].lower() + name[1:]


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the model, which is Java's dialect, for Python: Unicode categories become ranges."""
    for java, python in _DIALECT.items():
        pattern = pattern.replace(java, python)
    pattern = re.sub(r"\$\{\d+,\d+\}$", "", pattern)  # a repeated end of the text
    return re.compile(re.sub(r"\\p\{(\w)\}", lambda match: _category(match[1]), pattern))


@cache
def _category(letter: str) -> str:
    """The characters of a Unicode general category as the inside of a character class."""
    codes = [code for code in range(0x20000) if unicodedata.category(chr(code)).startswith(letter)]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
