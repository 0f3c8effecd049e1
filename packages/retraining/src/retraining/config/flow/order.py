"""The graph of a pipeline: its steps, their order, and which of them follow a condition."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from retraining.config.schema.model import Model
from retraining.config.schema.pipeline import Pipeline, Step, Steps


class GraphError(Exception):
    """The steps make no graph that SageMaker could run; `steps` are those concerned."""

    def __init__(self, message: str, *steps: str) -> None:
        super().__init__(message)
        self.steps = steps


@dataclass(frozen=True)
class Dag:
    """The graph of the steps, by name.

    Attributes:
        steps: in an order in which they can be built.
        models: the name of each step's model.
        before: the direct predecessors of each step.
        branch: the innermost Condition step that must hold before a step runs; None without one.
        otherwise: for a Condition step with `else_step`, the Fail step that it names.
    """

    steps: dict[str, Step]
    models: dict[str, str]
    before: dict[str, tuple[str, ...]]
    branch: dict[str, str | None]
    otherwise: dict[str, str]


def dag_of(pipeline: Pipeline, models: dict[str, Model]) -> Dag:
    """The graph of a checked pipeline.

    Raises:
        GraphError: the steps wait in a circle, or one follows two conditions that do not follow each other.
    """
    by_name = pipeline.by_name
    before: dict[str, list[str]] = {name: [] for name in by_name}
    for name, (model_name, step) in by_name.items():
        before[name] += _data(pipeline, models, model_name, step)
    for chain in pipeline.chains:
        for first, second in pairwise(chain):
            before[second].append(first)
    direct = {name: tuple(dict.fromkeys(names)) for name, names in before.items()}
    order = _order(direct)
    otherwise = {step.step_name: step.else_step for _, step in by_name.values() if step.else_step}
    return Dag(
        {name: by_name[name][1] for name in order},
        {name: by_name[name][0] for name in order},
        direct,
        _branches(direct, order, by_name),
        otherwise,
    )


def _data(pipeline: Pipeline, models: dict[str, Model], model_name: str, step: Step) -> Iterator[str]:
    """The steps whose results a step uses, chained or of the same model."""
    yield from step.chain_input_source_step
    if step.takes_model:
        yield from _names(trained_by(pipeline, model_name, step))
    if step.step_class == "Transform":
        yield from _names(created_by(pipeline, model_name, step))
    if step.registers and model_name in models and models[model_name].evaluate:
        yield from _names(measured_by(pipeline, model_name, step))


def _names(step: Step | None) -> list[str]:
    return [step.step_name] if step else []


def earlier(pipeline: Pipeline, model_name: str, step: Step, *classes: str) -> Step | None:
    """The last step of these classes of the model, of those described before `step` if there are any."""
    return _nearest(step, pipeline.models[model_name].steps, lambda other: other.step_class in classes)


def _nearest(step: Step, steps: list[Step], is_wanted: Callable[[Step], bool]) -> Step | None:
    wanted = [other for other in steps if is_wanted(other)]
    above = [other for other in wanted if steps.index(other) < steps.index(step)]
    chosen = above or wanted
    return chosen[-1] if chosen else None


def trained_by(pipeline: Pipeline, model_name: str, step: Step) -> Step | None:
    """The step that trains what `step` creates or registers."""
    return earlier(pipeline, model_name, step, "Training", "Tuning")


def created_by(pipeline: Pipeline, model_name: str, step: Step) -> Step | None:
    """The step that creates the model with which `step` transforms."""
    return earlier(pipeline, model_name, step, "CreateModel")


def measured_by(pipeline: Pipeline, model_name: str, step: Step) -> Step | None:
    """The step that measures what `step` registers."""
    return _nearest(step, pipeline.models[model_name].steps, lambda other: other.section == "evaluate")


def _order(before: dict[str, tuple[str, ...]]) -> list[str]:
    """Sorted so that each step comes after those before it, and otherwise as in the files."""
    position = {name: index for index, name in enumerate(before)}
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = error.args[1]
        raise GraphError(f"the steps form a cycle: {' >> '.join(circle)}", *circle) from None
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        order += ready
        sorter.done(*ready)
    return order


def _branches(
    before: dict[str, tuple[str, ...]], order: list[str], by_name: dict[str, tuple[str, Step]]
) -> dict[str, str | None]:
    conditions: dict[str, frozenset[str]] = {}
    branch: dict[str, str | None] = {}
    for name in order:
        own = [other for other in before[name] if by_name[other][1].step_class == "Condition"]
        conditions[name] = frozenset(own).union(*(conditions[other] for other in before[name]))
        inner = sorted(conditions[name], key=lambda gate: len(conditions[gate]))
        for outer, nested in pairwise(inner):
            if outer not in conditions[nested]:
                raise GraphError(
                    f"step {name!r} follows two conditions, {outer} and {nested}: "
                    f"chain them, {outer} >> {nested}",
                    name,
                )
        branch[name] = inner[-1] if inner else None
    return branch


def without_disabled(pipeline: Pipeline, models: dict[str, Model]) -> Pipeline:
    """Without disabled models and steps; their neighbours in a chain are joined."""
    enabled = {
        name: Steps(steps=kept)
        for name, steps in pipeline.models.items()
        if not models[name].disabled and (kept := [step for step in steps.steps if not step.disabled])
    }
    names = {step.step_name for steps in enabled.values() for step in steps.steps}
    chains = [[name for name in chain if name in names] for chain in pipeline.chains]
    return Pipeline(
        pipelineName=pipeline.pipelineName,
        models=enabled,
        dependencies=[" >> ".join(chain) for chain in chains if len(chain) > 1],
    )
