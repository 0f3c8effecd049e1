"""pydantic's validation errors as problems of a file: the key, what was seen, what is allowed."""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from retraining.config.files.problems import Problems
from retraining.config.schema.fields import SPELLINGS, WITHOUT_EFFECT
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.values import PARAMETER, VALUE, is_parameter
from retraining.errors import Location, nearest, seen, suggestion, suggestion_or_all

_NOT_IN_THE_FILE = (PARAMETER, VALUE, "[key]")


def explain(
    error: ValidationError,
    section: type[BaseModel],
    problems: Problems,
    refused: Collection[Location] = (),
) -> set[Location]:
    """Add one problem per mistake, and return the keys that these are about.

    A required key that is missing because it is misspelt is one mistake, not two.

    Args:
        section: the class whose validation failed.
        problems: collects below the key of the value that was validated.
        refused: full paths of keys that are reported already.
    """
    prefix = problems.below
    content = problems.document.content
    for part in prefix:
        content = content[part]
    details = [(detail, _in_file(detail["loc"], content)) for detail in error.errors(include_url=False)]
    meant: set[Location] = {
        (*key[:-1], name)
        for detail, key in details
        if detail["type"] == "extra_forbidden"
        if (name := nearest(detail["loc"][-1], _known(detail["loc"], section))) is not None
    }
    done = {key[len(prefix) :] for key in refused if key[: len(prefix)] == prefix}
    for detail, key in details:
        if key not in done and not (detail["type"] == "missing" and key in meant):
            done.add(key)
            problems.add(key, _words(detail, section))
    return {(*prefix, *key) for key in done | meant}


def _in_file(location: Location, content: Any) -> Location:
    """The part of pydantic's location that exists in the file: without the tags of unions."""
    key: list[str | int] = []
    for part in location:
        if part in _NOT_IN_THE_FILE:
            continue
        if isinstance(content, dict):
            other = SPELLINGS.get(str(part), part)
            part = other if part not in content and other in content else part
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            content = content[part]
        elif content is not None:
            break  # a scalar from which a validator made a mapping
        key.append(part)
    return tuple(key)


_EXPECTED = {
    "model_type": "a mapping of keys and values",
    "model_attributes_type": "a mapping of keys and values",
    "dict_type": "a mapping of keys and values",
    "list_type": "a list",
    "bool_type": "true or false",
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
    "int_type": "a whole number",
    "float_type": "a number",
}


def _words(detail: Any, section: type[BaseModel]) -> str:
    given, kind, context = detail["input"], detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_advice(str(detail['loc'][-1]), detail['loc'], section)}"
    if kind == "missing":
        return "this key is required"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("too_long", "too_short"):
        bound = context["max_length"] if kind == "too_long" else context["min_length"]
        noun = ("key" if isinstance(given, dict) else "item") + ("" if bound == 1 else "s")
        words = f"at most {bound} {noun} may" if kind == "too_long" else f"at least {bound} {noun} must"
        return f"{words} stand here, not {context['actual_length']}"
    expected = _EXPECTED.get(kind)
    if expected is None:
        message = detail["msg"]
        return f"{message[0].lower()}{message[1:]}, not {seen(given)}"
    if is_parameter(given):
        return f"{expected} is expected: a pipeline parameter is not allowed here"
    quotes = ": write it in quotes" if kind == "string_type" and isinstance(given, bool | int | float) else ""
    return f"{expected} is expected, not {seen(given)}{quotes}"


def _advice(word: str, location: Location, section: type[BaseModel]) -> str:
    """The nearest key of this section; or the sections that have such a key; or all keys of this one."""
    if location[-2:] in WITHOUT_EFFECT:
        return f" here: {WITHOUT_EFFECT[location[-2:]]}, leave it out"
    known = _known(location, section)
    if word.partition(":")[0] in known:
        return f"; write {word.partition(':')[0]}: with a space after the colon"
    if hint := suggestion(word, known):
        return hint
    others = sorted(
        {owner for owner, keys in _sections(section) if word in keys and PARAMETER not in location}
    )
    return f" here; it is a key of {', '.join(others)}" if others else suggestion_or_all(word, known)


def _known(location: Location, section: type[BaseModel]) -> list[str]:
    """The keys allowed where the unknown one at pydantic's `location` is."""
    if PARAMETER in location:
        return list(Parameter.model_fields)
    current: type[BaseModel] = section
    for part in location[:-1]:
        field = {key_of(name, info): info for name, info in current.model_fields.items()}.get(str(part))
        if field is not None:
            current = _section_of(field.annotation) or current
    return [key_of(name, info) for name, info in current.model_fields.items()]


def key_of(name: str, field: Any) -> str:
    """A field's key in the file."""
    return str(field.alias or name)


@cache
def _sections(section: type[BaseModel]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Every section below `section` by the key that holds it, with its own keys."""
    return tuple(_walk(section))


def _walk(section: type[BaseModel]) -> Iterator[tuple[str, frozenset[str]]]:
    for name, field in section.model_fields.items():
        if inner := _section_of(field.annotation):
            keys = (key_of(*item) for item in inner.model_fields.items())
            yield key_of(name, field), frozenset(keys)
            yield from _walk(inner)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (inner := _section_of(argument)) and inner is not Parameter:
            return inner
    return None
