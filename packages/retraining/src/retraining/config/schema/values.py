"""The kinds of values that configuration files hold; any of them may be a pipeline parameter."""

import json
import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Tag

from retraining.config.schema.parameter import Parameter
from retraining.errors import seen, suggestion


class Section(BaseModel):
    """Strict: a key that is not a field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def is_parameter(value: Any) -> bool:
    """Whether a mapping declares a pipeline parameter, even with misspelt keys."""
    if not isinstance(value, dict):
        return False
    if "parameter" in value:
        return True
    keys = [str(key).lower() for key in value]
    return "default" in keys and len(keys) <= 3 and bool(get_close_matches("parameter", keys, 1, 0.75))


def _checked(
    accepts: Callable[[Any], bool], words: str, hint: Callable[[Any], str] = lambda _: ""
) -> BeforeValidator:
    """A value that `accepts` holds for, or a parameter whose default is one, described in `words`."""

    def check(value: Any) -> Any:
        if is_parameter(value) and "default" not in value:
            return value
        shown = value["default"] if is_parameter(value) else value
        if not accepts(shown):
            raise ValueError(f"{words} is expected, not {seen(shown)}{hint(shown)}")
        return value

    return BeforeValidator(check)


def text(pattern: str, words: str, reason: Callable[[str], str] = lambda _: "") -> BeforeValidator:
    """A text that matches `pattern`, or a parameter whose default does, described to people in `words`.

    Args:
        reason: what is wrong with a text that does not match, where `words` do not say it.
    """
    compiled = re.compile(pattern)

    def hint(value: Any) -> str:
        why = reason(value) if isinstance(value, str) else ""
        return f": {why}" if why else _quotes(value)

    return _checked(lambda value: isinstance(value, str) and bool(compiled.fullmatch(value)), words, hint)


def number(low: float, high: float, words: str, whole: bool = True) -> BeforeValidator:
    """A number between the bounds, or a parameter whose default is one, described to people in `words`."""
    kinds = int if whole else (int, float)

    def accepts(value: Any) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high

    return _checked(accepts, words, _quoted)


def one_of(*allowed: str) -> BeforeValidator:
    """One of a few words, or a parameter whose default is one."""
    words = " or ".join(allowed) if len(allowed) < 3 else f"one of {', '.join(allowed)}"
    return _checked(lambda value: value in allowed, words, lambda value: suggestion(value, allowed))


def _quotes(value: Any) -> str:
    return ": write it in quotes" if isinstance(value, bool | int | float) else ""


def _quoted(value: Any) -> str:
    is_number = isinstance(value, str) and re.fullmatch(
        r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", value
    )
    return ": write it without quotes" if is_number else ""


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | str | int) or (isinstance(value, float) and math.isfinite(value))


def is_finite(value: Any) -> bool:
    """Of numbers: neither .nan nor .inf, nor beyond what SageMaker keeps."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e308


def written(value: Any) -> str:
    """A value as the text that SageMaker gets for an argument or a hyperparameter."""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), default=str, allow_nan=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


PARAMETER, VALUE = "<parameter>", "<value>"


def _kind(value: Any) -> str:
    return PARAMETER if isinstance(value, Parameter) or is_parameter(value) else VALUE


def _json(value: Any) -> Any:
    """What a hyperparameter may be: a value, or a mapping or list of them, which is passed on as JSON."""
    if value is None or not _is_json(value):
        raise ValueError(
            f"a string, a finite number, true or false, a list or a mapping is expected, not {seen(value)}"
        )
    if isinstance(value, dict | list) and _has_parameter(value):
        raise ValueError("a pipeline parameter cannot be inside a list or mapping, which is passed as JSON")
    return value


def _is_json(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(_is_json(item) for item in (value.values() if isinstance(value, dict) else value))
    return value is None or _is_scalar(value)


def _has_parameter(value: Any) -> bool:
    if isinstance(value, dict):
        return is_parameter(value) or any(_has_parameter(item) for item in value.values())
    return isinstance(value, list) and any(_has_parameter(item) for item in value)


_Tagged = Annotated[Parameter, Tag(PARAMETER)]
_SCALAR = _checked(_is_scalar, "a string, a finite number, true or false")
Text = Annotated[
    _Tagged | Annotated[str, Tag(VALUE)],
    Discriminator(_kind),
    _checked(lambda value: isinstance(value, str) and bool(value), "a string", _quotes),
]
AnyText = Annotated[
    _Tagged | Annotated[str, Tag(VALUE)],
    Discriminator(_kind),
    _checked(lambda value: isinstance(value, str), "a string", _quotes),
]
Whole = Annotated[_Tagged | Annotated[int, Tag(VALUE)], Discriminator(_kind)]
Number = Annotated[
    _Tagged | Annotated[int | float, Tag(VALUE)],
    Discriminator(_kind),
    _checked(is_finite, "a finite number", _quoted),
]
Flag = Annotated[
    _Tagged | Annotated[bool, Tag(VALUE)],
    Discriminator(_kind),
    _checked(lambda value: isinstance(value, bool), "true or false"),
]
Argument = Annotated[_Tagged | Annotated[bool | int | float | str, Tag(VALUE)], Discriminator(_kind), _SCALAR]
Hyperparameter = Annotated[_Tagged | Annotated[Any, BeforeValidator(_json), Tag(VALUE)], Discriminator(_kind)]
