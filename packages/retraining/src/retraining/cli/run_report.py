"""What `retrain run` prints at its end."""

import re
import shlex

from rich.text import Text

from retraining.cli.run import Result
from retraining.cli.tables import candidate_table, model_table, step_table
from retraining.config.configuration import Configuration
from retraining.config.schema.parameter import declared
from retraining.console import out, print_table, seconds
from retraining.results import registry
from retraining.results.evaluations import Evaluation, evaluations_of
from retraining.results.registry import ModelPackage
from retraining.runs import gate_reason
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
        plural = "s" if len(mine) > 1 else ""
        out().print(Text(f"{len(mine)} model version{plural} registered", style="bold"))
        print_table(model_table(mine))
    else:
        out().print(Text(_nothing_new(configuration, result), style="bold"))
    _show_places(configuration, result, measured)
    _show_next(
        configuration, [*_decide(configuration, mine, bool(known)), *_following(configuration, result)]
    )


def show_failed(configuration: Configuration, result: Result) -> None:
    """The same of an execution that did not succeed, where an evaluation in it did; else nothing."""
    measured = evaluations_of(configuration, result.execution)
    candidates = [item for evaluation in measured for item in evaluation.candidates]
    if not candidates:
        return
    _show_steps(result.execution)
    out().print(Text("Measured on the test set", style="bold"))
    print_table(candidate_table(candidates))
    _show_places(configuration, result, measured)
    passing = gate_reason.passing(configuration, result.definition, result.execution)
    lower = [(_again(result, passing), "the same models, with a bound that they meet")] if passing else []
    _show_next(configuration, [*lower, *_following(configuration, result)])


def _show_steps(execution: Execution) -> None:
    out().print()
    out().print(Text(f"Execution {execution.id}: {execution.status}", style="bold"))
    print_table(step_table(execution))
    out().print()


def _show_places(configuration: Configuration, result: Result, measured: list[Evaluation]) -> None:
    """Where the time went, and where to read more."""
    other = result.total_seconds - result.job_seconds
    out().print()
    out().print(
        f"Time: {seconds(result.total_seconds)} (jobs {seconds(result.job_seconds)}, "
        f"everything else {seconds(other)})"
    )
    if result.run_id:
        out().print(f"Experiment: MLflow run {result.run_id} in {configuration.pipeline.pipelineName}")
    for evaluation in measured:
        if evaluation.report is not None:
            out().print(f"Report: {result.place.file_of(evaluation.report)}", markup=False)
    out().print(f"Project: {configuration.root}", markup=False)


def _show_next(configuration: Configuration, lines: list[tuple[str, str]]) -> None:
    out().print("Next:")
    out().print(f"  cd {shlex.quote(str(configuration.root))}", markup=False)
    width = max((len(command) for command, _ in lines if len(command) <= _ALIGNED), default=0)
    for command, purpose in lines:
        out().print(f"  .venv/bin/retrain {command:{width}}  # {purpose}", markup=False)


def _nothing_new(configuration: Configuration, result: Result) -> str:
    execution, selection = result.execution, result.selection
    registering = {
        name for name, step in configuration.steps.items() if step.step_class in ("RegisterModel", "Lambda")
    }
    if not registering:
        return "Nothing registered: no step of the pipeline registers a model"
    if selection and not registering & set(selection.steps):
        return "Nothing registered: no step that registers a model was selected"
    cached = [step.name for step in execution.steps if step.cache_hit]
    why = f" ({', '.join(cached)}: cache hits)" if cached else ""
    return f"Nothing new registered: the candidates are in the registry already{why}"


def _following(configuration: Configuration, result: Result) -> list[tuple[str, str]]:
    """What to do after any run."""
    hyperparameters = declared([model.train.hyperparams for model in configuration.models.values()])
    longer = [
        item
        for item in hyperparameters
        if item.type == "Integer" and re.search("(?i)epoch|round", item.parameter)
    ]
    again = []
    for item in longer[:1]:
        twice = 2 * int(result.given.get(item.parameter, item.default))
        again.append(_again(result, {item.parameter: str(twice)}))
    return [
        *((command, "run again with another parameter, then compare") for command in again),
        ("plan", "see what a next run would do, and what it would reuse"),
        ("ui", "curves, plots and runs side by side, in MLflow"),
    ]


def _again(result: Result, changed: dict[str, str]) -> str:
    """The command of this run with other values."""
    values = result.given | changed
    options = result.selection.options if result.selection else ()
    given = (f"--param {shlex.quote(f'{name}={value}')}" for name, value in values.items())
    return " ".join(["run", *options, *given])


def _decide(
    configuration: Configuration, mine: list[ModelPackage], has_versions: bool
) -> list[tuple[str, str]]:
    if not mine:
        return [("models list", "see the versions that are registered")] if has_versions else []
    several = len(registry.groups(configuration)) > 1
    name = mine[0].shown if several else str(mine[0].version)
    return [(f"models approve {name}", "decide on a model version")]
