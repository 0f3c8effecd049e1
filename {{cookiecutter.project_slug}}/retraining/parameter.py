"""Pipeline parameters, declared where they are used.

In a configuration file any value may be a pipeline parameter::

    epochs: {parameter: Epochs, default: 40}

The type is the default's (text, whole number, number, true/false); `choices` restricts text. The
same parameter may stand in several places; the declarations must then agree.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ParameterType = Literal["String", "Integer", "Float", "Boolean"]
Scalar = bool | int | float | str


class Parameter(BaseModel):
    """One pipeline parameter; `default` None means that each run must give a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameter: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,256}$")]
    default: Scalar
    choices: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _choices_as_tuple(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("choices"), list):
            return {**value, "choices": tuple(value["choices"])}
        return value

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
    if isinstance(value, Parameter):
        return [value]
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [parameter for item in value for parameter in declared(item)]
    return []
