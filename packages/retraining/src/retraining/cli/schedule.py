"""`retrain schedule`: scheduled retraining."""

import typer

from retraining import console
from retraining.cli.options import On, entered
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.runs.targets import PlaceName

schedule_app = typer.Typer(
    help="Scheduled retraining in AWS: on, off, show.", no_args_is_help=True, rich_markup_mode=None
)


@schedule_app.command("on")
def switch_on(on: On = "aws") -> None:
    """Let EventBridge start the deployed pipeline as `schedule` in conf/project.yaml says.

    Example: retrain schedule on
    """
    from retraining.planning import schedule

    configuration = _entered(on)
    expression = schedule.put(configuration)
    console.line(f"EventBridge starts the pipeline: {expression} (UTC)")
    _note_reuse(configuration, expression)


@schedule_app.command("off")
def switch_off(on: On = "aws") -> None:
    """Remove the schedule.

    Example: retrain schedule off
    """
    from retraining.planning import schedule

    removed = schedule.remove(_entered(on))
    console.line("the schedule is removed" if removed else "there was no schedule")


@schedule_app.command()
def show(on: On = "aws") -> None:
    """Show the deployed schedule, and the one in conf/project.yaml.

    Example: retrain schedule show
    """
    from retraining.planning import schedule

    configuration = _entered(on)
    present = schedule.present(configuration)
    console.line(f"deployed:          {present or 'none'}")
    console.line(f"conf/project.yaml: {configuration.project.schedule}")
    if present is not None:
        _note_reuse(configuration, present)


def _note_reuse(configuration: Configuration, expression: str) -> None:
    from retraining.planning import schedule

    line = schedule.reuse(configuration, expression)
    if line is not None:
        console.note(line)


def _entered(on: PlaceName) -> Configuration:
    if on == "local":
        raise UserError("the local services do not run schedules: use --on aws")
    return entered(on)
