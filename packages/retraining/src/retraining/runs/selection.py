"""Which steps of the pipeline a run runs: a part of them, by SageMaker's selective execution.

The steps that the selected ones need, and that are not selected, give the results of an earlier execution.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import boto3

from retraining.compile.compiled import Compiled, read
from retraining.config.configuration import Configuration
from retraining.errors import UserError, suggestion_or_all
from retraining.runs import executions
from retraining.runs.executions import Execution

# What SageMaker allows in one selection, and how many executions are looked at for results.
_MOST, _EXECUTIONS = 50, 100


@dataclass(frozen=True)
class Choice:
    """What was asked for: all steps of a model, or a step and those after it, or steps by name."""

    model: str | None = None
    start: str | None = None
    only: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The same as options of `retrain run`."""
        given = [("--model", self.model), ("--from", self.start), *(("--only", name) for name in self.only)]
        return [f"{option} {shlex.quote(value)}" for option, value in given if value is not None]


ALL_STEPS = Choice()


@dataclass(frozen=True)
class Selection:
    """Steps of the definition, in its order.

    Attributes:
        options: of the command, as they were given.
        steps: those that run.
        needed: those whose results are taken over, from the execution `source` (its ARN).
    """

    options: tuple[str, ...]
    steps: tuple[str, ...]
    needed: tuple[str, ...] = ()
    source: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """SageMaker's SelectiveExecutionConfig."""
        selected = {"SelectedSteps": [{"StepName": name} for name in self.steps]}
        return selected if self.source is None else {"SourcePipelineExecutionArn": self.source, **selected}

    def is_of(self, request: dict[str, Any] | None) -> bool:
        """Whether an execution with this configuration runs the same steps."""
        named = {item["StepName"] for item in (request or {}).get("SelectedSteps", [])}
        return named == set(self.steps)


def choose(
    configuration: Configuration, definition: Compiled, choice: Choice, given: Iterable[str] = ()
) -> Selection | None:
    """The selected steps of a definition, without the source of what they need; None for all steps.

    Args:
        given: names of the parameters that the command gives.

    Raises:
        UserError: there is no such model or step, the steps are not connected or too many, or none of them
            uses a parameter.
    """
    if not choice.options:
        return None
    kinds = {option.partition(" ")[0] for option in choice.options}
    if len(kinds) > 1:
        raise UserError(f"{' and '.join(sorted(kinds))} do not go together: give one of them")
    before = {name: step.before & definition.steps.keys() for name, step in definition.steps.items()}
    if choice.model is not None:
        chosen = _steps_of_model(configuration, choice.model)
        chosen |= _reached(chosen, before)
    elif choice.start is not None:
        chosen = {_step(configuration, definition, "--from", choice.start)}
        after = {name: {other for other in before if name in before[other]} for name in before}
        chosen |= _reached(chosen, after)
    else:
        chosen = {_step(configuration, definition, "--only", name) for name in choice.only}
    chosen = _with_own(configuration, definition, chosen)
    needed = set().union(*(before[name] for name in chosen)) - chosen
    for name in sorted(needed):
        earlier = sorted(_reached({name}, before) & chosen)
        if earlier:
            raise UserError(
                f"{' '.join(choice.options)}: step {name!r} is between {earlier[0]!r} and a later one: "
                f"add --only {name}"
            )
    if len(chosen) > _MOST:
        words = f"these are {len(chosen)} steps, and SageMaker selects at most {_MOST}"
        raise UserError(f"{' '.join(choice.options)}: {words}")
    selection = Selection(tuple(choice.options), _ordered(definition, chosen), _ordered(definition, needed))
    useless = [name for name in given if name not in _used(selection, definition)]
    if useless:
        words = f"no step of {' '.join(choice.options)} uses it: leave it out, or run the steps that do"
        raise UserError(f"--param {useless[0]}: {words}")
    return selection


def _steps_of_model(configuration: Configuration, model: str) -> set[str]:
    names = {name for name, step in configuration.steps.items() if step.model_name == model}
    if not names:
        known = list(configuration.pipeline.models)
        is_there = model in configuration.models
        words = (
            "no step of it is in the pipeline"
            if is_there
            else f"no such model{suggestion_or_all(model, known)}"
        )
        raise UserError(f"--model {model}: {words}")
    return names


