"""`retrain schedule`: retraining by itself."""

import typer

from retraining import console
from retraining.cli.options import On, entered
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.runs.targets import PlaceName

schedule_app = typer.Typer(
    help="Retraining by itself, in AWS: on, off, show.", no_args_is_help=True, rich_markup_mode=None
)


@schedule_app.command("on")
def switch_on(on: On = "aws") -> None:
    """Let EventBridge start the deployed pipeline as `schedule` in conf/project.yaml says.

    Example: retrain schedule on
    """
    from retraining.planning import schedule

    found = _entered(on)
    expression = schedule.put(found)
    console.out().print(f"the pipeline is started by itself: {expression} (UTC)", markup=False)
    _tell_of_reuse(found, expression)


@schedule_app.command("off")
def switch_off(on: On = "aws") -> None:
    """Remove the schedule.

    Example: retrain schedule off
    """
    from retraining.planning import schedule

    removed = schedule.remove(_entered(on))
    console.out().print("the schedule is removed" if removed else "there was no schedule")


@schedule_app.command()
def show(on: On = "aws") -> None:
    """Say which schedule is deployed, and which one conf/project.yaml holds.

    Example: retrain schedule show
    """
    from retraining.planning import schedule

    found = _entered(on)
    present = schedule.present(found)
    console.out().print(f"deployed:          {present or 'none'}", markup=False)
    console.out().print(f"conf/project.yaml: {found.project.schedule}", markup=False)
    if present is not None:
        _tell_of_reuse(found, present)


def _tell_of_reuse(configuration: Configuration, expression: str) -> None:
    from retraining.planning import schedule

    line = schedule.reuse(configuration, expression)
    if line is not None:
        console.note(line)


def _entered(on: PlaceName) -> Configuration:
    if on == "local":
        raise UserError("the local services fire no schedules: give --on aws")
    return entered(on)
