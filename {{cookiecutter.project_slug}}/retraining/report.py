"""What a person wants to see after a run."""

import re
import shlex

from rich.text import Text

from retraining import registry
from retraining.configuration import Configuration
from retraining.executions import Execution
from retraining.output import out, seconds
from retraining.parameter import declared
from retraining.registry import ModelPackage
from retraining.run import Result
from retraining.tables import model_table, step_table


def show(configuration: Configuration, result: Result) -> None:
    """Steps with their times, models with their metrics, experiment run, project, what to type next."""
    execution = result.execution
    known = registry.packages(configuration)
    mine = [package for package in known if package.execution == execution.arn]
    out().print()
    out().print(Text(f"Execution {execution.id}: {execution.status}", style="bold"))
    out().print(step_table(execution))
    out().print()
    if mine:
        plural = "s" if len(mine) > 1 else ""
        out().print(Text(f"{len(mine)} model version{plural} registered", style="bold"))
        out().print(model_table(mine))
    else:
        out().print(Text(_nothing_new(configuration, execution), style="bold"))
    out().print()
    other = result.total_seconds - result.job_seconds
    out().print(
        f"Time: {seconds(result.total_seconds)}, of it jobs {seconds(result.job_seconds)}, "
        f"everything else {seconds(other)}"
    )
    if result.run_id:
        out().print(f"Experiment: MLflow run {result.run_id} in {configuration.pipeline.pipelineName}")
    out().print(f"Project: {configuration.root}", markup=False)
    out().print("Next:")
    out().print(f"  cd {shlex.quote(str(configuration.root))}", markup=False)
    lines = _next(configuration, mine, bool(known))
    width = max(len(command) for command, _ in lines)
    for command, purpose in lines:
        out().print(f"  .venv/bin/retrain {command:{width}}  # {purpose}", markup=False)


def _nothing_new(configuration: Configuration, execution: Execution) -> str:
    classes = {step.step_class for step in configuration.dag.steps.values()}
    if not classes & {"RegisterModel", "Lambda"}:
        return "Nothing registered: no step of the pipeline registers a model"
    cached = [step.name for step in execution.steps if step.cache_hit]
    why = f" ({', '.join(cached)}: cache hits)" if cached else ""
    return f"Nothing new registered: the candidates are in the registry already{why}"


def _next(
    configuration: Configuration, mine: list[ModelPackage], has_versions: bool
) -> list[tuple[str, str]]:
    found = declared([unit.train.hyperparams for unit in configuration.units.values()])
    longer = [
        item for item in found if item.type == "Integer" and re.search("(?i)epoch|round", item.parameter)
    ]
    again = [f"run --param {item.parameter}={int(item.default) * 2}" for item in longer[:1]]
    return [
        *_decide(configuration, mine, has_versions),
        *((command, "run again with another parameter, then compare") for command in again),
        ("plan", "see what a next run would do, and what it would reuse"),
        ("ui", "curves, plots and runs side by side, in MLflow"),
    ]


def _decide(
    configuration: Configuration, mine: list[ModelPackage], has_versions: bool
) -> list[tuple[str, str]]:
    if not mine:
        return [("models list", "see the versions that are registered")] if has_versions else []
    several = len(registry.groups(configuration)) > 1
    name = f"{mine[0].group}/{mine[0].version}" if several else str(mine[0].version)
    return [(f"models approve {name}", "decide on a model version")]
