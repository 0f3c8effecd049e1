"""Validation errors in words: file, line, key, what was seen, what is allowed."""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from retraining.config.files.yaml_file import Document, Location, dotted
from retraining.config.schema.fields import SPELLINGS, WITHOUT_EFFECT
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.values import PARAMETER, VALUE, is_parameter
from retraining.errors import seen
from retraining.nearest import nearest, suggestion

_NO_PART_OF_THE_FILE = (PARAMETER, VALUE, "[key]")


def explain(
    error: ValidationError,
    model: type[BaseModel],
    document: Document,
    prefix: Location = (),
    refused: Collection[Location] = (),
) -> tuple[list[str], set[Location]]:
    """One line per mistake, and the places that they are about; `prefix` is where in `document` the value of
    `model` stands.

    `refused` are places that are reported already. A key that is missing because it is misspelt is one
    mistake, not two.
    """
    content = document.content
    for part in prefix:
        content = content[part]
    details = [
        (detail, (*prefix, *_in_file(detail["loc"], content))) for detail in error.errors(include_url=False)
    ]
    meant = {
        (*location[:-1], name)
        for detail, location in details
        if detail["type"] == "extra_forbidden"
        for name in _meant(detail, model)
    }
    lines = []
    done: set[Location] = set(refused)
    for detail, location in details:
        if location not in done and not (detail["type"] == "missing" and location in meant):
            done.add(location)
            lines.append(f"{document.where(location)}: {_sentence(detail, location, model)}")
    return lines, done | meant


def _in_file(location: tuple[str | int, ...], content: Any) -> Location:
    """The part of pydantic's location that exists in the file: without the tags of unions."""
    found: list[str | int] = []
    for part in location:
        if part in _NO_PART_OF_THE_FILE:
            continue
        if isinstance(content, dict):
            other = SPELLINGS.get(str(part), part)
            part = other if part not in content and other in content else part
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            content = content[part]
        elif content is not None:
            break  # the value stands for a mapping that was made of it
        found.append(part)
    return tuple(found)


def _sentence(detail: Any, location: Location, model: type[BaseModel]) -> str:
    key = dotted(location) or "the file"
    given, kind, context = detail["input"], detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key{_advice(str(location[-1]), detail['loc'], model)}"
    if kind == "missing":
        return f"{key}: this key is required"
    if kind == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    if kind in ("too_long", "too_short"):
        bound = context["max_length"] if kind == "too_long" else context["min_length"]
        noun = ("key" if isinstance(given, dict) else "item") + ("" if bound == 1 else "s")
        words = f"at most {bound} {noun} may" if kind == "too_long" else f"at least {bound} {noun} must"
        return f"{key}: {words} stand here, not {context['actual_length']}"
    expected = _EXPECTED.get(kind)
    if expected is None:
        message = detail["msg"]
        return f"{key}: {message[0].lower()}{message[1:]}, not {seen(given)}"
    if is_parameter(given):
        return f"{key}: {expected} is expected: no pipeline parameter can stand here"
    quotes = ": write it in quotes" if kind == "string_type" and isinstance(given, bool | int | float) else ""
    return f"{key}: {expected} is expected, not {seen(given)}{quotes}"


_EXPECTED = {
    "model_type": "a mapping of keys and values",
    "model_attributes_type": "a mapping of keys and values",
    "dict_type": "a mapping of keys and values",
    "list_type": "a list",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "float_type": "a number",
}


def _known(detail: Any, model: type[BaseModel]) -> list[str]:
    return list(Parameter.model_fields) if PARAMETER in detail["loc"] else _known_keys(detail["loc"], model)


def _meant(detail: Any, model: type[BaseModel]) -> Iterator[str]:
    """The key that a misspelt one is nearest to."""
    hint = suggestion(detail["loc"][-1], _known(detail, model))
    if hint:
        yield hint.split("'")[1]


def _advice(word: str, location: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """The nearest key of this section; or the sections that have such a key; or all keys of this one."""
    if location[-2:] in WITHOUT_EFFECT:
        return f" here: {WITHOUT_EFFECT[location[-2:]]}, leave it out"
    known = list(Parameter.model_fields) if PARAMETER in location else _known_keys(location, model)
    if word.partition(":")[0] in known:
        return f"; write {word.partition(':')[0]}: with a space after the colon"
    hint = nearest(word, known)
    if "did you mean" in hint:
        return hint
    others = sorted({owner for owner, keys in _sections(model) if word in keys and PARAMETER not in location})
    return f" here; it is a key of {', '.join(others)}" if others else hint


def _known_keys(location: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    """The keys of the section that the unknown key stands in."""
    current: type[BaseModel] = model
    for part in location[:-1]:
        field = {key_of(name, info): info for name, info in current.model_fields.items()}.get(str(part))
        if field is None:
            continue
        current = _section_of(field.annotation) or current
    return [key_of(name, info) for name, info in current.model_fields.items()]


def key_of(name: str, field: Any) -> str:
    """A field's key in the file."""
    return str(field.alias or name)


@cache
def _sections(model: type[BaseModel]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Every section below `model` by the key that holds it, with the section's keys."""
    return tuple(_walk(model))


def _walk(model: type[BaseModel]) -> Iterator[tuple[str, frozenset[str]]]:
    for name, field in model.model_fields.items():
        if found := _section_of(field.annotation):
            keys = (key_of(*item) for item in found.model_fields.items())
            yield key_of(name, field), frozenset(keys)
            yield from _walk(found)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _section_of(argument)) and found.__name__ != "Parameter":
            return found
    return None
