"""`retrain run`: compile, deploy, start, follow, log the experiment."""

import contextlib
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass

import boto3
from botocore.exceptions import ClientError

from retraining.cli.tables import Progress
from retraining.compile.compiled import Run, read
from retraining.compile.definition import Definition, compile_pipeline
from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.errors import UserError
from retraining.planning import changed_inputs, history, input_manifest
from retraining.results import experiments, reports
from retraining.runs import arguments, deployment, executions, gate_reason, job_log, targets
from retraining.runs.executions import Execution
from retraining.runs.interruption import Threads
from retraining.runs.selection import ALL_STEPS, Choice, Selection, choose, note_of, values_of, with_source
from retraining.runs.targets import Place, PlaceName


@dataclass(frozen=True)
class Result:
    """An ended execution.

    Attributes:
        definition: its pipeline definition.
        given: the parameters that differ from their defaults, as they were given.
        run_id: the MLflow run's id; None when it was not logged.
        selection: the steps that were selected; None for all.
    """

    execution: Execution
    definition: str
    place: Place
    given: dict[str, str]
    run_id: str | None
    total_seconds: float
    job_seconds: float
    selection: Selection | None = None


class NotSucceeded(UserError):
    """The execution failed or was stopped; `result` is what there is of it."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def run_pipeline(
    configuration: Configuration, place_name: PlaceName, given: list[str], choice: Choice = ALL_STEPS
) -> Result:
    """Run the pipeline once, or the chosen steps of it, and wait for it.

    Args:
        given: ``Name=value`` of the parameters that differ from their defaults.

    Raises:
        NotSucceeded: the execution failed, or was stopped.
        UserError: anything a user can cause before the start.
    """
    began = time.monotonic()
    values = arguments.parse(configuration, given)
    with Threads(2) as pool:
        services = pool.submit(targets.prepare, place_name, configuration, note, dict(os.environ))
        note("compiling the pipeline")
        definition = compile_pipeline(configuration)
        compiled = read(definition.text)
        selection = choose(configuration, compiled, choice, values)
        services.result()
        place = targets.enter(place_name, configuration, note)
        given_values = dict(values)
        if selection:
            selection = with_source(selection, definition.name, compiled)
            values = values_of(selection, compiled, values)
        running = _running(configuration, definition, values, selection)
        arn = running or _start(configuration, definition, values, selection)
        try:
            if running is None:
                note(f"started execution {arn.rsplit('/', 1)[-1]} of {definition.name}")
                if selection:
                    note(f"it {note_of(selection, given_values, values)}")
            experiment = (
                pool.submit(experiments.begin, configuration, executions.describe(arn))
                if experiments.enabled()
                else None
            )
            execution = _follow(configuration, definition.name, arn, selection)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: execution {arn.rsplit('/', 1)[-1]} is still running; `retrain run` with the "
                "same options follows it, `retrain stop` stops it"
            ) from None
        reports.complete(configuration, execution)
        run_id = _log(configuration, execution, experiment)
    result = Result(
        execution,
        definition.text,
        place,
        values if selection else {name: value for name, _, value in (text.partition("=") for text in given)},
        run_id,
        time.monotonic() - began,
        executions.job_seconds(execution),
        selection,
    )
    if execution.status != "Succeeded":
        raise NotSucceeded(_failure(configuration, execution, place), result)
    return result


def _running(
    configuration: Configuration, definition: Definition, values: dict[str, str], selection: Selection | None
) -> str | None:
    """A running execution with the same definition, parameters and steps, to be followed instead."""
    wanted = {name: str(parameter.default) for name, parameter in configuration.parameters.items()} | values
    client = boto3.client("sagemaker")
    for arn in executions.arns(definition.name, executions.RUNNING):
        present = executions.parameters(arn)
        text = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)[
            "PipelineDefinition"
        ]
        config = client.describe_pipeline_execution(PipelineExecutionArn=arn).get("SelectiveExecutionConfig")
        is_same_part = selection.is_of(config) if selection else config is None
        is_alike = all(executions.same(present.get(name, ""), value) for name, value in wanted.items())
        if text == definition.text and is_same_part and is_alike:
            note(
                f"execution {arn.rsplit('/', 1)[-1]}, with the same code and parameters, is still running: "
                "following it"
            )
            return arn
        other = arn.rsplit("/", 1)[-1]
        note(f"execution {other}, with other code, parameters or steps, is still running as well")
    return None


def _start(
    configuration: Configuration, definition: Definition, values: dict[str, str], selection: Selection | None
) -> str:
    arguments.require_inputs(configuration, values, selection.steps if selection else None)
    _note_interruption(configuration, definition.name)
    for line in deployment.deploy(configuration, definition):
        note(line)
    given = {**values, "GitCommit": deployment.git_commit(configuration.root)}
    compiled = read(definition.text)
    planned = Run(compiled, history.values(compiled.parameters, given), None, definition.name)
    # Before the start: what changes while a job begins to read is then told, and not missed.
    manifest = input_manifest.look(changed_inputs.uris_of(planned))
    arn = executions.start(definition.name, given, selection.request if selection else None)
    try:
        input_manifest.record(configuration, definition.name, arn, manifest)
    except ClientError as error:
        note(
            "what is in the inputs was not recorded, so objects that are removed later are not told: "
            f"{error.response['Error'].get('Message', error)}"
        )
    return arn


def _note_interruption(configuration: Configuration, pipeline: str) -> None:
    """Say so when the execution before this one was interrupted, and which of its results are kept."""
    cached = {name for name, step in configuration.steps.items() if step.settings.enable_cache}
    for arn in executions.arns(pipeline)[:1]:
        last = executions.describe(arn)
        if last.was_interrupted:
            kept = [step.name for step in last.steps if step.status == "Succeeded" and step.name in cached]
            note(
                f"the last execution, {last.id}, did not finish: {last.failure}; reused where nothing "
                f"changed: {', '.join(kept) or 'no step'}"
            )


def _step_names(configuration: Configuration, selection: Selection | None) -> list[str]:
    names = [step.step_name for steps in configuration.pipeline.models.values() for step in steps.steps]
    return [name for name in names if selection is None or name in selection.steps]


def _follow(configuration: Configuration, pipeline: str, arn: str, selection: Selection | None) -> Execution:
    progress = Progress(_step_names(configuration, selection))
    noted: set[str] = set()
    with progress.shown():
        for execution in executions.watch(arn):
            progress.update(execution, time.time())
            done = (step for step in execution.steps if step.status == "Succeeded")
            reused = {step.name for step in done if step.cache_hit or step.taken_from} - noted
            noted |= reused
            _note_changed_inputs(configuration.project.bucket, pipeline, arn, reused)
    return execution


def _note_changed_inputs(bucket: str, pipeline: str, arn: str, reused: set[str]) -> None:
    """Say so when the inputs of reused steps have other objects than the results were made of."""
    with contextlib.suppress(ClientError):  # a run does not need the right to read executions
        for changed in changed_inputs.find_in_execution(bucket, pipeline, arn, reused) if reused else ():
            note(str(changed))


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
        note(f"the experiment was not logged ({experiments.in_one_line(error)}); `retrain ui` tries again")
        return None


def _failure(configuration: Configuration, execution: Execution, place: Place) -> str:
    """Why an execution did not succeed; the last lines of the failed job's log are printed first."""
    for step in execution.failed:
        if step.job is not None:
            kind, job = step.job
            lines = job_log.without_reason(job_log.last_lines(kind, job), step.failure or "")
            note(f"last lines of {place.log_of(kind, job)}:" if lines else f"log: {place.log_of(kind, job)}")
            for line in lines:
                note(f"  {line}")
    reason = gate_reason.with_short_numbers(configuration, execution).reason or "stopped"
    if not execution.failed:
        reason = f"execution {execution.id} ended as {execution.status}: {reason}"
    return reason
