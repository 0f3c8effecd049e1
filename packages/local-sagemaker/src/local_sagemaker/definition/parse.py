"""A pipeline definition: the JSON that CreatePipeline gets, checked as far as it can be before it runs.

Everything that this service would not do as SageMaker does is refused here, by name, so that a
definition which is accepted runs.
"""

from dataclasses import dataclass
from typing import Any

from local_sagemaker.core import wire
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.definition import cache, conditions, parameters, references, retrying
from local_sagemaker.definition.expressions import ExpressionError, is_expression
from local_sagemaker.definition.references import NAMES, OPERATIONS, STEP_NAME, TRIGGERS, Step

VERSION = "2020-12-01"
_ENVELOPE = {"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"}
_COMMON = {"Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description"}
_JOB = _COMMON | {"CacheConfig", "RetryPolicies"}
STEP_TYPES = {
    "Condition": _COMMON,
    "Fail": _COMMON,
    "Lambda": _COMMON | {"CacheConfig", "FunctionArn", "OutputParameters"},
    "Model": _COMMON | {"RetryPolicies"},
    "Processing": _JOB | {"PropertyFiles"},
    "RegisterModel": _COMMON | {"RetryPolicies"},
    "Training": _JOB,
    "Transform": _JOB,
    "Tuning": _JOB,
}
_PROPERTY_FILE = {"PropertyFileName", "OutputName", "FilePath"}
_OUTPUT = {"OutputName", "OutputType"}
_OUTPUT_TYPES = ("String", "Integer", "Boolean", "Float")


@dataclass(frozen=True)
class Definition:
    """A definition that was checked; `steps` holds those inside conditions too, outer ones first."""

    parameters: dict[str, parameters.Parameter]
    experiment: Document
    mlflow: Document
    steps: dict[str, Step]


def parse(text: str) -> Definition:
    """Read and check a definition; raises ValidationError that names the step and what is wrong with it."""
    try:
        document = wire.read_json(text)
    except ValueError as error:
        raise ValidationError(f"Unable to parse pipeline definition: it is not JSON ({error})") from error
    try:
        return _parse(wire.without_nulls(document))
    except (ValidationError, ExpressionError) as error:
        raise ValidationError(f"Unable to parse pipeline definition: {error}") from error


def _parse(document: Any) -> Definition:
    if not isinstance(document, dict):
        raise ValidationError("it must be a JSON object")
    if unknown := set(document) - _ENVELOPE:
        raise ValidationError(f"unknown members: {', '.join(sorted(unknown))}")
    if document.get("Version") != VERSION:
        raise ValidationError(f"Version must be '{VERSION}', not {document.get('Version')!r}")
    raw = document.get("Steps")
    if not isinstance(raw, list) or not raw:
        raise ValidationError("Steps must be a list of at least one step")
    steps: dict[str, Step] = {}
    _collect(raw, steps, None, None)
    definition = Definition(
        parameters.parse(document.get("Parameters", [])),
        _section(document, "PipelineExperimentConfig", {"ExperimentName", "TrialName"}),
        _section(document, "MlflowConfig", {"MlflowResourceArn", "MlflowExperimentName"}),
        steps,
    )
    references.check(definition.steps, set(definition.parameters), [definition.experiment, definition.mlflow])
    return definition


def _section(document: Document, name: str, members: set[str]) -> Document:
    section = document.get(name, {})
    if not isinstance(section, dict) or set(section) - members:
        raise ValidationError(f"{name} has the members {', '.join(sorted(members))}, not {section!r}")
    for member, value in section.items():
        if not isinstance(value, str) and not is_expression(value):
            raise ValidationError(f"{name}.{member} must be a text, not {value!r}")
    return section


def _collect(raw: list[Any], steps: dict[str, Step], parent: str | None, branch: str | None) -> None:
    for item in raw:
        step = _step(item, parent, branch)
        if step.name in steps:
            raise ValidationError(f"Step '{step.name}' is defined twice: step names are unique in a pipeline")
        steps[step.name] = step
        if step.type == "Condition":
            for outcome, member in (("True", "IfSteps"), ("False", "ElseSteps")):
                inner = step.arguments.get(member, [])
                if not isinstance(inner, list):
                    raise ValidationError(f"Step '{step.name}': {member} must be a list")
                _collect(inner, steps, step.name, outcome)


def _step(item: Any, parent: str | None, branch: str | None) -> Step:
    name = item.get("Name") if isinstance(item, dict) else None
    if not isinstance(name, str) or not STEP_NAME.fullmatch(name):
        raise ValidationError(f"a step's Name must match {STEP_NAME.pattern}, not {name!r}")
    try:
        _check_members(item)
        step = Step(
            name=name,
            type=item["Type"],
            arguments=item["Arguments"],
            depends_on=_depends_on(item.get("DependsOn", [])),
            raw=item,
            parent=parent,
            branch=branch,
        )
        _CHECKS[step.type](step)
    except (ValidationError, ExpressionError) as error:
        raise ValidationError(f"Step '{name}': {error}") from error
    return step


