"""Tables of steps, executions and model versions, and the progress of an execution."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table
from rich.text import Text

from retraining import console
from retraining.results.evaluations import USUAL, Candidate
from retraining.results.registry import ModelPackage
from retraining.runs.executions import Execution, StepRun

_STYLES = {
    "Succeeded": "green",
    "Failed": "red",
    "Stopped": "yellow",
    "Executing": "cyan",
    "Approved": "green",
    "Rejected": "red",
}
_PARAMETERS, _VALUE = 50, 28  # characters of an execution's parameters, and of one's value


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
            step.name,
            console.text(step.status, style=_STYLES.get(step.status, "")),
            console.seconds(spent),
            _remark(step),
        )
    begun = {step.name for step in execution.steps}
    if execution.running:
        for name in names:
            if name not in begun:
                table.add_row(console.text(name, style="dim"), console.text("waiting", style="dim"), "", "")
    return table


def _remark(step: StepRun) -> Text:
    if step.cache_hit:
        return console.text("cache hit", style="dim")
    tried = f"{step.attempts} attempts" if step.attempts > 1 else ""
    return console.text("  ".join(filter(None, (step.job[1] if step.job else "", tried))), style="dim")


class Progress:
    """The progress of an execution: a table that redraws itself on a terminal, plain lines elsewhere."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._live: Live | None = None
        self._printed: set[tuple[str, str, int]] = set()

    @contextmanager
    def shown(self) -> Iterator["Progress"]:
        if not console.err().is_terminal:
            yield self
            return
        with Live(console=console.err(), refresh_per_second=4, transient=True) as self._live:
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
                console.note(f"  {step.name}: {step.status}{remark} {console.seconds(step.seconds)}".rstrip())


def model_table(packages: list[ModelPackage]) -> Table:
    """Model versions with their metrics side by side."""
    table, shown = _metrics_table(["version", "candidate", "status"], [item.metrics for item in packages])
    for package in packages:
        status = console.text(package.status, style=_STYLES.get(package.status, "yellow"))
        values = _values(package.metrics, shown)
        table.add_row(package.shown, package.candidate, status, *values)
    return table


def candidate_table(candidates: list[Candidate]) -> Table:
    """The candidates and baselines of evaluations with their metrics side by side."""
    several = len({item.model for item in candidates}) > 1
    titles = [*(["model"] if several else []), "candidate", ""]
    table, shown = _metrics_table(titles, [item.metrics for item in candidates])
    for item in candidates:
        kind = "" if item.kind == "candidate" else item.kind
        first = [item.model] if several else []
        table.add_row(*first, item.name or item.model, kind, *_values(item.metrics, shown))
    return table


def _metrics_table(titles: list[str], metrics: list[dict[str, float]]) -> tuple[Table, list[str]]:
    """A table with these columns and one per metric, the usual ones where there are any; their names."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=True)
    measured = dict.fromkeys(name for values in metrics for name in values)
    shown = [name for name in USUAL if name in measured] or list(measured)[: len(USUAL)]
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    return table, shown


def _values(metrics: dict[str, float], shown: list[str]) -> list[str]:
    return [f"{metrics[name]:.3f}" if name in metrics else "" for name in shown]


def run_table(executions: list[Execution], given: Mapping[str, Mapping[str, str]]) -> Table:
    """Executions, newest first, one row each; `given` has parameters to show, by the execution's ARN."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("execution", "status", "started"):
        table.add_column(title, no_wrap=True)
    has_parameters = any(given.values())
    for title in (*(["parameters"] if has_parameters else []), "steps"):
        table.add_column(title)
    for execution in executions:
        steps = ", ".join(f"{step.name} {_outcome(step)}" for step in execution.steps)
        if execution.status == "Failed" and not execution.failed:
            steps = f"{steps}: {execution.failure}" if steps else str(execution.failure)
        status = console.text(execution.status, style=_STYLES.get(execution.status, ""))
        parameters = [_parameters(given.get(execution.arn, {}))] if has_parameters else []
        started = f"{execution.started.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(execution.id, status, started, *parameters, steps)
    return table


def _parameters(given: Mapping[str, str]) -> str:
    """``Epochs=2, RiskyData=.../data/risky-8/, 3 more``: of a long value its end, where URIs differ."""
    texts: list[str] = []
    for name, value in given.items():
        text = f"{name}={value if len(value) <= _VALUE else '...' + value[3 - _VALUE :]}"
        if texts and len(", ".join([*texts, text])) > _PARAMETERS:
            break
        texts.append(text)
    more = len(given) - len(texts)
    return ", ".join([*texts, *([f"{more} more"] if more else [])])


def _outcome(step: StepRun) -> str:
    if step.cache_hit:
        return "cached"
    return "failed" if step.status == "Failed" else console.seconds(step.seconds) or step.status
