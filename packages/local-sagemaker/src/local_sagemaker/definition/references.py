"""What a step refers to, and which steps it therefore waits for."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local_sagemaker.core import wire
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.definition import expressions
from local_sagemaker.definition.expressions import ExpressionError, Reference, Token

STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Tuning": "CreateHyperParameterTuningJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
    "RegisterModel": "CreateModelPackage",
}
# What the pipeline names itself; a step's own value is the beginning of the name.
NAMES = {
    "Processing": "ProcessingJobName",
    "Training": "TrainingJobName",
    "Tuning": "HyperParameterTuningJobName",
    "Transform": "TransformJobName",
    "Model": "ModelName",
}
_DESCRIBE = {
    "Processing": "DescribeProcessingJob",
    "Training": "DescribeTrainingJob",
    "Tuning": "DescribeHyperParameterTuningJob",
    "Transform": "DescribeTransformJob",
    "Model": "DescribeModel",
    "RegisterModel": "DescribeModelPackage",
}
# Properties of a step that Describe does not show: a tuning job's training jobs, the best first.
_LISTED: dict[tuple[str, Token], str] = {
    ("Tuning", "TrainingJobSummaries"): "ListTrainingJobsForHyperParameterTuningJob"
}


@dataclass(frozen=True)
class Step:
    """One step. `branch` is the outcome ("True", "False") of the Condition step `parent` that leads to it."""

    name: str
    type: str
    arguments: Document
    depends_on: tuple[tuple[str, str], ...]
    raw: Document
    parent: str | None = None
    branch: str | None = None

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """What the step's own arguments refer to; raises ExpressionError at a malformed expression."""
        own = {key: value for key, value in self.arguments.items() if key not in ("IfSteps", "ElseSteps")}
        if self.type != "Condition":
            own = self.arguments
        return tuple(expressions.references(own))

    @cached_property
    def dependencies(self) -> dict[str, str]:
        """The steps that must end before this one starts, each with the outcome that lets it start.

        A reference needs the step's success, unless DependsOn names another trigger for it.
        """
        implicit = {reference.name: "Completed" for reference in self.references if reference.root == "Steps"}
        return implicit | dict(self.depends_on)

    @property
    def outputs(self) -> dict[str, str]:
        """Names and types of a Lambda step's outputs."""
        return {item["OutputName"]: item["OutputType"] for item in self.raw.get("OutputParameters", [])}

    @property
    def property_files(self) -> dict[str, Document]:
        return {item["PropertyFileName"]: item for item in self.raw.get("PropertyFiles", [])}


def check(steps: dict[str, Step], declared: set[str], others: Iterable[Any]) -> None:
    """Raise ValidationError for a reference to what is not there, and for a cycle.

    `declared` are the parameters' names, `others` the values outside the steps (they cannot refer
    to steps).
    """
    for step in steps.values():
        try:
            for reference in step.references:
                _check_reference(reference, steps, declared)
            for name in step.dependencies:
                if name not in steps:
                    raise ExpressionError(f"it depends on step '{name}', which does not exist")
        except ExpressionError as error:
            raise ValidationError(f"Step '{step.name}': {error}") from error
    for reference in expressions.references(list(others)):
        if reference.root == "Steps":
            raise ValidationError(f"{reference.text!r}: only steps can refer to steps")
        _check_reference(reference, steps, declared)
    _check_cycles(steps)


def _check_reference(reference: Reference, steps: dict[str, Step], declared: set[str]) -> None:
    known = {
        "Parameters": declared,
        "Execution": expressions.EXECUTION_VARIABLES,
        "PipelineExperimentConfig": expressions.EXPERIMENT_MEMBERS,
        "Steps": set(steps),
    }[reference.root]
    if reference.name not in known:
        raise ExpressionError(
            f"{reference.text!r} refers to {reference.name!r}, which does not exist;"
            f" known: {', '.join(sorted(known)) or 'none'}"
        )
    if reference.root == "Steps":
        _check_property(reference, steps[reference.name])


def _check_property(reference: Reference, step: Step) -> None:
    root, *rest = reference.path
    if root == "PropertyFiles":
        known: Collection[Token] = list(step.property_files)
    elif step.type == "Lambda" and root == "OutputParameters":
        known = list(step.outputs)
    elif step.type == "Condition":
        known, rest = ["Outcome"], [root]
    elif step.type in _DESCRIBE:
        operation = _LISTED.get((step.type, root), _DESCRIBE[step.type])
        shape = wire.model().operation_model(operation).output_shape
        _check_path(shape, reference.path, reference.text)
        return
    else:
        raise ExpressionError(f"{reference.text!r}: a {step.type} step has no property {root!r}")
    if len(rest) != 1 or rest[0] not in known:
        there = ", ".join(map(str, known)) or "none"
        raise ExpressionError(
            f"{reference.text!r} refers to what step '{step.name}' does not have; it has: {there}"
        )


def _check_path(shape: Any, path: tuple[Token, ...], text: str) -> None:
    for token in path:
        if shape.type_name == "structure":
            if token not in shape.members:
                raise ExpressionError(f"{text!r}: {shape.name} has no {token!r}")
            shape = shape.members[token]
        elif shape.type_name == "list":
            shape = shape.member
        elif shape.type_name == "map":
            shape = shape.value
        else:
            raise ExpressionError(f"{text!r}: {token!r} is inside a {shape.type_name}")


def _check_cycles(steps: dict[str, Step]) -> None:
    """Follow dependencies (and the way into a branch) depth first, without recursion."""
    finished: set[str] = set()
    for start in steps:
        trail: list[str] = []
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                finished.add(trail.pop())
            elif name in trail:
                cycle = [*trail[trail.index(name) :], name]
                raise ValidationError(f"the steps depend on each other in a circle: {' -> '.join(cycle)}")
            elif name not in finished:
                trail.append(name)
                stack.append((name, True))
                step = steps[name]
                before = [*step.dependencies, *([step.parent] if step.parent else [])]
                stack.extend((other, False) for other in before)
