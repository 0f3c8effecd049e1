"""`retrain plan`: what `retrain run` would change, and which steps it would really run."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retraining.compile.code_differences import CodePackages
from retraining.compile.compiled import Compiled, Run, read
from retraining.compile.definition import Definition, compile_pipeline
from retraining.compile.differences import Difference, differences, words
from retraining.compile.lambdas import functions_of
from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.planning import cache_prediction, changed_inputs, history
from retraining.planning.cache_prediction import Prediction
from retraining.planning.changed_inputs import ChangedInput
from retraining.runs import arguments, deployment, targets
from retraining.runs.interruption import Threads
from retraining.runs.targets import PlaceName

# How many executions are compared; more only where the nearest ones have no result to reuse.
_NEAR, _FAR = 10, 100
# So many new parameters get a line each, with their defaults; more share one.
_ONE_BY_ONE = 5
# SageMaker reuses a step without checking that its outputs still exist; local_sagemaker checks.
_LOOKS_AT_OUTPUTS = {"local": True, "aws": False}


@dataclass(frozen=True)
class PlannedStep:
    """One step: `change` is added, removed, changed or unchanged; `changes` and `reasons` are in words.

    `cache` is hit, miss, open (it depends on another step's result) or never, and None for a removed
    step. `source` is the execution whose result a hit takes, `behind` the condition that decides.
    """

    name: str
    type: str
    change: str
    changes: tuple[str, ...] = ()
    cache: str | None = None
    reasons: tuple[str, ...] = ()
    source: str | None = None
    behind: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "change": self.change,
            "changes": list(self.changes),
            "cache": self.cache,
            "reasons": list(self.reasons),
            "source_execution": self.source,
            "behind": self.behind,
        }


@dataclass(frozen=True)
class Plan:
    """What a run would change and do; `others` are changes outside the steps, in words.

    `changed_inputs` are the inputs of steps to be reused whose objects are not those of the result.
    """

    pipeline: str
    place: PlaceName
    is_deployed: bool
    steps: tuple[PlannedStep, ...]
    others: tuple[str, ...]
    parameters: dict[str, Any]
    changed_inputs: tuple[ChangedInput, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "on": self.place,
            "deployed": self.is_deployed,
            "parameters": self.parameters,
            "steps": [step.as_json() for step in self.steps],
            "other_changes": list(self.others),
            "changed_inputs": [changed.as_json() for changed in self.changed_inputs],
        }


def make_plan(configuration: Configuration, place: PlaceName, given: list[str]) -> Plan:
    """Compare the project with what is deployed and with the last executions; nothing is changed.

    Args:
        given: ``Name=value`` of the parameters that differ from their defaults.

    Raises:
        UserError: the project does not compile, a parameter is wrong, or the place cannot be entered.
    """
    values = arguments.parse(configuration, given)
    with Threads(1) as pool:
        services = pool.submit(targets.prepare, place, configuration, note, dict(os.environ))
        note("compiling the pipeline")
        definition = compile_pipeline(configuration)
        services.result()
    targets.enter(place, configuration, note)
    new = read(definition.text)
    given_values = {**values, "GitCommit": deployment.git_commit(configuration.root)}
    run = Run(new, history.values(new.parameters, given_values), None, definition.name)
    packages = CodePackages(definition.uploads)
    deployed = deployment.deployed_pipeline(definition.name)
    old = read(deployed["PipelineDefinition"]) if deployed else None
    looks = _LOOKS_AT_OUTPUTS[place]
    predictions, past = _predict(run, looks) if deployed else (_predict_from(run, [], looks), [])
    return Plan(
        pipeline=definition.name,
        place=place,
        is_deployed=deployed is not None,
        steps=tuple(_steps(old or Compiled({}, {}, {}), new, predictions, packages)),
        others=tuple(_others(configuration, definition, old, new, deployed)),
        parameters=run.parameters,
        changed_inputs=tuple(
            changed_inputs.find(configuration.project.bucket, past, cache_prediction.sources(predictions))
        ),
    )


def _predict(run: Run, looks_at_outputs: bool) -> tuple[dict[str, Prediction], list[history.Past]]:
    """The predictions, and the executions that they were made from."""
    predictions: dict[str, Prediction] = {}
    past: list[history.Past] = []
    for most in (_NEAR, _FAR):
        past, has_more = history.load(run.pipeline, most)
        predictions = _predict_from(run, past, looks_at_outputs)
        if not has_more or all(prediction.outcome in ("hit", "never") for prediction in predictions.values()):
            break
    return predictions, past


def _predict_from(run: Run, past: list[history.Past], looks_at_outputs: bool) -> dict[str, Prediction]:
    now = datetime.now(UTC)
    gone: set[tuple[str, str]] = set()
    while True:
        predictions = cache_prediction.predict(run, past, now, gone)
        sources = cache_prediction.sources(predictions)
        more = history.deleted(past, sources) if looks_at_outputs else set()
        if more <= gone:
            return predictions
        gone |= more


def _steps(
    old: Compiled, new: Compiled, predictions: dict[str, Prediction], packages: CodePackages
) -> Iterator[PlannedStep]:
    for name, step in new.steps.items():
        prediction = predictions[name]
        before = old.steps.get(name)
        changes = in_words(differences(before.content, step.content), packages) if before else ()
        change = "added" if before is None else "changed" if changes else "unchanged"
        own = in_words(prediction.differences, packages)
        yield PlannedStep(
            name=name,
            type=step.type,
            change=change,
            changes=changes,
            cache=prediction.outcome,
            reasons=(*own, *prediction.reasons),
            source=prediction.source.arn if prediction.source else None,
            behind=f"{step.branch} {step.parent}" if step.parent else None,
        )
    for name, gone in old.steps.items():
        if name not in new.steps:
            yield PlannedStep(name, gone.type, "removed")


def in_words(changes: Iterable[Difference], packages: CodePackages) -> tuple[str, ...]:
    """Differences as people read them; code packages file by file, each file once."""
    lines: list[str] = []
    for change in changes:
        files = packages.changes(change)
        lines += [str(change)] if files is None else [f"code: {file}" for file in files]
    return tuple(dict.fromkeys(lines))


def _others(
    configuration: Configuration,
    definition: Definition,
    old: Compiled | None,
    new: Compiled,
    deployed: dict[str, Any] | None,
) -> Iterator[str]:
    """What changes outside the steps: the pipeline itself, its parameters, the Lambda functions."""
    if deployed is None or old is None:
        yield f"pipeline {definition.name} is new"
    else:
        for change in deployment.pipeline_differences(configuration, definition, deployed):
            yield f"pipeline: {change}"
        yield from _parameters(old, new)
        for change in differences(old.experiment, new.experiment):
            yield f"experiment: {change}"
    for function in functions_of(configuration):
        changes = deployment.function_differences(configuration, function, deployed)
        if changes is None:
            yield f"Lambda function {function.name} is new"
        for change in changes or []:
            what = "code changed" if change.path == deployment.CODE else str(change)
            yield f"Lambda function {function.name}: {what}"


def _parameters(old: Compiled, new: Compiled) -> Iterator[str]:
    added = [name for name in new.parameters if name not in old.parameters]
    if len(added) > _ONE_BY_ONE:
        yield f"{len(added)} new parameters: {', '.join(added)}"
    for name, parameter in new.parameters.items():
        if name not in old.parameters:
            if len(added) <= _ONE_BY_ONE:
                yield f"parameter {name} is new, default {words(parameter.get('DefaultValue'))}"
            continue
        for change in differences(old.parameters[name], parameter):
            yield f"parameter {name}: {change}".replace("DefaultValue:", "default")
    for name in old.parameters:
        if name not in new.parameters:
            yield f"parameter {name} is gone"
