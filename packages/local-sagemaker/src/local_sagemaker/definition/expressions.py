"""Expressions of a pipeline definition: ``Get``, ``Std:Join`` and ``Std:JsonGet``.

Source of the language: the SageMaker pipeline definition schema and what SDK v3 emits
(``sagemaker.core.workflow.{functions,parameters,properties,execution_variables}``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

EXECUTION_VARIABLES = frozenset(
    {
        "StartDateTime",
        "CurrentDateTime",
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "TrainingJobName",
        "ProcessingJobName",
    }
)
EXPERIMENT_MEMBERS = frozenset({"ExperimentName", "TrialName"})
FUNCTIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})

_TOKEN = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]")
# What `Outputs['train']` compares 'train' with, in the lists of SageMaker's Describe responses.
_NAMING_MEMBERS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")

Token = str | int


class ExpressionError(Exception):
    """An expression is malformed, or what it points at is not there; one line."""


@dataclass(frozen=True)
class Reference:
    """``<root>.<name><path>``: root is Parameters, Execution, Steps or PipelineExperimentConfig."""

    root: str
    name: str
    path: tuple[Token, ...]
    text: str


class Scope(Protocol):
    """Where the values of references come from, at the moment a step starts.

    Each method raises ExpressionError when there is no such value.
    """

    def parameter(self, name: str) -> Any: ...

    def variable(self, name: str) -> str: ...

    def experiment(self, name: str) -> str: ...

    def properties(self, step: str) -> Any:
        """The Describe response of what the step made, as JSON."""

    def property_file(self, step: str, name: str) -> Any:
        """The content of a property file of the step, as JSON."""

    def json_at(self, uri: str) -> Any:
        """The JSON document at an S3 URI."""


def is_expression(value: object) -> bool:
    """True for an object whose only member is ``Get`` or ``Std:...``."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    key = next(iter(value))
    return isinstance(key, str) and (key == "Get" or key.startswith("Std:"))


def tokens(path: str) -> tuple[Token, ...]:
    """``a.b['c'][0]`` as ("a", "b", "c", 0); a leading ``$`` is the document itself."""
    rest = path.removeprefix("$")
    parts: list[Token] = []
    position = 0
    while position < len(rest):
        match = _TOKEN.match(rest, position)
        if match is None:
            raise ExpressionError(f"the path {path!r} is malformed at character {position + 1}")
        if match["index"] is not None:
            parts.append(int(match["index"]))
        else:
            parts.append(match["name"] if match["name"] is not None else match["key"])
        position = match.end()
    if not parts:
        raise ExpressionError(f"the path {path!r} is empty")
    return tuple(parts)


def parse_reference(text: object) -> Reference:
    """The reference in ``{"Get": text}``; raises ExpressionError when it cannot be one."""
    if not isinstance(text, str):
        raise ExpressionError(f"Get needs a text such as 'Parameters.X', not {text!r}")
    root, _, rest = text.partition(".")
    if root not in ("Parameters", "Execution", "Steps", "PipelineExperimentConfig") or not rest:
        raise ExpressionError(
            f"{text!r} is no reference: it must begin with Parameters., Execution., Steps."
            " or PipelineExperimentConfig."
        )
    if root != "Steps":
        return Reference(root, rest, (), text)
    first, *path = tokens(rest)
    if not path:
        raise ExpressionError(f"{text!r} names a step and no property of it")
    return Reference(root, str(first), tuple(path), text)