def _step(configuration: Configuration, definition: Compiled, option: str, name: str) -> str:
    if name not in definition.steps:
        known = suggestion_or_all(name, configuration.steps)
        raise UserError(f"{option} {name}: no such step{known}")
    return name


def _reached(start: Iterable[str], edges: dict[str, Any]) -> set[str]:
    """What edges lead to, in one step or several."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        new = set(edges[waiting.pop()]) - reached
        reached |= new
        waiting += new
    return reached


def _with_own(configuration: Configuration, definition: Compiled, chosen: set[str]) -> set[str]:
    """With the steps made for some of them: a gate's Fail step and champion, a model's repacking."""
    own: set[str] = set()
    for name in chosen & configuration.steps.keys():
        step = configuration.steps[name]
        settings = step.settings
        if step.step_class == "Condition":
            own |= {settings.own_fail_step, settings.champion_step, settings.else_step or ""}
        if step.step_class in ("CreateModel", "RegisterModel") and step.source:
            own.add(configuration.steps[step.source].settings.repack_step)
    return chosen | (own & definition.steps.keys())


def _ordered(definition: Compiled, names: set[str]) -> tuple[str, ...]:
    return tuple(name for name in definition.steps if name in names)


def with_source(selection: Selection, pipeline: str, definition: Compiled) -> Selection:
    """The selection with the newest execution that has what it needs.

    Raises:
        UserError: there is none.
    """
    if not selection.needed:
        return selection
    for arn in executions.arns(pipeline)[:_EXECUTIONS]:
        execution = executions.describe(arn)
        if not execution.running and _has(execution, selection, definition):
            return replace(selection, source=arn)
    raise UserError(
        f"{' '.join(selection.options)}: the results of {', '.join(selection.needed)} are needed, and no "
        "execution has all of them: run the whole pipeline first, `retrain run`"
    )


def _has(execution: Execution, selection: Selection, definition: Compiled) -> bool:
    """Whether the needed steps succeeded, and conditions came out as the selected steps behind them need."""
    runs = {step.name: step for step in execution.steps if step.status == "Succeeded"}
    if not runs.keys() >= set(selection.needed):
        return False
    for name in selection.steps:
        step = definition.steps[name]
        if step.parent in selection.needed:
            outcome = runs[step.parent].metadata.get("Condition", {}).get("Outcome")
            if outcome != {"if": "True", "else": "False"}[step.branch or "if"]:
                return False
    return True


def values_of(selection: Selection, definition: Compiled, given: dict[str, str]) -> dict[str, str]:
    """The run's parameters that differ from their defaults.

    Those that are not given are the source's, where they were given to it, or where no selected step uses
    them: so the parameters of an execution are those that all of its results were made with.
    """
    if selection.source is None:
        return given
    theirs = executions.parameters(selection.source)
    answer = boto3.client("sagemaker").describe_pipeline_definition_for_execution(
        PipelineExecutionArn=selection.source
    )
    before = read(answer["PipelineDefinition"]).parameters
    used = _used(selection, definition)
    taken = {}
    for name, parameter in definition.parameters.items():
        if name in given or name not in theirs or name == "GitCommit":
            continue
        default = before.get(name, {}).get("DefaultValue")
        was_given = not executions.same(theirs[name], str(default))
        is_default = executions.same(theirs[name], str(parameter.get("DefaultValue")))
        if (was_given or name not in used) and not is_default:
            taken[name] = theirs[name]
    return taken | given


def _used(selection: Selection, definition: Compiled) -> set[str]:
    """The parameters that the selected steps use."""
    return set[str]().union(*(definition.steps[name].parameters for name in selection.steps))


def note_of(selection: Selection, given: dict[str, str], values: dict[str, str]) -> str:
    """What runs, and from where the rest comes; `given` are the command's parameters, `values` the run's."""
    words = f"runs only {', '.join(selection.steps)}"
    if selection.source is None:
        return words
    taken = [f"{name}={value}" for name, value in values.items() if name not in given]
    parameters = f", with its {', '.join(taken)}" if taken else ""
    source = selection.source.rsplit("/", 1)[-1]
    return (
        f"{words}; the results of {', '.join(selection.needed)} are those of execution {source}{parameters}"
    )
