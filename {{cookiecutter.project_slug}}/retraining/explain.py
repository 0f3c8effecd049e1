"""Validation errors in words: file, line, key, what was seen, what is allowed."""

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from retraining.nearest import nearest
from retraining.yaml_file import Location, YamlFile


def explain(error: ValidationError, model: type[BaseModel], source: YamlFile) -> list[str]:
    """One line per error, in the order of the file's lines."""
    lines = []
    for detail in error.errors(include_url=False):
        location = _in_file(detail["loc"], source.content)
        lines.append((source.where(location), _sentence(detail, location, model)))
    return [
        f"{where}: {sentence}" for where, sentence in sorted(set(lines), key=lambda line: _order(line[0]))
    ]


def _order(where: str) -> tuple[str, int]:
    path, _, line = where.rpartition(":")
    return path, int(line) if line.isdigit() else 0


def _in_file(location: tuple[str | int, ...], content: Any) -> Location:
    """The part of pydantic's location that exists in the file: without the tags of unions."""
    found: list[str | int] = []
    for index, part in enumerate(location):
        in_list = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if in_list or (isinstance(content, dict) and part in content):
            content = content[part]
        elif index < len(location) - 1 or part in ("parameter", "value"):
            continue
        found.append(part)
    return tuple(found)


def _sentence(detail: Any, location: Location, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in location) or "the file"
    seen = (
        repr(detail["input"])
        if not isinstance(detail["input"], dict | list)
        else type(detail["input"]).__name__
    )
    if len(seen) > 80:
        seen = seen[:77] + "..."
    if detail["type"] == "extra_forbidden":
        known = _known_keys(detail["loc"], model)
        return f"{key}: unknown key{nearest(str(location[-1]), known)}"
    if detail["type"] == "missing":
        return f"{key}: this key is required"
    if detail["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"{key}: a mapping of keys and values is expected here, not {seen}"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{key}: {message}" if "not " in message else f"{key}: {message}, not {seen}"


def _known_keys(location: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    """The field names of the section that the unknown key stands in."""
    current: type[BaseModel] = model
    for part in location[:-1]:
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        current = _section_of(field.annotation) or current
    return list(current.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if found := _section_of(argument):
            return found
    return None
