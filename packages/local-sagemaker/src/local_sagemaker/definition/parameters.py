"""Pipeline parameters: their declarations, and the values of one execution."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.definition.expressions import to_text

Value = str | int | float | bool

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (float, int),
    "Boolean": (bool,),
}
_MEMBERS = {"Name", "Type", "DefaultValue", "EnumValues"}
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")
_CHOICES = 16
_LONGEST = 1024  # characters of a value, as StartPipelineExecution's model has it


@dataclass(frozen=True)
class Parameter:
    """A declared parameter. Without a `default` a value must be given; without `choices` any will do."""

    name: str
    type: str
    default: Value | None
    choices: tuple[Value, ...]

    def coerce(self, text: str) -> Value:
        """The value that `text` stands for in the declared type; raises ValidationError."""
        value = _READERS[self.type](text.strip() if self.type != "String" else text)
        if value is None:
            raise ValidationError(
                f"Parameter '{self.name}' is of type {self.type}; {text!r} is not a {self.type}"
            )
        return self.check(value)

    def check(self, value: Value) -> Value:
        """`value`, or ValidationError when the declaration's EnumValues leave it out."""
        if self.choices and value not in self.choices:
            raise ValidationError(
                f"Parameter '{self.name}' ({self.type}) cannot be {value!r};"
                f" it may be: {', '.join(map(to_text, self.choices))}"
            )
        return value


def parse(declarations: Any) -> dict[str, Parameter]:
    """The ``Parameters`` of a definition by name; raises ValidationError."""
    if not isinstance(declarations, list):
        raise ValidationError(f"Parameters must be a list, not {declarations!r}")
    parsed: dict[str, Parameter] = {}
    for declaration in declarations:
        parameter = _parse(declaration)
        if parameter.name in parsed:
            raise ValidationError(f"Parameter '{parameter.name}' is declared twice")
        parsed[parameter.name] = parameter
    return parsed


def values(declared: dict[str, Parameter], given: list[Document]) -> dict[str, Value]:
    """The value of every declared parameter, in the order of declaration.

    `given` is StartPipelineExecution's ``PipelineParameters``. Raises ValidationError for a name
    that is not declared or given twice, a value of another type, and a missing value.
    """
    texts: dict[str, str] = {}
    for item in given:
        if item["Name"] not in declared:
            known = ", ".join(declared) or "none"
            raise ValidationError(
                f"Parameter '{item['Name']}' is not declared by the pipeline; declared: {known}"
            )
        if item["Name"] in texts:
            raise ValidationError(f"Parameter '{item['Name']}' is given twice")
        texts[item["Name"]] = item["Value"]
    missing = [p for p in declared.values() if p.name not in texts and p.default is None]
    if missing:
        names = ", ".join(f"'{p.name}' ({p.type})" for p in missing)
        raise ValidationError(f"Parameter {names} has no default value and none was given")
    return {
        name: parameter.coerce(texts[name]) if name in texts else parameter.default  # type: ignore[misc]
        for name, parameter in declared.items()
    }


def _parse(declaration: Any) -> Parameter:
    name = declaration.get("Name") if isinstance(declaration, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValidationError(f"Parameter {declaration!r} has no valid Name")
    if unknown := set(declaration) - _MEMBERS:
        raise ValidationError(f"Parameter '{name}' has unknown members: {', '.join(sorted(unknown))}")
    kind = declaration.get("Type")
    if not isinstance(kind, str) or kind not in _JSON_TYPES:
        raise ValidationError(f"Parameter '{name}' has the type {kind!r}; known: {', '.join(_JSON_TYPES)}")
    choices = declaration.get("EnumValues") or []
    if not isinstance(choices, list):
        raise ValidationError(f"EnumValues of parameter '{name}' must be a list, not {choices!r}")
    if len(choices) > _CHOICES:
        raise ValidationError(
            f"Parameter '{name}' has {len(choices)} EnumValues; at most {_CHOICES} are allowed"
        )
    for value in choices:
        _typed(name, kind, value, "an EnumValue")
    default = declaration.get("DefaultValue")
    parameter = Parameter(name, kind, None, tuple(choices))
    if default is None:
        return parameter
    return Parameter(
        name, kind, parameter.check(_typed(name, kind, default, "the DefaultValue")), tuple(choices)
    )


def _typed(name: str, kind: str, value: Any, what: str) -> Value:
    if not _is_one(value, kind):
        raise ValidationError(f"Parameter '{name}' is of type {kind}; {what} {value!r} is not")
    if isinstance(value, str) and len(value) > _LONGEST:
        raise ValidationError(f"Parameter '{name}': {what} is longer than {_LONGEST} characters")
    checked: Value = float(value) if kind == "Float" else value
    return checked


def _is_one(value: Any, kind: str) -> bool:
    return isinstance(value, _JSON_TYPES[kind]) and (kind == "Boolean" or not isinstance(value, bool))


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


_READERS: dict[str, Callable[[str], Value | None]] = {
    "String": str,
    "Integer": _integer,
    "Float": _float,
    "Boolean": _boolean,
}
