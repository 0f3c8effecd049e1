"""`retrain local`: the local services."""

import shlex
import sys
from typing import Annotated

import typer

from retraining import console
from retraining.cli.options import Json, load
from retraining.config.configuration import Configuration
from retraining.errors import UserError

local_app = typer.Typer(
    help="The local services: up, down, status, reset.", no_args_is_help=True, rich_markup_mode=None
)


@local_app.command()
def up() -> None:
    """Start the local services.

    Example: retrain local up
    """
    from retraining.runs.targets import prepare

    found = load()
    prepare("local", found, console.note)
    _print_status(found)


@local_app.command()
def down() -> None:
    """Stop the local services; what they hold stays.

    Example: retrain local down
    """
    from retraining.runs.targets import stop_local

    stopped = stop_local(load())
    console.out().print(
        "the local services are stopped" if stopped else "the local services were not running"
    )


@local_app.command()
def status(json: Json = False) -> None:
    """Say whether the local services run, and where.

    Example: retrain local status
    """
    from retraining.runs.targets import local_status

    found = load()
    if json:
        console.print_json(local_status(found))
    else:
        _print_status(found)


@local_app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the local services and remove all they hold: executions, models, data, experiments.

    Example: retrain local reset --yes
    """
    question = "Remove all local executions, models, data and experiments?"
    if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
        raise UserError("nothing was removed: answer yes, or give --yes")
    from retraining.runs.targets import reset_local

    reset_local(load())
    console.out().print("the local services are empty")


def _print_status(found: Configuration) -> None:
    from retraining.runs.targets import local_settings, local_status

    state = local_status(found)
    for service in state["services"]:
        health = "healthy" if service["healthy"] else "not running"
        console.out().print(f"{service['name']:16} {service['url']:24} {health}", markup=False)
    console.out().print(f"{'data':16} {state['root']}", markup=False)
    console.out().print("for other clients:")
    for name, value in local_settings(found).environment().items():
        console.out().print(f"  export {name}={shlex.quote(value)}", markup=False)
