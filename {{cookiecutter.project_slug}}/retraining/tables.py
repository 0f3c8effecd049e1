"""Tables of steps, executions and model versions, and an execution as it goes on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table
from rich.text import Text

from retraining.executions import Execution, StepRun
from retraining.output import err, note, seconds
from retraining.registry import ModelPackage

_STYLES = {
    "Succeeded": "green",
    "Failed": "red",
    "Stopped": "yellow",
    "Executing": "cyan",
    "Approved": "green",
    "Rejected": "red",
}
_SHOWN = ("recall", "precision", "f1", "average_precision", "auc", "rmse", "mae", "r2")


def step_table(execution: Execution, names: Iterable[str] = (), now: float | None = None) -> Table:
    """One row per step: those that have begun, then those of `names` that have not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (("step", "left"), ("status", "left"), ("time", "right"), ("", "left")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    for step in execution.steps:
        spent = step.seconds
        if spent is None and step.started and now:
            spent = max(0.0, now - step.started.timestamp())
        table.add_row(
            step.name, Text(step.status, style=_STYLES.get(step.status, "")), seconds(spent), _remark(step)
        )
    begun = {step.name for step in execution.steps}
    if execution.running:
        for name in names:
            if name not in begun:
                table.add_row(Text(name, style="dim"), Text("waiting", style="dim"), "", "")
    return table


def _remark(step: StepRun) -> Text:
    if step.cache_hit:
        return Text("cache hit", style="dim")
    tried = f"{step.attempts} attempts" if step.attempts > 1 else ""
    return Text("  ".join(filter(None, (step.job[1] if step.job else "", tried))), style="dim")


class Progress:
    """An execution as it goes on: a table that redraws itself on a terminal, plain lines elsewhere."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._live: Live | None = None
        self._printed: set[tuple[str, str, int]] = set()

    @contextmanager
    def shown(self) -> Iterator["Progress"]:
        if not err().is_terminal:
            yield self
            return
        with Live(console=err(), refresh_per_second=4, transient=True) as self._live:
            yield self

    def update(self, execution: Execution, now: float) -> None:
        """Show the execution's present state; `now` is a POSIX time."""
        if self._live is not None:
            self._live.update(step_table(execution, self._names, now))
            return
        for step in execution.steps:
            shown = (step.name, step.status, step.attempts)
            if shown not in self._printed:
                self._printed.add(shown)
                again = f" (tried again: attempt {step.attempts})" if step.attempts > 1 else ""
                remark = " (cache hit)" if step.cache_hit else again
                note(f"  {step.name}: {step.status}{remark} {seconds(step.seconds)}".rstrip())


def model_table(packages: list[ModelPackage]) -> Table:
    """Model versions with their metrics side by side."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("version", "candidate", "status"):
        table.add_column(title, no_wrap=True)
    shown = [name for name in _SHOWN if any(name in package.metrics for package in packages)]
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    for package in packages:
        values = [f"{package.metrics[name]:.3f}" if name in package.metrics else "" for name in shown]
        status = Text(package.status, style=_STYLES.get(package.status, "yellow"))
        table.add_row(f"{package.group}/{package.version}", package.candidate, status, *values)
    return table


def run_table(executions: list[Execution]) -> Table:
    """Executions, newest first, one row each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("execution", "status", "started"):
        table.add_column(title, no_wrap=True)
    table.add_column("steps")
    for execution in executions:
        steps = ", ".join(
            f"{step.name} {'cached' if step.cache_hit else seconds(step.seconds) or step.status}"
            for step in execution.steps
        )
        status = Text(execution.status, style=_STYLES.get(execution.status, ""))
        table.add_row(execution.id, status, f"{execution.started.astimezone():%Y-%m-%d %H:%M:%S}", steps)
    return table