def references(value: Any) -> Iterator[Reference]:
    """All references inside `value`, however deep; raises ExpressionError at a malformed expression."""
    if is_expression(value):
        yield from _references_of_expression(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def pick(document: Any, path: tuple[Token, ...], where: str) -> Any:
    """The value at `path` in a JSON document.

    A name inside a list of objects picks the object of that name (``Outputs['train']``). Raises
    ExpressionError that says which part of the path is not there and what is.
    """
    value = document
    for token in path:
        try:
            value = _child(value, token)
        except LookupError as error:
            raise ExpressionError(f"{where} has no {token!r}; {error.args[0]}") from error
    return value


def resolve(value: Any, scope: Scope) -> Any:
    """`value` with every expression in it replaced by what it stands for; raises ExpressionError."""
    if is_expression(value):
        return _evaluate(value, scope)
    if isinstance(value, dict):
        return {key: resolve(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    return value


def to_text(value: Any) -> str:
    """A value as Std:Join writes it: booleans as ``true`` and ``false``, numbers as JSON."""
    if isinstance(value, dict | list):
        raise ExpressionError(f"Std:Join joins texts, numbers and booleans, not {value!r}")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _references_of_expression(value: Any) -> Iterator[Reference]:
    (function, argument), *_ = value.items()
    if function == "Get":
        yield parse_reference(argument)
    elif function == "Std:Join":
        _, values = _join_arguments(argument)
        yield from references(values)
    elif function == "Std:JsonGet":
        source, _, _ = _json_get_arguments(argument)
        yield from references(source)
    else:
        raise ExpressionError(f"the function {function!r} is unknown; known: {', '.join(sorted(FUNCTIONS))}")


def _evaluate(value: Any, scope: Scope) -> Any:
    (function, argument), *_ = value.items()
    if function == "Get":
        return _get(parse_reference(argument), scope)
    if function == "Std:Join":
        on, values = _join_arguments(argument)
        return on.join(to_text(resolve(item, scope)) for item in values)
    if function == "Std:JsonGet":
        return _json_get(argument, scope)
    raise ExpressionError(f"the function {function!r} is unknown; known: {', '.join(sorted(FUNCTIONS))}")


def _get(reference: Reference, scope: Scope) -> Any:
    if reference.root == "Parameters":
        return scope.parameter(reference.name)
    if reference.root == "Execution":
        return scope.variable(reference.name)
    if reference.root == "PipelineExperimentConfig":
        return scope.experiment(reference.name)
    return pick(
        scope.properties(reference.name), reference.path, f"{reference.text}: step {reference.name!r}"
    )


def _json_get(argument: Any, scope: Scope) -> Any:
    source, is_file, path = _json_get_arguments(argument)
    if is_file:
        reference = parse_reference(source["Get"])
        name = str(reference.path[1])
        document = scope.property_file(reference.name, name)
        where = f"property file {name!r} of step {reference.name!r}"
    else:
        where = str(resolve(source, scope))
        document = scope.json_at(where)
    value = pick(document, tokens(path), where)
    if isinstance(value, dict | list):
        raise ExpressionError(f"{path!r} in {where} is no text, number or boolean")
    return value


def _join_arguments(argument: Any) -> tuple[str, list[Any]]:
    if not isinstance(argument, dict) or not isinstance(argument.get("Values"), list):
        raise ExpressionError(f"Std:Join needs On and a list of Values, not {argument!r}")
    on = argument.get("On", "")
    if not isinstance(on, str):
        raise ExpressionError(f"Std:Join needs a text as On, not {on!r}")
    return on, argument["Values"]


def _json_get_arguments(argument: Any) -> tuple[Any, bool, str]:
    """(source, whether it is a property file, path)."""
    if not isinstance(argument, dict) or not isinstance(argument.get("Path"), str):
        raise ExpressionError(f"Std:JsonGet needs PropertyFile or S3Uri, and a Path, not {argument!r}")
    if ("PropertyFile" in argument) == ("S3Uri" in argument):
        raise ExpressionError("Std:JsonGet needs either PropertyFile or S3Uri")
    tokens(argument["Path"])
    if "S3Uri" in argument:
        return argument["S3Uri"], False, argument["Path"]
    source = argument["PropertyFile"]
    reference = parse_reference(source.get("Get")) if isinstance(source, dict) else None
    if reference is None or len(reference.path) != 2 or reference.path[0] != "PropertyFiles":
        raise ExpressionError(
            f"PropertyFile must be {{'Get': 'Steps.<step>.PropertyFiles.<name>'}}, not {source!r}"
        )
    return source, True, argument["Path"]


def _child(value: Any, token: Token) -> Any:
    """LookupError's first argument says what there is instead."""
    if isinstance(value, dict):
        if token in value:
            return value[token]
        raise LookupError(f"it has: {', '.join(map(str, value)) or 'nothing'}")
    if isinstance(value, list) and isinstance(token, int):
        if token < len(value):
            return value[token]
        raise LookupError(f"it has {len(value)} items")
    if isinstance(value, list):
        named = {
            item[m]: item
            for item in value
            if isinstance(item, dict)
            for m in _NAMING_MEMBERS[::-1]
            if m in item
        }
        if token in named:
            return named[token]
        raise LookupError(f"it has: {', '.join(map(str, named)) or 'nothing'}")
    raise LookupError(f"it is {value!r}")
