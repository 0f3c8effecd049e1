"""`retrain run`: compile, deploy, start, follow, log the experiment, show what came out."""

import contextlib
import os
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from retraining.cli.tables import Progress
from retraining.compile.definition import Definition, compile_pipeline
from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.errors import UserError
from retraining.planning import newer_inputs
from retraining.results import experiments
from retraining.runs import arguments, deployment, executions, gate_reason, job_log, targets
from retraining.runs.executions import Execution
from retraining.runs.targets import Place, PlaceName


@dataclass(frozen=True)
class Result:
    """An ended execution: the MLflow run's id (None when not logged), and where the time went, in seconds.

    `given` are the parameters that differ from their defaults, as they were given.
    """

    execution: Execution
    place: Place
    given: dict[str, str]
    run_id: str | None
    total_seconds: float
    job_seconds: float


class NotSucceeded(UserError):
    """The execution ended otherwise; `result` is what there is of it."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def run(configuration: Configuration, place_name: PlaceName, given: list[str]) -> Result:
    """Run the pipeline once and wait for it.

    Args:
        given: ``Name=value`` of the parameters that differ from their defaults.

    Raises:
        NotSucceeded: the execution failed, or was stopped.
        UserError: anything a user can cause before the start.
    """
    began = time.monotonic()
    values = arguments.parse(configuration, given)
    with ThreadPoolExecutor(2) as pool:
        services = pool.submit(targets.prepare, place_name, configuration, note)
        note("compiling the pipeline")
        definition = compile_pipeline(configuration)
        services.result()
        place = targets.enter(place_name, configuration, note)
        arn = _running(configuration, definition, values) or _start(configuration, definition, values)
        experiment = (
            pool.submit(experiments.begin, configuration, executions.describe(arn))
            if experiments.enabled()
            else None
        )
        execution = _follow(definition.name, arn, _step_names(configuration))
        run_id = _log(configuration, execution, experiment)
    result = Result(
        execution,
        place,
        {name: value for name, _, value in (text.partition("=") for text in given)},
        run_id,
        time.monotonic() - began,
        executions.job_seconds(execution),
    )
    if execution.status != "Succeeded":
        raise NotSucceeded(_failure(execution, place), result)
    return result


def _running(configuration: Configuration, definition: Definition, values: dict[str, str]) -> str | None:
    """An execution with the same definition and parameters that still goes on, to be followed instead."""
    wanted = {name: str(parameter.default) for name, parameter in configuration.parameters.items()} | values
    client = boto3.client("sagemaker")
    for arn in executions.arns(definition.name, executions.RUNNING):
        present = executions.parameters(arn)
        text = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)[
            "PipelineDefinition"
        ]
        if text == definition.text and all(
            executions.same(present.get(name, ""), value) for name, value in wanted.items()
        ):
            note(
                f"execution {arn.rsplit('/', 1)[-1]}, with the same code and parameters, still goes on: "
                "following it"
            )
            return arn
        note(f"execution {arn.rsplit('/', 1)[-1]}, with other code or parameters, still goes on beside this")
    return None


def _start(configuration: Configuration, definition: Definition, values: dict[str, str]) -> str:
    arguments.require_inputs(configuration, values)
    _tell_of_the_last(configuration, definition.name)
    for line in deployment.deploy(configuration, definition):
        note(line)
    arn = executions.start(definition.name, {**values, "GitCommit": git_commit(configuration.root)})
    note(f"started execution {arn.rsplit('/', 1)[-1]} of {definition.name}")
    return arn


def _tell_of_the_last(configuration: Configuration, pipeline: str) -> None:
    """Say so when the execution before this one was cut off, and what becomes of its work."""
    cached = {name for name, step in configuration.dag.steps.items() if step.enable_cache}
    for arn in executions.arns(pipeline)[:1]:
        last = executions.describe(arn)
        if last.status == "Failed" and "services were stopped" in (last.failure or ""):
            kept = [step.name for step in last.steps if step.status == "Succeeded" and step.name in cached]
            note(
                f"the last execution, {last.id}, was cut off when the local services stopped; starting anew "
                f"(finished, and kept where nothing changed: {', '.join(kept) or 'no step'})"
            )


def git_commit(root: Path) -> str:
    """The sources' commit, with ``-dirty`` when they differ from it; ``unknown`` where git has none."""
    git = ["git", "-C", str(root)]
    tracked = subprocess.run(
        [*git, "ls-files", "--error-unmatch", "pipeline.py"], capture_output=True, check=False
    )
    if tracked.returncode != 0:
        return "unknown"
    commit = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    if commit.returncode != 0:
        return "unknown"
    changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return commit.stdout.strip() + ("-dirty" if changes.stdout.strip() else "")


def _step_names(configuration: Configuration) -> list[str]:
    return [step.step_name for steps in configuration.pipeline.models.values() for step in steps.steps]


def _follow(pipeline: str, arn: str, names: list[str]) -> Execution:
    progress = Progress(names)
    told: set[str] = set()
    with progress.shown():
        try:
            for execution in executions.watch(arn):
                progress.update(execution, time.time())
                done = (step for step in execution.steps if step.status == "Succeeded")
                reused = {step.name for step in done if step.cache_hit} - told
                told |= reused
                _tell_of_newer_inputs(pipeline, arn, reused)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: execution {arn.rsplit('/', 1)[-1]} goes on; `retrain run` with the same "
                "parameters follows it, `retrain stop` stops it"
            ) from None
    return execution


def _tell_of_newer_inputs(pipeline: str, arn: str, reused: set[str]) -> None:
    """Say so when something came into the inputs of reused steps after their results were made."""
    with contextlib.suppress(ClientError):  # a right to read executions that a run does not need
        for found in newer_inputs.of_execution(pipeline, arn, reused) if reused else ():
            note(str(found))


def _log(configuration: Configuration, execution: Execution, experiment: "Future[str] | None") -> str | None:
    """The MLflow run's id; a tracking server that does not answer costs the log, not the models."""
    if experiment is None:
        return None
    try:
        experiment.result()
        return experiments.finish(configuration, execution)
    except Exception as error:
        if "RETRAIN_DEBUG" in os.environ:
            raise
        note(
            f"the experiment was not logged ({' '.join(str(error).split())[:200]}); `retrain ui` tries again"
        )
        return None


def _failure(execution: Execution, place: Place) -> str:
    """Why an execution did not succeed; the failed job's own last words were printed before."""
    for step in execution.failed:
        if step.job is not None:
            kind, job = step.job
            lines = job_log.beside(job_log.last_lines(kind, job), step.failure or "")
            note(f"last lines of {place.log_of(kind, job)}:" if lines else f"log: {place.log_of(kind, job)}")
            for line in lines:
                note(f"  {line}")
    reason = execution.reason or "stopped"
    if not execution.failed:
        reason = f"execution {execution.id} ended as {execution.status}: {reason}"
    return gate_reason.rounded(reason)
