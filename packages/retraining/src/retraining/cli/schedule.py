"""`retrain schedule`: scheduled retraining."""

import typer

from retraining import console
from retraining.cli.options import On, entered, entered_outline
from retraining.config.configuration import AnyConfiguration
from retraining.runs.targets import PlaceName

schedule_app = typer.Typer(
    help="Scheduled retraining: on, off, show.", no_args_is_help=True, rich_markup_mode=None
)


@schedule_app.command("on")
def switch_on(on: On = "local") -> None:
    """Let EventBridge start the deployed pipeline.

    It starts the pipeline at the times of `schedule` in conf/project.yaml.

    The local EventBridge only records it; --on aws starts the pipeline.

    Example: retrain schedule on --on aws
    """
    from retraining.planning import schedule

    configuration = entered(on)
    expression = schedule.put(configuration)
    words = {
        "local": f"recorded here: {expression} (UTC); this machine starts nothing: `--on aws` does",
        "aws": f"EventBridge starts the pipeline: {expression} (UTC)",
    }
    console.line(words[on])
    _note_reuse(configuration, expression)


@schedule_app.command("off")
def switch_off(on: On = "local") -> None:
    """Remove the schedule.

    Example: retrain schedule off --on aws
    """
    from retraining.planning import schedule

    removed = schedule.remove(entered_outline(on))
    console.line("the schedule is removed" if removed else "there was no schedule")


@schedule_app.command()
def show(on: On = "local") -> None:
    """Show the deployed schedule, and the one in conf/project.yaml.

    Example: retrain schedule show --on aws
    """
    from retraining.planning import schedule

    outline = entered_outline(on)
    present = schedule.present(outline)
    console.line(f"{_DEPLOYED[on]:18} {present or 'none'}")
    console.line(f"conf/project.yaml: {outline.project.schedule or 'none'}")
    if present is not None:
        _note_reuse(outline, present)


_DEPLOYED: dict[PlaceName, str] = {"local": "recorded here:", "aws": "deployed:"}


def _note_reuse(configuration: AnyConfiguration, expression: str) -> None:
    from retraining.planning import schedule

    line = schedule.reuse(configuration, expression)
    if line is not None:
        console.note(line)
