"""The steps of a pipeline with the sections that they run, and which sections the steps read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from retraining.config.flow import chaining, order
from retraining.config.flow.chaining import Input
from retraining.config.flow.order import Dag
from retraining.config.schema.model import Model
from retraining.config.schema.parameter import Parameter, declared
from retraining.config.schema.pipeline import JOBS, Pipeline, Step

S = TypeVar("S", covariant=True)

# What steps read in addition to the section that they run: whole sections, or single keys of them.
_ALSO_READ: dict[str, tuple[tuple[str, ...], ...]] = {
    "Tuning": (("train",),),
    "CreateModel": (("transform", "image_uri"), ("transform", "role")),
    "RegisterModel": (("transform", "entry_point"),),
    "Lambda": (("train", "hyperparams"), ("registry",), ("transform", "entry_point")),
}
# Sections that have no meaning without a step.
_FOR_STEPS = ("preprocess", "tune", "transform", "evaluate", "gate", "lambda")
_SECTIONS = (*_FOR_STEPS, "train", "registry")


@dataclass(frozen=True)
class ResolvedStep(Generic[S]):
    """One step of a checked pipeline, and its model, section and inputs.

    Attributes:
        settings: its keys in the file.
        model_name, model: the model that it belongs to.
        section: the section of the model that it runs; None for a Fail step.
        source: the step whose result it takes: for one that creates or registers a model the one that
            trains, for Transform the one that creates the model, for Condition the one that measures; else
            empty.
        measured_by: for one that registers a model, the step that evaluates it, if there is one.
        inputs: what its job reads; empty for a step without a job.
    """

    settings: Step
    model_name: str
    model: Model
    section: S
    source: str = ""
    measured_by: Step | None = None
    inputs: tuple[Input, ...] = ()

    @property
    def name(self) -> str:
        return self.settings.step_name

    @property
    def step_class(self) -> str:
        return self.settings.step_class

    @property
    def outputs(self) -> dict[str, str]:
        """Names of what it writes, with the container's folder of each (empty where it has none)."""
        return chaining.outputs_of(self.model, self.settings)


def resolve(pipeline: Pipeline, models: dict[str, Model], dag: Dag) -> dict[str, ResolvedStep[Any]]:
    """The steps of a checked pipeline by name, in an order in which they can be built."""
    return {name: _resolved(pipeline, dag.models[name], models, step) for name, step in dag.steps.items()}


def _resolved(pipeline: Pipeline, model_name: str, models: dict[str, Model], step: Step) -> ResolvedStep[Any]:
    model = models[model_name]
    source = measured_by = None
    if step.takes_model:
        source = order.trained_by(pipeline, model_name, step)
    if step.step_class == "Transform":
        source = order.created_by(pipeline, model_name, step)
    if step.step_class == "Condition":
        source = pipeline.by_name[step.chain_input_source_step[0]][1]
    if step.registers and model.evaluate is not None:
        measured_by = order.measured_by(pipeline, model_name, step)
    return ResolvedStep(
        step,
        model_name,
        model,
        chaining.section_of(model, step),
        source.step_name if source else "",
        measured_by,
        tuple(chaining.inputs_of(pipeline, models, step)) if step.step_class in JOBS else (),
    )


def _read(steps: list[Step]) -> set[tuple[str, ...]]:
    """Sections, as ``("train",)``, and single keys, as ``("train", "hyperparams")``."""
    own: set[tuple[str, ...]] = {(step.section,) for step in steps if step.section}
    return own.union(*(_ALSO_READ.get(step.step_class, ()) for step in steps))


def unused(model: Model, steps: list[Step]) -> list[str]:
    """The sections of a model that none of its steps reads."""
    read = {path[0] for path in _read(steps)}
    return [name for name in _FOR_STEPS if name not in read and model.section(name) is not None]


def _values(model: Model, steps: list[Step]) -> Iterator[Any]:
    """What the steps read, in the order of the model's keys."""
    read = _read(steps)
    for field, description in Model.model_fields.items():
        name, value = description.alias or field, getattr(model, field)
        if name not in _SECTIONS or (name,) in read:
            yield value
        elif value is not None:
            yield from (getattr(value, key) for key in type(value).model_fields if (name, key) in read)


def parameters(pipeline: Pipeline, models: dict[str, Model]) -> dict[str, Parameter]:
    """The pipeline parameters that the steps read, by name and in the order of the files."""
    values = [
        value
        for name, steps in pipeline.models.items()
        if name in models
        for value in _values(models[name], steps.steps)
    ]
    return {item.parameter: item for value in [*values, pipeline] for item in declared(value)}
