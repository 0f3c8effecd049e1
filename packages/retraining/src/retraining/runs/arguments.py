"""Pipeline parameters given on the command line, and the data that they point at."""

import re
from collections.abc import Iterator
from typing import Any

from retraining.config.checks import parameter_values
from retraining.config.checks.images import image_problem
from retraining.config.configuration import Configuration
from retraining.config.flow import images
from retraining.config.schema.fields import s3_problem
from retraining.config.schema.parameter import Parameter
from retraining.errors import UserError, suggestion_or_all

_NUMBERS = {
    "Integer": (r"[-+]?[0-9]+", "a whole number"),
    "Float": (r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?", "a number"),
}


def parse(configuration: Configuration, given: list[str]) -> dict[str, str]:
    """``["Epochs=5"]`` as ``{"Epochs": "5"}``, checked against the declared parameters.

    Raises:
        UserError: no `=`, an undeclared name, one given twice, or a value that its keys refuse; a problem
            for each.
    """
    declared = configuration.parameters
    values: dict[str, str] = {}
    problems = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            problems.append(f"--param {text!r}: write it as Name=value, such as --param Epochs=5")
        elif name not in declared:
            problems.append(f"--param {name}: no such parameter{suggestion_or_all(name, declared)}")
        elif name in values:
            problems.append(f"--param {name}: it is given twice, as {values[name]!r} and {value!r}: keep one")
        elif words := _problem(declared[name], value):
            problems.append(f"--param {name}: {words}")
        else:
            values[name] = value
    problems += _refused(configuration, values)
    if problems:
        raise UserError(*problems)
    chosen = images.parameters(configuration.models.values())
    return {
        name: _image(configuration, name, value) if name in chosen else value
        for name, value in values.items()
    }


def _image(configuration: Configuration, name: str, value: str) -> str:
    try:
        return images.uri(value, configuration.project.SMP_REGION)
    except images.NoRegistry as error:
        raise UserError(f"--param {name}: {error}") from None


def _problem(parameter: Parameter, value: str) -> str | None:
    if parameter.choices is not None and value not in parameter.choices:
        return f"one of {', '.join(parameter.choices)} is expected, not {value!r}"
    if parameter.type == "Boolean":
        return (
            None
            if value in ("true", "false", "True", "False")
            else f"true or false is expected, not {value!r}"
        )
    if parameter.type == "String":
        return None  # the keys that declare it say what it may be
    # Python would take 1_000 and " 5" as well, which SageMaker does not.
    pattern, expected = _NUMBERS[parameter.type]
    if re.fullmatch(pattern, value):
        return None
    return f"{expected} is expected (as in the default {parameter.default!r}), not {value!r}"


def _refused(configuration: Configuration, values: dict[str, str]) -> Iterator[str]:
    """What the keys that declare the parameters say of the values."""
    models = list(configuration.models.values())
    typed = {name: _typed(configuration.parameters[name], value) for name, value in values.items()}
    chosen = images.parameters(models)
    root, sections = configuration.root, [*models, configuration.pipeline]
    alone = {name: parameter_values.problem(root, sections, {name: value}) for name, value in typed.items()}
    # Values that fit each other, such as both ends of a range, need not fit the defaults.
    together = parameter_values.problem(root, sections, typed)
    for name, value in typed.items():
        words = alone[name] if together else None
        if words is None and name in chosen:
            words = image_problem(str(value), None)
        if words is not None:
            yield f"--param {name}: {words}"
    if together and not any(alone.values()):
        yield f"--param {', '.join(values)}: {together}"


def _typed(parameter: Parameter, value: str) -> Any:
    if parameter.type == "Boolean":
        return value.lower() == "true"
    return {"Integer": int, "Float": float}.get(parameter.type, str)(value)


def require_inputs(configuration: Configuration, values: dict[str, str]) -> None:
    """Check that every S3 file or prefix that a job reads from outside holds at least one object.

    Raises:
        UserError: some do not; a problem for each.
    """
    problems = []
    for uri, parameter in _inputs(configuration):
        given = values.get(parameter.parameter, str(parameter.default)) if parameter else uri
        words = _missing(given)
        if words and parameter:
            advice = _advice(parameter.parameter, _can_be_simulated(configuration, given))
            problems.append(f"input {parameter.parameter}: {words}: {advice}")
        elif words:
            problems.append(f"input {words}: put the data there, or change fileName in the model's file")
    if problems:
        raise UserError(*dict.fromkeys(problems))


def _advice(name: str, can_be_simulated: bool) -> str:
    other = f"give another location with --param {name}=s3://..."
    if can_be_simulated:
        return f"put the data there, {other}, or run `retrain data` for simulated sample data"
    return f"put the data there, or {other}"


def _can_be_simulated(configuration: Configuration, uri: str) -> bool:
    from retraining.runs import sample_data

    try:
        return sample_data.fills(configuration, uri)
    except UserError:
        return False


def _inputs(configuration: Configuration) -> Iterator[tuple[str, Parameter | None]]:
    """The data of jobs that no step of the pipeline writes: a URI, or the parameter that holds it."""
    for step in configuration.steps.values():
        for item in step.inputs:
            if isinstance(item.uri, Parameter):
                yield "", item.uri
            elif item.uri is not None:
                yield item.uri, None


def _missing(uri: str) -> str | None:
    """What is wrong with an input; None where it holds an object."""
    import boto3
    from botocore.exceptions import ClientError

    if words := s3_problem(uri):
        return words
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        count = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount", 0)
    except ClientError as error:
        return f"{uri}: {error.response['Error'].get('Message', 'cannot be listed')}"
    return None if count else f"{uri} holds no objects"
