"""Tables of steps, executions and model versions, and the progress of an execution."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from rich.live import Live
from rich.table import Table
from rich.text import Text

from retraining import console
from retraining.results.comparison import Compared, best, differing, usual
from retraining.results.evaluations import Candidate
from retraining.results.gates import GateValue
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
_LONG = 40  # characters of a value in a comparison
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
    if step.taken_from:
        return console.text(f"of execution {step.taken_from.rsplit('/', 1)[-1]}", style="dim")
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
                taken = f" (of execution {step.taken_from.rsplit('/', 1)[-1]})" if step.taken_from else again
                remark = " (cache hit)" if step.cache_hit else taken
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
    shown = usual(name for values in metrics for name in values)
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    return table, shown


def _values(metrics: dict[str, float], shown: list[str]) -> list[str]:
    return [f"{metrics[name]:.3f}" if name in metrics else "" for name in shown]


def comparison_table(columns: list[Compared]) -> Table:
    """A column for each of them: facts, the parameters that differ, the usual metrics of the candidates."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column.name, justify="right", overflow="fold")
    for title in dict.fromkeys(title for column in columns for title in column.facts):
        table.add_row(title, *(console.text(_short(column.facts.get(title, ""))) for column in columns))
    names = differing(columns)
    table.add_row("")
    table.add_row(console.text("parameters that differ" if names else "no parameter differs", "bold"))
    for name in names:
        table.add_row(
            f"  {name}", *(console.text(_short(column.parameters.get(name, "-"))) for column in columns)
        )
    baselines = frozenset[str]().union(*(column.baselines for column in columns))
    measured = dict.fromkeys(key for column in columns for key in column.metrics if key[0] not in baselines)
    shown = usual(metric for _, metric in measured)
    candidates = dict.fromkeys(candidate for candidate, _ in measured)
    for candidate in candidates:
        table.add_row("")
        table.add_row(console.text(candidate or "metrics", "bold"))
        for metric in shown:
            values = [column.metrics.get((candidate, metric)) for column in columns]
            if any(value is not None for value in values):
                top = best(metric, values)
                table.add_row(f"  {metric.replace('_', ' ')}", *(_measured(value, top) for value in values))
    return table


def _measured(value: float | None, top: float | None) -> Text:
    if value is None:
        return console.text("-")
    return console.text(f"{value:.3f}", "bold green" if value == top else "")


def _short(text: str) -> str:
    """Of a long value its end, where URIs differ."""
    return text if len(text) <= _LONG else f"...{text[3 - _LONG :]}"


def run_table(
    executions: list[Execution],
    given: Mapping[str, Mapping[str, str]],
    gates: Mapping[str, Sequence[GateValue]] = MappingProxyType({}),
) -> Table:
    """Executions, newest first, one row each; by the execution's ARN, `given` has parameters to show, of
    which those that vary come first, and `gates` what the quality gates looked at."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("execution", "status", "started"):
        table.add_column(title, no_wrap=True)
    has_parameters, has_gates = any(given.values()), any(gates.values())
    for title in (*(["gate"] if has_gates else []), *(["parameters"] if has_parameters else []), "steps"):
        table.add_column(title)
    given = _varying_first(given)
    for execution in executions:
        steps = ", ".join(f"{step.name} {_outcome(step)}" for step in execution.steps)
        if execution.status == "Failed" and not execution.failed:
            steps = f"{steps}: {execution.failure}" if steps else str(execution.failure)
        status = console.text(execution.status, style=_STYLES.get(execution.status, ""))
        parameters = [_parameters(given.get(execution.arn, {}))] if has_parameters else []
        started = f"{execution.started.astimezone():%Y-%m-%d %H:%M:%S}"
        gate = [_gates(gates.get(execution.arn, ()))] if has_gates else []
        table.add_row(execution.id, status, started, *gate, *parameters, steps)
    return table


def _varying_first(given: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    values = list(given.values())
    names = dict.fromkeys(name for item in values for name in item)
    varying = {name for name in names if len({item.get(name) for item in values}) > 1}
    return {
        arn: {name: item[name] for name in sorted(item, key=lambda name: name not in varying)}
        for arn, item in given.items()
    }


def _gates(values: Sequence[GateValue]) -> Text:
    """``recall 0.812``, green where the gate let it pass, else with the word."""
    parts = []
    for item in values:
        style = {True: "green", False: "red", None: ""}[item.passed]
        failed = " failed" if item.passed is False else ""
        parts.append(console.text(f"{item.metric.replace('_', ' ')} {item.value:.3f}{failed}", style))
    return console.text(", ").join(parts)


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
    if step.cache_hit or step.taken_from:
        return "cached" if step.cache_hit else "taken over"
    return "failed" if step.status == "Failed" else console.seconds(step.seconds) or step.status
