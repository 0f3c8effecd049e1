"""What `retrain run` prints at its end."""

import os
import re
import shlex
import shutil
import sys

from retraining import console
from retraining.cli.options import ENVIRONMENT
from retraining.cli.run import Result
from retraining.cli.tables import candidate_table, model_table, step_table
from retraining.config.configuration import Configuration
from retraining.config.schema.parameter import declared
from retraining.errors import UserError
from retraining.results import registry
from retraining.results.evaluations import Evaluation, evaluations_of
from retraining.results.registry import ModelPackage
from retraining.runs import arguments, gate_reason
from retraining.runs.executions import Execution

_ALIGNED = 60  # characters; a longer command has its purpose directly after it


def show(configuration: Configuration, result: Result) -> None:
    """Steps with their times, models with their metrics, experiment run, project, what to type next."""
    execution = result.execution
    known = registry.packages(configuration)
    mine = [package for package in known if package.execution == execution.arn]
    measured = evaluations_of(configuration, execution)
    _show_steps(execution)
    if mine:
        _show_registered(mine)
    else:
        console.line(_nothing_new(configuration, execution), "bold")
    _show_places(configuration, result, measured)
    following = [
        *_decide(configuration, mine, bool(known)),
        *_longer(configuration, result),
        *_looking(configuration, result),
    ]
    _show_next(configuration, result, following)


def show_failed(configuration: Configuration, result: Result) -> None:
    """The same of an execution that did not succeed: what an evaluation in it measured, what was registered
    nevertheless, and how its gate would pass; nothing where there is none of these."""
    measured = evaluations_of(configuration, result.execution)
    candidates = [item for evaluation in measured for item in evaluation.candidates]
    known = registry.packages(configuration)
    mine = [package for package in known if package.execution == result.execution.arn]
    passing = gate_reason.passing(configuration, result.definition, result.execution)
    if not candidates and not mine and not passing:
        return
    _show_steps(result.execution)
    if candidates:
        console.line("Measured on the test set", "bold")
        console.print_table(candidate_table(candidates))
    if mine:
        _show_registered(mine)
    _show_places(configuration, result, measured)
    # Any other failure would come again with the same parameters.
    lower = [(_again(result, passing), "the same models, with a bound that they meet")] if passing else []
    decide = _decide(configuration, mine, bool(known))
    _show_next(configuration, result, [*lower, *decide, *_looking(configuration, result)])


def _show_registered(packages: list[ModelPackage]) -> None:
    console.line(f"{console.counted(packages, 'model version')} registered", "bold")
    console.print_table(model_table(packages))


def _show_steps(execution: Execution) -> None:
    console.line()
    console.line(f"Execution {execution.id}: {execution.status}", "bold")
    console.print_table(step_table(execution))
    console.line()


def _show_places(configuration: Configuration, result: Result, measured: list[Evaluation]) -> None:
    """Where the time went, and where to read more."""
    other = result.total_seconds - result.job_seconds
    console.line()
    console.line(
        f"Time: {console.seconds(result.total_seconds)} (jobs {console.seconds(result.job_seconds)}, "
        f"everything else {console.seconds(other)})"
    )
    if result.run_id:
        console.line(f"Experiment: MLflow run {result.run_id} in {configuration.pipeline.pipelineName}")
    for evaluation in measured:
        if evaluation.report is not None:
            console.line(f"Report: {result.place.file_of(evaluation.report)}")
    console.line(f"Project: {configuration.root}")


def _show_next(configuration: Configuration, result: Result, lines: list[tuple[str, str]]) -> None:
    environment = os.environ.get(ENVIRONMENT)
    options = [
        *(["--env", shlex.quote(environment)] if environment else []),
        *(["--on", result.place.name] if result.place.name != "local" else []),
    ]
    commands = [(" ".join([command, *options]), purpose) for command, purpose in lines]
    console.line("Next:")
    console.line(f"  cd {shlex.quote(str(configuration.root))}")
    width = max((len(command) for command, _ in commands if len(command) <= _ALIGNED), default=0)
    for command, purpose in commands:
        console.line(f"  {_program(configuration)} {command:{width}}  # {purpose}")


def _program(configuration: Configuration) -> str:
    """`retrain` as it can be called in the project's folder."""
    installed = ".venv/bin/retrain"
    if (configuration.root / installed).is_file():
        return installed
    return "retrain" if shutil.which("retrain") else f"{shlex.quote(sys.executable)} -m retraining"


def _nothing_new(configuration: Configuration, execution: Execution) -> str:
    steps = [step.settings for step in configuration.steps.values()]
    if not any(step.registers or step.step_class == "Lambda" for step in steps):
        return "Nothing registered: no step of the pipeline registers a model"
    cached = [step.name for step in execution.steps if step.cache_hit]
    why = f" ({', '.join(cached)}: cache hits)" if cached else ""
    return f"Nothing new registered: the models are in the registry already{why}"


def _longer(configuration: Configuration, result: Result) -> list[tuple[str, str]]:
    """A run that trains longer, if a parameter of the pipeline says how long."""
    trained = declared([step.model.train.hyperparams for step in configuration.steps.values()])
    for item in trained:
        if item.type != "Integer" or not re.search("(?i)epoch|round", item.parameter):
            continue
        twice = str(2 * int(result.given.get(item.parameter, item.default)))
        values = result.given | {item.parameter: twice}
        try:
            arguments.parse(configuration, [f"{name}={value}" for name, value in values.items()])
        except UserError:
            continue
        return [(_again(result, {item.parameter: twice}), "run again with another parameter, then compare")]
    return []


def _looking(configuration: Configuration, result: Result) -> list[tuple[str, str]]:
    """What to look at after any run."""
    has_pages = result.place.name == "local" or configuration.project.mlflow_tracking_uri
    pages = [("ui", "curves, plots and runs side by side, in MLflow")] if has_pages else []
    return [("plan", "see what a next run would do, and what it would reuse"), *pages]


def _again(result: Result, changed: dict[str, str]) -> str:
    """The command of this run with other values."""
    values = result.given | changed
    return " ".join(["run", *(f"--param {shlex.quote(f'{name}={value}')}" for name, value in values.items())])


def _decide(
    configuration: Configuration, mine: list[ModelPackage], has_versions: bool
) -> list[tuple[str, str]]:
    if not mine:
        return [("models list", "see the versions that are registered")] if has_versions else []
    several = len(set(configuration.package_groups.values())) > 1
    name = mine[0].shown if several else str(mine[0].version)
    return [(f"models approve {name}", "decide on a model version")]