def _check_members(item: Document) -> None:
    kind = item.get("Type")
    if not isinstance(kind, str) or kind not in STEP_TYPES:
        raise ValidationError(
            f"steps of type {kind!r} are not run by the local SageMaker;"
            f" it runs: {', '.join(sorted(STEP_TYPES))}"
        )
    if unknown := set(item) - STEP_TYPES[kind]:
        raise ValidationError(f"a {kind} step has no member {', '.join(sorted(unknown))}")
    if not isinstance(item.get("Arguments"), dict):
        raise ValidationError("Arguments must be an object")
    if "CacheConfig" in item:
        cache.check(item["CacheConfig"])
    retrying.check(item.get("RetryPolicies", []))


def _depends_on(items: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(items, list):
        raise ValidationError("DependsOn must be a list")
    dependencies = []
    for item in items:
        if isinstance(item, str):
            dependencies.append((item, "Completed"))
        elif isinstance(item, dict) and set(item) == {"Step", "Trigger"} and item["Trigger"] in TRIGGERS:
            dependencies.append((str(item["Step"]), str(item["Trigger"])))
        else:
            raise ValidationError(
                "DependsOn holds step names or {'Step': name, 'Trigger': one of "
                + f"{', '.join(TRIGGERS)}}}, not {item!r}"
            )
    return tuple(dependencies)


def _check_request(step: Step) -> None:
    """The arguments against the model of the Create call that they become, expressions left out."""
    shape = wire.input_shape(OPERATIONS[step.type])
    named_here = frozenset({NAMES.get(step.type, "")})
    problems = list(wire.check(shape, step.arguments, skip=is_expression, absent=named_here))
    if problems:
        raise ValidationError(wire.describe(problems))


def _check_processing(step: Step) -> None:
    _check_request(step)
    names = _output_names(step.arguments)
    for item in _list(step.raw, "PropertyFiles"):
        if not isinstance(item, dict) or set(item) != _PROPERTY_FILE or not _are_texts(item):
            raise ValidationError(
                f"a property file has the members {', '.join(sorted(_PROPERTY_FILE))},"
                f" all of them texts, not {item!r}"
            )
        if names is not None and item["OutputName"] not in names:
            raise ValidationError(
                f"property file '{item['PropertyFileName']}' is in the output '{item['OutputName']}',"
                f" which the step does not have; it has: {', '.join(sorted(names)) or 'none'}"
            )


def _output_names(arguments: Document) -> set[str] | None:
    """The outputs that a Processing step has, None when that is known only once it runs."""
    config = arguments.get("ProcessingOutputConfig", {})
    outputs = config if is_expression(config) else config.get("Outputs", [])
    if is_expression(outputs) or any(is_expression(output) for output in outputs):
        return None
    names = [output["OutputName"] for output in outputs]
    return None if any(is_expression(name) for name in names) else set(names)


def _list(source: Document, member: str) -> list[Any]:
    members = source.get(member, [])
    if not isinstance(members, list):
        raise ValidationError(f"{member} must be a list, not {members!r}")
    return members


def _are_texts(item: Document) -> bool:
    return all(isinstance(value, str) for value in item.values())


def _check_lambda(step: Step) -> None:
    if not isinstance(step.raw.get("FunctionArn"), str):
        raise ValidationError("FunctionArn must be a text")
    for item in _list(step.raw, "OutputParameters"):
        well_formed = isinstance(item, dict) and set(item) == _OUTPUT and _are_texts(item)
        if not well_formed or item["OutputType"] not in _OUTPUT_TYPES:
            raise ValidationError(
                f"an output parameter is an OutputName and an OutputType"
                f" out of {', '.join(_OUTPUT_TYPES)}, not {item!r}"
            )


def _check_condition(step: Step) -> None:
    if unknown := set(step.arguments) - {"Conditions", "IfSteps", "ElseSteps"}:
        raise ValidationError(f"unknown arguments: {', '.join(sorted(unknown))}")
    given = step.arguments.get("Conditions")
    if not isinstance(given, list) or not given:
        raise ValidationError("Conditions must be a list of at least one condition")
    for condition in given:
        conditions.check(condition)


def _check_fail(step: Step) -> None:
    if set(step.arguments) - {"ErrorMessage"}:
        raise ValidationError(
            f"a Fail step has the argument ErrorMessage, not {', '.join(sorted(step.arguments))}"
        )


_CHECKS = {
    "Condition": _check_condition,
    "Fail": _check_fail,
    "Lambda": _check_lambda,
    "Model": _check_request,
    "Processing": _check_processing,
    "RegisterModel": _check_request,
    "Training": _check_request,
    "Transform": _check_request,
    "Tuning": _check_request,
}
