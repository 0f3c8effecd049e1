"""Which sections of a unit the steps of the pipeline read."""

from collections.abc import Iterator
from typing import Any

from retraining.config.schema.model import Unit
from retraining.config.schema.parameter import Parameter, declared
from retraining.config.schema.pipeline import Pipeline, Step

# What steps read beside the section that they run: whole sections, or single keys of them.
_BESIDE: dict[str, tuple[tuple[str, ...], ...]] = {
    "Tuning": (("train",),),
    "CreateModel": (("transform", "image_uri"), ("transform", "role")),
    "RegisterModel": (("transform", "entry_point"),),
    "Lambda": (("train", "hyperparams"), ("registry",)),
}
# Sections that have no meaning without a step.
_FOR_STEPS = ("preprocess", "tune", "transform", "evaluate", "gate", "lambda")
_SECTIONS = (*_FOR_STEPS, "train", "registry")


def _read(steps: list[Step]) -> set[tuple[str, ...]]:
    """Sections, as ``("train",)``, and single keys, as ``("train", "hyperparams")``."""
    found: set[tuple[str, ...]] = {(step.section,) for step in steps if step.section}
    return found.union(*(_BESIDE.get(step.step_class, ()) for step in steps))


def unused(unit: Unit, steps: list[Step]) -> list[str]:
    """The sections of a unit that none of its steps reads."""
    read = {place[0] for place in _read(steps)}
    return [name for name in _FOR_STEPS if name not in read and _section(unit, name) is not None]


def _section(unit: Unit, name: str) -> Any:
    return getattr(unit, "lambda_" if name == "lambda" else name)


def _values(unit: Unit, steps: list[Step]) -> Iterator[Any]:
    """What the steps read, in the order of the unit's keys."""
    read = _read(steps)
    for field, description in Unit.model_fields.items():
        name, value = description.alias or field, getattr(unit, field)
        if name not in _SECTIONS or (name,) in read:
            yield value
        elif value is not None:
            yield from (getattr(value, key) for key in type(value).model_fields if (name, key) in read)


def parameters(pipeline: Pipeline, units: dict[str, Unit]) -> dict[str, Parameter]:
    """The pipeline parameters that the steps read, by name and in the order of the files."""
    values = [
        value
        for model, steps in pipeline.models.items()
        if model in units
        for value in _values(units[model], steps.steps)
    ]
    return {found.parameter: found for value in [*values, pipeline] for found in declared(value)}
