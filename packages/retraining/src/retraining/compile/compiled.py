"""A compiled pipeline definition, step by step, and the values of its expressions in one run.

Some values are known only from a run: the execution's id, where a job puts its model, what a function
returns. They are kept as `Made` texts, which are equal only where they come from the same run.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

# What the pipeline names itself, whatever the step's arguments say.
_OWN_NAMES = {
    "Processing": "ProcessingJobName",
    "Training": "TrainingJobName",
    "Tuning": "HyperParameterTuningJobName",
    "Transform": "TransformJobName",
    "Model": "ModelName",
}
_TOKEN = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]")
_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")


class Made(str):
    """A text that a run produces: `step` in it, or (None) the execution itself.

    `certain` is False where another run may well produce the same.
    """

    step: str | None
    certain: bool

    def __new__(cls, text: str, step: str | None, certain: bool = True) -> "Made":
        made = super().__new__(cls, text)
        made.step, made.certain = step, certain
        return made


@dataclass(frozen=True)
class CompiledStep:
    """One step; `parent` is the Condition step that it belongs to, in its `branch` (if, else)."""

    name: str
    type: str
    raw: dict[str, Any]
    parent: str | None = None
    branch: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = self.raw.get("Arguments") or {}
        return arguments

    @cached_property
    def content(self) -> dict[str, Any]:
        """What defines the step; the inner steps of a condition are steps of their own."""
        rest = {key: value for key, value in self.raw.items() if key not in ("Name", "Arguments")}
        own = {key: value for key, value in self.arguments.items() if key not in ("IfSteps", "ElseSteps")}
        behind = {"behind": f"{self.parent} ({self.branch})"} if self.parent else {}
        return {**own, **rest, **behind}

    @cached_property
    def before(self) -> frozenset[str]:
        """The steps that must end before this one begins."""
        own = self.content if self.type == "Condition" else self.raw
        named = {item if isinstance(item, str) else item["Step"] for item in self.raw.get("DependsOn", [])}
        return frozenset({*_steps_in(own), *named, *([self.parent] if self.parent else [])})

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The pipeline parameters that the step refers to."""
        return frozenset(_parameters_in(self.content if self.type == "Condition" else self.raw))


@dataclass(frozen=True)
class Compiled:
    """A definition; `steps` holds those inside conditions too."""

    parameters: dict[str, dict[str, Any]]
    experiment: dict[str, Any]
    steps: dict[str, CompiledStep]


@lru_cache(maxsize=256)
def read(text: str) -> Compiled:
    """The definition in a JSON text, as SageMaker keeps it."""
    document = json.loads(text)
    return Compiled(
        {item["Name"]: item for item in document.get("Parameters") or []},
        document.get("PipelineExperimentConfig") or {},
        {step.name: step for step in _steps(document.get("Steps") or [], None, None)},
    )


def _steps(raw: list[Any], parent: str | None, branch: str | None) -> Iterator[CompiledStep]:
    for item in raw:
        yield CompiledStep(item["Name"], item["Type"], item, parent, branch)
        if item["Type"] == "Condition":
            arguments = item.get("Arguments") or {}
            yield from _steps(arguments.get("IfSteps") or [], item["Name"], "if")
            yield from _steps(arguments.get("ElseSteps") or [], item["Name"], "else")


