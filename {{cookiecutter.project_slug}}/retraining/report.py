"""What a person wants to see after a run."""

import shlex

from rich.text import Text

from retraining import registry
from retraining.configuration import Configuration
from retraining.output import model_table, out, seconds, step_table
from retraining.run import Result


def show(configuration: Configuration, result: Result) -> None:
    """Steps with their times, models with their metrics, experiment run, project, what to type next."""
    execution = result.execution
    known = registry.packages(configuration)
    mine = [package for package in known if package.execution == execution.arn]
    out.print()
    out.print(Text(f"Execution {execution.id}: {execution.status}", style="bold"))
    out.print(step_table(execution))
    out.print()
    if mine:
        out.print(Text(f"{len(mine)} model versions registered", style="bold"))
        out.print(model_table(mine))
    else:
        cached = [step.name for step in execution.steps if step.cache_hit]
        why = f" ({', '.join(cached)}: cache hits)" if cached else ""
        out.print(
            Text(f"Nothing new registered: the candidates are in the registry already{why}", style="bold")
        )
    out.print()
    other = result.total_seconds - result.job_seconds
    out.print(
        f"Time: {seconds(result.total_seconds)}, of it jobs {seconds(result.job_seconds)}, "
        f"everything else {seconds(other)}"
    )
    if result.run_id:
        out.print(f"Experiment: MLflow run {result.run_id} in {configuration.pipeline.pipelineName}")
    out.print(f"Project: {configuration.root}", markup=False)
    out.print("Next:")
    out.print(f"  cd {shlex.quote(str(configuration.root))}", markup=False)
    for command, purpose in _next(str(mine[0].version) if mine else "1"):
        out.print(f"  .venv/bin/retrain {command:24}  # {purpose}", markup=False)


def _next(version: str) -> list[tuple[str, str]]:
    return [
        (f"models approve {version}", "decide on a model version"),
        ("run --param Epochs=40", "run again with another parameter, then compare"),
        ("ui", "curves, plots and runs side by side, in MLflow"),
    ]
