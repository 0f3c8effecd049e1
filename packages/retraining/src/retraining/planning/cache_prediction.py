"""Whether a step of the next run will be a cache hit, by SageMaker's rules.

Source: Amazon SageMaker's documentation, "Caching pipeline steps" and "Default cache key attributes by
pipeline step type". A step is reused where caching is on and the same step of the same pipeline succeeded
within ExpireAfter on equal values of `KEYS`; of several, the most recent.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any, Literal

from local_sagemaker import duration
from retraining.compile.compiled import CompiledStep, Made, Run
from retraining.compile.differences import Difference, differences
from retraining.errors import UserError
from retraining.planning.history import Past

KEYS = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges",
        "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters",
        "TrainingJobDefinition.TuningObjective",
        "TrainingJobDefinitions",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    "Lambda": ("FunctionArn", "OutputParameters", "Arguments"),
}

Outcome = Literal["hit", "miss", "open", "never", "taken", "left out"]


@dataclass(frozen=True)
class Prediction:
    """What the cache will do for a step.

    `outcome` is "open" where it depends on what another step returns, and "never" for a step of a type
    that SageMaker does not cache. Where a part of the steps is selected, a step may be "taken" over from
    another execution, or "left out". `source` is the run whose result is used. Of a miss, `reasons` are
    words, and `differences` the parts of the key that changed since the most similar success.
    """

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    source: Run | None = None


def predict(
    run: Run,
    history: list[Past],
    now: datetime,
    gone: Collection[tuple[str, str]] = (),
    part: Mapping[str, Run | None] | None = None,
) -> dict[str, Prediction]:
    """The prediction for every step of `run`, which has no ARN yet.

    Args:
        history: earlier executions, newest first.
        gone: ARN of an execution and step, where the step's results were deleted.
        part: where a part of the steps is selected, each other step with the run that it is taken from, or
            None where it is left out.
    """
    steps = run.definition.steps
    order = TopologicalSorter(
        {name: sorted(step.before & steps.keys()) for name, step in steps.items()}
    ).static_order()
    planned = Run(run.definition, run.parameters, None, run.pipeline)
    predictions: dict[str, Prediction] = {}
    for name in order:
        if part is not None and name in part:
            predictions[name] = Prediction("taken" if part[name] else "left out", source=part[name])
        else:
            candidates = _candidates(steps[name], history)
            predictions[name] = _predict(steps[name], planned, candidates, predictions, now, gone)
        source = predictions[name].source
        if source is not None:
            planned.origins[name] = source
    return {name: predictions[name] for name in steps}


def _candidates(step: CompiledStep, history: list[Past]) -> list[tuple[datetime, Run]]:
    """The runs in which the step really ran and succeeded, the last first."""
    by_run: dict[str | None, tuple[datetime, Run]] = {}
    for past in history:
        if step.name in past.steps:
            run = past.run.origins.get(step.name, past.run)
            earlier = run.definition.steps.get(step.name)
            if earlier is not None and earlier.type == step.type:
                by_run.setdefault(run.arn, (past.steps[step.name].ended, run))
    return sorted(by_run.values(), key=lambda item: item[0], reverse=True)


def _predict(
    step: CompiledStep,
    planned: Run,
    candidates: list[tuple[datetime, Run]],
    others: dict[str, Prediction],
    now: datetime,
    gone: Collection[tuple[str, str]],
) -> Prediction:
    if step.type not in KEYS:
        return Prediction("never")
    config = step.raw.get("CacheConfig") or {}
    if not config.get("Enabled"):
        return Prediction("miss", ("caching is off",))
    if not candidates:
        return Prediction("miss", ("never ran",))
    wanted = _key(step, planned)
    compared = []
    for ended, run in candidates:
        changed = list(differences(_key(run.definition.steps[step.name], run), wanted))
        if not changed:
            return _reuse(step, ended, run, now, gone)
        compared.append(changed)
    return _explain(min(compared, key=len), others)


def _reuse(
    step: CompiledStep, ended: datetime, run: Run, now: datetime, gone: Collection[tuple[str, str]]
) -> Prediction:
    """The prediction for a result whose key is the same."""
    expires = (step.raw.get("CacheConfig") or {}).get("ExpireAfter")
    if expires is not None and (end := _end(step, ended, expires)) < now:
        return Prediction("miss", (f"its cache expired on {end.astimezone():%Y-%m-%d %H:%M}",))
    if (run.arn, step.name) in gone:
        return Prediction("miss", ("its outputs were deleted",))
    return Prediction("hit", source=run)


def _end(step: CompiledStep, ended: datetime, expires: str) -> datetime:
    """When a result from `ended` is too old to be reused."""
    try:
        return ended + duration(expires)
    except ValueError as error:
        raise UserError(f"step {step.name}: CacheConfig.ExpireAfter {error}") from None
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _key(step: CompiledStep, run: Run) -> dict[str, Any]:
    """The step's cache key in a run, by attribute."""
    arguments = step.arguments
    if step.type == "Lambda":
        arguments = step.raw
    return {name: run.value(_attribute(arguments, name)) for name in KEYS[step.type]}


def _attribute(value: Any, name: str) -> Any:
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _explain(changed: list[Difference], others: dict[str, Prediction]) -> Prediction:
    """A miss in words: what its own configuration changed, then what comes from elsewhere."""
    own = tuple(item for item in changed if not isinstance(item.new, Made))
    elsewhere = [item.new for item in changed if isinstance(item.new, Made)]
    reasons = tuple(dict.fromkeys(_cause(made, others) for made in elsewhere))
    surely = bool(own) or any(made.certain for made in elsewhere)
    return Prediction("miss" if surely else "open", reasons, own)


def _cause(made: Made, others: dict[str, Prediction]) -> str:
    if made.step is None:
        name = made.partition("\0")[0].rpartition("Execution.")[2]
        return f"{name or 'the execution'} differs in every run"
    if made.step in others and others[made.step].source is not None:
        return f"reads another result of {made.step}"
    return f"{made.step} will run again" if made.certain else f"depends on what {made.step} gives"


def sources(predictions: dict[str, Prediction]) -> Iterator[tuple[Run, str]]:
    """The runs whose results would be taken over, with the step's name."""
    for name, prediction in predictions.items():
        if prediction.source is not None:
            yield prediction.source, name
