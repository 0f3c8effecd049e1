"""What each type of step does."""

import hashlib
import re
import secrets
import string
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from local_sagemaker.core import wire
from local_sagemaker.core.errors import ApiError, ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.definition import conditions, expressions, retrying
from local_sagemaker.definition.cache import Cache, key
from local_sagemaker.definition.expressions import ExpressionError
from local_sagemaker.definition.references import NAMES, OPERATIONS, Step
from local_sagemaker.engine import artifacts, lambdas
from local_sagemaker.engine.scope import JOB_KINDS, ExecutionScope

_ALPHABET = string.ascii_letters + string.digits
_LONGEST_NAME = 63
_LONGEST_NAMES = {"Tuning": 32}


class StepFailed(Exception):
    """The step failed; `kind` is the exception type that retry policies know it by, if any."""

    def __init__(self, reason: str, kind: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class StepStopped(Exception):
    """The step was stopped before it ended."""


@dataclass(frozen=True)
class Attempt:
    """One try at a step: what it is, where its values come from, where its results go.

    `note` writes members into the step's document; `stopping` is set when the execution is.
    """

    step: Step
    scope: ExecutionScope
    cache: Cache
    note: Callable[[Document], object]
    stopping: threading.Event


def run(attempt: Attempt) -> None:
    """Do the step, to its end; raises StepFailed or StepStopped."""
    try:
        _RUNNERS[attempt.step.type](attempt)
    except ExpressionError as error:
        raise StepFailed(f"ClientError: {error}") from error
    except ApiError as error:
        kind = retrying.RESOURCE_LIMIT if error.code == "ResourceLimitExceeded" else None
        raise StepFailed(f"ClientError: {error.code}: {error.message}", kind) from error


def stop_job(scope: ExecutionScope, step: Step, record: Document) -> None:
    """Stop the job that `record` says the step runs, if it still runs one."""
    job = record.get("Metadata", {}).get(f"{step.type}Job")
    if job:
        with suppress(ApiError):
            scope.jobs.stop(JOB_KINDS[step.type], job["Arn"].rpartition("/")[2])


def _job(attempt: Attempt) -> None:
    """A Processing, Training, Transform or Tuning step: the job, or an earlier one like it."""
    step = attempt.step
    name = _job_name(attempt)
    request = expressions.resolve(step.arguments, attempt.scope.with_job(name))
    request = _request(step, {**request, NAMES[step.type]: name})
    cache_key = key(step.type, request)
    reused, why_not = _reuse(attempt, cache_key)
    if reused:
        return
    tags = request.pop("Tags", [])
    job_arn = attempt.scope.jobs.create(JOB_KINDS[step.type], request, [*tags, *_tags(attempt)], why_not)
    attempt.note(
        {"StepStatus": "Executing", "Metadata": {f"{step.type}Job": {"Arn": job_arn}}, "CacheKey": cache_key}
    )
    if attempt.stopping.is_set():
        with suppress(ApiError):
            attempt.scope.jobs.stop(JOB_KINDS[step.type], name)
    description = attempt.scope.jobs.wait(JOB_KINDS[step.type], name)
    _judge(step, description)
    made = artifacts.locations(step.type, description)
    attempt.note({"Artifacts": artifacts.filled(attempt.scope.settings, made)})


def _judge(step: Step, description: Document) -> None:
    status = description[f"{NAMES[step.type].removesuffix('Name')}Status"]
    if status == "Completed":
        return
    if status == "Stopped" and description.get("SecondaryStatus") != "MaxRuntimeExceeded":
        raise StepStopped
    default = f"the job ended as {description.get('SecondaryStatus', status)}"
    reason = description.get("FailureReason") or default
    raise StepFailed(reason, retrying.kind_of(reason))


def _lambda(attempt: Attempt) -> None:
    step = attempt.step
    payload = expressions.resolve(step.arguments, attempt.scope)
    function = step.raw["FunctionArn"]
    wanted = {"FunctionArn": function, "Arguments": payload, "OutputParameters": step.outputs}
    cache_key = key("Lambda", wanted)
    if _reuse(attempt, cache_key)[0]:
        return
    attempt.note(
        {"StepStatus": "Executing", "Metadata": {"Lambda": {"Arn": function}}, "CacheKey": cache_key}
    )
    try:
        result = lambdas.invoke(attempt.scope.settings, function, payload)
        outputs = lambdas.outputs(result, step.outputs)
    except lambdas.FunctionError as error:
        raise StepFailed(str(error), retrying.THROTTLING if error.throttled else None) from error
    shown = [{"Name": name, "Value": expressions.to_text(value)} for name, value in outputs.items()]
    attempt.note({"Metadata": {"Lambda": {"Arn": function, "OutputParameters": shown}}, "Outputs": outputs})


def _condition(attempt: Attempt) -> None:
    attempt.note({"StepStatus": "Executing"})
    outcome = all(
        conditions.evaluate(condition, lambda value: expressions.resolve(value, attempt.scope))
        for condition in attempt.step.arguments["Conditions"]
    )
    attempt.note({"Metadata": {"Condition": {"Outcome": str(outcome)}}})


def _fail(attempt: Attempt) -> None:
    attempt.note({"StepStatus": "Executing"})
    message = expressions.to_text(
        expressions.resolve(attempt.step.arguments.get("ErrorMessage", ""), attempt.scope)
    )
    attempt.note({"Metadata": {"Fail": {"ErrorMessage": message}}})
    raise StepFailed(message)


def _register_model(attempt: Attempt) -> None:
    """CreateModelPackage; the group is created when it does not exist, as SageMaker Pipelines does."""
    request = _request(attempt.step, expressions.resolve(attempt.step.arguments, attempt.scope))
    attempt.note({"StepStatus": "Executing"})
    group = request.get("ModelPackageGroupName")
    if group is not None:
        with suppress(ValidationError):
            attempt.scope.packages.create_group({"ModelPackageGroupName": group.rpartition("/")[2]})
    # A retry after a crash between the registration and its note finds the package that is there.
    identity = f"{attempt.scope.execution['PipelineExecutionArn']}/{attempt.step.name}"
    request.setdefault("ClientToken", hashlib.sha256(identity.encode()).hexdigest()[:36])
    request["Tags"] = [*request.get("Tags", []), *_tags(attempt)]
    package_arn = attempt.scope.packages.create(request)["ModelPackageArn"]
    attempt.note({"Metadata": {"RegisterModel": {"Arn": package_arn}}})


def _model(attempt: Attempt) -> None:
    """CreateModel, under a name of the pipeline's own."""
    request = expressions.resolve(attempt.step.arguments, attempt.scope)
    request = _request(attempt.step, {**request, "ModelName": _job_name(attempt)})
    attempt.note({"StepStatus": "Executing"})
    request["Tags"] = [*request.get("Tags", []), *_tags(attempt)]
    attempt.note({"Metadata": {"Model": {"Arn": attempt.scope.models.create(request)["ModelArn"]}}})


_RUNNERS: dict[str, Callable[[Attempt], None]] = {
    "Condition": _condition,
    "Fail": _fail,
    "Lambda": _lambda,
    "Model": _model,
    "Processing": _job,
    "RegisterModel": _register_model,
    "Training": _job,
    "Transform": _job,
    "Tuning": _job,
}


def _request(step: Step, resolved: Document) -> Document:
    """The resolved arguments as a valid request, without what a step may not carry."""
    resolved.pop("ExperimentConfig", None)
    return wire.validate(OPERATIONS[step.type], resolved)


def _reuse(attempt: Attempt, cache_key: str) -> tuple[bool, str]:
    """Take over the result of an earlier run of the same step, when the step's CacheConfig allows it.

    Returns whether that was done, and why an earlier result can no longer be used.
    """
    step, scope = attempt.step, attempt.scope
    config = step.raw.get("CacheConfig", {})
    earlier = attempt.cache.find(scope.execution["PipelineArn"], step.name, cache_key, config)
    if earlier is None:
        return False, ""
    job = earlier["Metadata"].get(f"{step.type}Job")
    if job:
        try:
            scope.jobs.describe(JOB_KINDS[step.type], job["Arn"].rpartition("/")[2])
        except ApiError:  # the job is no longer known, so neither are its properties
            return False, ""
    if missing := artifacts.first_missing(scope.settings, earlier.get("Artifacts") or []):
        return False, f"not reused from {earlier['PipelineExecutionArn']}: nothing is at {missing} any more"
    source = {"SourcePipelineExecutionArn": earlier["PipelineExecutionArn"]}
    attempt.note({"Metadata": earlier["Metadata"], "Outputs": earlier["Outputs"], "CacheHitResult": source})
    return True, ""


def _job_name(attempt: Attempt) -> str:
    """``pipelines-<execution id>-<step>-<random>``, or ``<prefix>-<execution id>-<random>``.

    A tuning job's name is short: ``<execution id>-<step>-<random>``.
    """
    longest = _LONGEST_NAMES.get(attempt.step.type, _LONGEST_NAME)
    execution_id = attempt.scope.variable("PipelineExecutionId")
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    prefix: Any = attempt.step.arguments.get(NAMES[attempt.step.type])
    if prefix is not None:
        text = expressions.to_text(expressions.resolve(prefix, attempt.scope))
        head = f"{text[: longest - len(execution_id) - len(suffix) - 2]}-{execution_id}"
    else:
        head = f"{execution_id}-{re.sub('[^A-Za-z0-9-]', '-', attempt.step.name)}"
        head = head if attempt.step.type in _LONGEST_NAMES else f"pipelines-{head}"
    return f"{head[: longest - len(suffix) - 1]}-{suffix}"


def _tags(attempt: Attempt) -> list[Document]:
    values = {
        "sagemaker:pipeline-execution-arn": attempt.scope.variable("PipelineExecutionArn"),
        "sagemaker:pipeline-name": attempt.scope.variable("PipelineName"),
        "sagemaker:pipeline-step-name": attempt.step.name,
    }
    return [{"Key": name, "Value": value} for name, value in values.items()]
