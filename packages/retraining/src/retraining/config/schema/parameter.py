"""Pipeline parameters, declared where they are used.

In a configuration file any value may be a pipeline parameter::

    epochs: {parameter: Epochs, default: 40}

The type is the default's (text, whole number, number, true/false); `choices` restricts text. The
same parameter may be declared in several places; the declarations must then agree.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from retraining.errors import seen

ParameterType = Literal["String", "Integer", "Float", "Boolean"]
CHOICES = 16  # a parameter's EnumValues
Scalar = bool | int | float | str
_PLAIN = frozenset((bool, int, float, str, type(None)))


def _name(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value):
        raise ValueError(f"a name of at most 256 letters, digits, - and _ is expected, not {seen(value)}")
    return value


def _scalar(value: Any) -> Any:
    """SageMaker keeps parameters as texts of at most 1024 characters."""
    is_number = isinstance(value, int | float) and math.isfinite(value) and abs(value) < 2**63
    if not is_number and not (isinstance(value, str) and len(value) <= 1024):
        raise ValueError(
            "a string of at most 1024 characters, a finite number, true or false is expected, "
            f"not {seen(value)}"
        )
    return value


def _shown(value: Any) -> str:
    """A list with what is in it, where that is short."""
    if isinstance(value, list) and value and all(isinstance(item, Scalar) for item in value):
        return f"[{', '.join(map(seen, value))}]"[:80]
    return seen(value)


def _choices(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not value or not all(isinstance(item, str) for item in value):
        quotes = ": write each in quotes" if isinstance(value, list) and value else ""
        raise ValueError(f"a list of strings is expected, not {_shown(value)}{quotes}")
    if len(value) > CHOICES:
        raise ValueError(f"SageMaker allows {CHOICES} choices, not {len(value)}")
    return tuple(value)


class Parameter(BaseModel):
    """One pipeline parameter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameter: Annotated[str, BeforeValidator(_name)]
    default: Annotated[Scalar, BeforeValidator(_scalar)]
    choices: Annotated[tuple[str, ...] | None, BeforeValidator(_choices)] = None

    @model_validator(mode="after")
    def _default_among_choices(self) -> "Parameter":
        if self.choices is not None and self.default not in self.choices:
            raise ValueError(f"default {self.default!r} is not among the choices {', '.join(self.choices)}")
        return self

    @property
    def type(self) -> ParameterType:
        if isinstance(self.default, bool):
            return "Boolean"
        if isinstance(self.default, int):
            return "Integer"
        return "Float" if isinstance(self.default, float) else "String"


def declared(value: Any) -> list[Parameter]:
    """All parameters below a configuration value, in the order of the file."""
    if type(value) in _PLAIN:  # most are
        return []
    if isinstance(value, Parameter):
        return [value]
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [parameter for item in value for parameter in declared(item)]
    return []


def default_of(value: Any) -> Any:
    """What a value is unless a run says otherwise: of a parameter its default, else itself."""
    return value.default if isinstance(value, Parameter) else value
