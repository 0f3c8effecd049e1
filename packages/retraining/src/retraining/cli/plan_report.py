"""A plan as people read it."""

from rich.table import Table
from rich.text import Text

from retraining import console
from retraining.planning.plan import Plan, PlannedStep

_MARKS = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "unchanged": (" ", ""),
}
_CACHE = {
    "hit": ("reused", "green"),
    "miss": ("runs", "yellow"),
    "open": ("runs or is reused", "yellow"),
    "never": ("runs", "dim"),
    "taken": ("is taken over", "green"),
    "left out": ("is left out", "dim"),
    None: ("", ""),
}


def show(plan: Plan) -> None:
    """Print the steps with what the cache does for each, what changed in their inputs, and what changes."""
    console.line(_summary(plan))
    console.line()
    console.print_table(_table(plan))
    if plan.changed_inputs:
        console.line()
    for changed in plan.changed_inputs:
        console.line(f"! {changed}", "yellow")
    # The table has what matters to the cache already.
    unsaid = {step: [line for line in step.changes if line not in step.reasons] for step in plan.steps}
    if any(unsaid.values()) or plan.others:
        console.line()
    for step, lines in unsaid.items():
        mark, style = _MARKS[step.change]
        if lines:
            console.line(f"{mark} {step.name}", style)
        for line in lines:
            console.line(f"    {line}")
    for line in plan.others:
        console.line(f"~ {line}", "yellow")


def _summary(plan: Plan) -> str:
    counts = {
        change: sum(step.change == change for step in plan.steps)
        for change in ("added", "changed", "removed", "unchanged")
    }
    where = {"local": "on this machine", "aws": "in AWS"}[plan.place]
    if not plan.is_deployed:
        return f"{plan.pipeline} is not deployed {where} yet: a run creates it, with {counts['added']} steps"
    words = ", ".join(f"{count} {change}" for change, count in counts.items() if count)
    outcomes = [_outcome(step)[0] for step in plan.steps if step.change != "removed"]
    named = {"reused": "reused", "run": "runs", "taken over": "is taken over", "left out": "is left out"}
    counted = {word: outcomes.count(outcome) for word, outcome in named.items()}
    counted["may run"] = len(outcomes) - sum(counted.values())
    run = ", ".join(f"{count} {word}" for word, count in counted.items() if count)
    return f"{plan.pipeline} {where}: steps {words}; in a run {run or 'none'}"


def _outcome(step: PlannedStep) -> tuple[str, str]:
    """What a run does with the step, and the colour of it."""
    is_certain = step.cache in ("hit", "taken", "left out") or not step.behind
    return _CACHE[step.cache] if is_certain else ("may run", "dim")


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", width=1)
    table.add_column("step", no_wrap=True)
    table.add_column("in a run", no_wrap=True)
    table.add_column("why", overflow="fold")
    for step in plan.steps:
        mark, style = _MARKS[step.change]
        word, colour = _outcome(step)
        name = console.text(step.name, style=style)
        table.add_row(console.text(mark, style=style), name, console.text(word, style=colour), _why(step))
    return table


def _why(step: PlannedStep) -> Text:
    if step.change == "removed":
        return console.text("is removed", style="red")
    reasons = list(step.reasons)
    if step.source:
        reasons.append(f"of execution {step.source.rsplit('/', 1)[-1]}")
    why = console.text("; ".join(reasons), style="dim" if step.cache in ("hit", "never", "taken") else "")
    if step.behind and step.cache != "left out":
        why.append_text(console.text(f"{'; ' if reasons else ''}{step.behind}", "dim"))
    return why
