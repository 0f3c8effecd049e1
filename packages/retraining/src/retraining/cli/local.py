"""`retrain local`: the local services."""

import sys
from typing import Annotated

import typer

from retraining import console
from retraining.cli.options import Json, load
from retraining.config.configuration import Configuration
from retraining.errors import UserError

local_app = typer.Typer(
    help="The local services: up, down, status, reset, env, run.", no_args_is_help=True, rich_markup_mode=None
)


@local_app.command()
def up() -> None:
    """Start the local services.

    Example: retrain local up
    """
    from retraining.runs.targets import prepare

    configuration = load()
    prepare("local", configuration, console.note)
    _print_status(configuration)


@local_app.command()
def down() -> None:
    """Stop the local services; what they hold stays.

    Example: retrain local down
    """
    from retraining.runs.targets import stop_local

    stopped = stop_local(load())
    console.line("the local services are stopped" if stopped else "the local services were not running")


@local_app.command()
def status(json: Json = False) -> None:
    """Say whether the local services run, and where.

    Example: retrain local status
    """
    from retraining.runs.targets import local_status

    configuration = load()
    if json:
        console.print_json(local_status(configuration))
    else:
        _print_status(configuration)


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
    console.line("the local services are empty")


@local_app.command()
def env(json: Json = False) -> None:
    """Print the variables with which other programs use the local services, for a shell.

    Example: eval "$(retrain local env)"
    """
    from retraining.runs.targets import local_environment, local_exports

    configuration = load()
    if json:
        console.print_json(local_environment(configuration))
    else:
        print(local_exports(configuration))


@local_app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND ...", help="The program and its arguments.")
    ] = None,
) -> None:
    """Run a program with the variables of `retrain local env`; start the services when they are down.

    The exit code is the program's; 128 + n after signal n; 127 when there is no such program.

    Example: retrain local run -- python groups.py
    """
    from retraining.runs.targets import run_local

    if not words:
        raise UserError("the COMMAND is missing, as in `retrain local run -- python groups.py`")
    raise typer.Exit(run_local(load(), words, console.note))


def _print_status(configuration: Configuration) -> None:
    from retraining.runs.targets import local_status

    state = local_status(configuration)
    for service in state["services"]:
        health = "healthy" if service["healthy"] else "not running"
        console.line(f"{service['name']:16} {service['url']:24} {health}")
    console.line(f"{'data':16} {state['root']}")
    if state["running"]:
        console.line('for other programs in this shell: eval "$(retrain local env)"')
