"""Prints the configuration's schema as JSON; run by the Python of a baked project, in its folder.

``{"Step": {"step_name": ["required", false], ...}, ...}``: the keys that each section adds, with the default
and whether the value, or each of its values, may be a pipeline parameter.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

sys.path.insert(0, ".")

from pydantic import BaseModel

from retraining.config.schema.parameter import Parameter


def sections() -> dict[str, Any]:
    """All sections of all modules of the platform that define some."""
    found: dict[str, Any] = {}
    for path in sorted(Path("retraining").glob("*.py")):
        text = path.read_text()
        if path.stem.endswith("_schema") or "(Section)" in text or "(BaseModel)" in text:
            for value in vars(import_module(f"retraining.{path.stem}")).values():
                if isinstance(value, type) and issubclass(value, BaseModel) and value is not BaseModel:
                    found[value.__name__] = value
    return {name: section for name, section in found.items() if section.model_fields}


def alternatives(annotation: Any) -> list[Any]:
    """What an annotation allows, without the wrapping of Annotated, unions, lists and mappings."""
    if get_origin(annotation) is Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [found for argument in get_args(annotation) for found in alternatives(argument)]
    if get_origin(annotation) in (list, dict):
        return alternatives(get_args(annotation)[-1])
    return [annotation]


def default(field: Any) -> str:
    """The default as the guide writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", [], {}) or isinstance(value, BaseModel):
        return "-"
    if isinstance(value, list):
        return f"`[{', '.join(value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def keys(section: Any) -> dict[str, tuple[str, bool]]:
    return {
        field.alias or name: (default(field), Parameter in alternatives(field.annotation))
        for name, field in section.model_fields.items()
        if name in section.__annotations__
    }


print(json.dumps({name: keys(section) for name, section in sections().items()}))
