"""JSON as its standard has it (RFC 8259): no NaN, no Infinity, and no name twice in an object.

Python's own module reads and writes them, and SageMaker, like most programs, refuses the whole document then.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from job_toolkit.failure import InputError


def dumps(value: Any, **options: Any) -> str:
    """`value` as json.dumps writes it with these options.

    Raises InputError naming the path of the first number that is not finite.
    """
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        for path, number in _numbers("", value):
            if not math.isfinite(number):
                raise InputError(f"{path or 'it'} is {number}, which is not a number of JSON") from None
        raise


def write(value: Any, path: Path, **options: Any) -> None:
    """Write `value` and a line's end to a file in UTF-8. Raises InputError as `dumps`, naming the file."""
    try:
        text = dumps(value, **options)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    path.write_text(text + "\n", encoding="utf-8")


def loads(text: str | bytes) -> Any:
    """The value of a text. Raises ValueError for what is no JSON, saying which number or name is wrong."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _numbers(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(f"{path}.{name}" if path else str(name), item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(f"{path}[{index}]", item)


def _refused(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{name!r} occurs twice in an object")
        members[name] = value
    return members