def is_expression(value: Any) -> bool:
    """True for an object whose only member is ``Get`` or ``Std:...``."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Get", "Std:"))


def _steps_in(value: Any) -> Iterator[str]:
    """Names of the steps that a value refers to."""
    if isinstance(value, dict):
        reference = value.get("Get")
        if isinstance(reference, str) and reference.startswith("Steps."):
            yield str(_tokens(reference.removeprefix("Steps."))[0])
        for item in value.values():
            yield from _steps_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _steps_in(item)


def _parameters_in(value: Any) -> Iterator[str]:
    """Names of the pipeline parameters that a value refers to."""
    if isinstance(value, dict):
        reference = value.get("Get")
        if isinstance(reference, str) and reference.startswith("Parameters."):
            yield reference.removeprefix("Parameters.")
        for item in value.values():
            yield from _parameters_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _parameters_in(item)


def _tokens(path: str) -> list[str | int]:
    """``a.b['c'][0]`` as ["a", "b", "c", 0]."""
    return [
        int(match["index"]) if match["index"] else match["name"] or match["key"]
        for match in _TOKEN.finditer(path)
    ]


@dataclass
class Run:
    """One run of a definition: a past execution by its ARN, or (arn None) the one that is planned.

    `origins` says for a step in which run it really ran; a step that is missing there ran in this one.
    """

    definition: Compiled
    parameters: dict[str, Any]
    arn: str | None = None
    pipeline: str = ""
    origins: dict[str, "Run"] = field(default_factory=dict)

    def value(self, value: Any) -> Any:
        """`value` with each expression in it replaced by its value in this run."""
        if is_expression(value):
            return self._expression(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list) else value

    def _expression(self, value: dict[str, Any]) -> Any:
        ((function, argument),) = value.items()
        if function == "Get":
            root, _, rest = argument.partition(".")
            return getattr(self, f"_{root.lower()}")(rest)
        if function == "Std:Join":
            parts = [self.value(item) for item in argument["Values"]]
            text = argument.get("On", "").join(_text(part) for part in parts)
            made = [part for part in parts if isinstance(part, Made)]
            first = min(made, key=lambda part: not part.certain, default=None)
            return text if first is None else Made(text, first.step, first.certain)
        step = next(_steps_in(argument), None)
        if step is None:
            return json.dumps(self.value(argument), sort_keys=True, allow_nan=False)
        return self._made_by(json.dumps(argument, sort_keys=True, allow_nan=False), step, False)

    def _parameters(self, name: str) -> Any:
        return self.parameters.get(name)

    def _pipelineexperimentconfig(self, name: str) -> Any:
        return self.value(self.definition.experiment.get(name))

    def _execution(self, name: str) -> Any:
        if name == "PipelineName":
            return self.pipeline
        if self.arn is not None and name in ("PipelineExecutionId", "PipelineExecutionArn"):
            return Made(self.arn.rsplit("/", 1)[-1] if name.endswith("Id") else self.arn, None)
        return self.pipeline if name == "PipelineArn" else self._made_by(f"Execution.{name}", None)

    def _steps(self, rest: str) -> Any:
        """A property of a step: as its arguments say, or, where the job itself makes it, `Made`."""
        name, *path = _tokens(rest)
        origin = self.origins.get(str(name), self)
        step = origin.definition.steps.get(str(name))
        value = None
        if step is not None and path and path[0] != _OWN_NAMES.get(step.type):
            value = origin.value(_pick(step.arguments, path))
        if isinstance(value, str):
            return Made(value, str(name), getattr(value, "certain", True))
        if value is not None:
            return value
        return origin._made_by(f"Steps.{rest}", str(name), step is None or step.type != "Lambda")

    def _made_by(self, text: str, step: str | None, certain: bool = True) -> Made:
        origin = self.origins.get(step or "", self)
        return Made(f"{text}\0{origin.arn}", step, certain)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def value_at(document: Any, path: str) -> Any:
    """The value of a document at a path such as ``a.b['c'][0]``; None where there is none."""
    return _pick(document, _tokens(path))


def _pick(document: Any, path: list[str | int]) -> Any:
    """The value at `path`; None where there is none. A name inside a list picks the object of that name."""
    value = document
    for token in path:
        if isinstance(value, dict) and not is_expression(value):
            value = value.get(str(token))
        elif isinstance(value, list) and isinstance(token, int):
            value = value[token] if token < len(value) else None
        elif isinstance(value, list):
            value = next((item for item in value if token in map(item.get, _NAMES)), None)
        else:
            return None
    return value
