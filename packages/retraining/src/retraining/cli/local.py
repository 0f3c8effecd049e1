"""`retrain local`: the local services."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from retraining import console
from retraining.cli.options import Json, environment, folder
from retraining.config import configuration
from retraining.errors import UserError

if TYPE_CHECKING:
    from retraining.runs.targets import Settings

local_app = typer.Typer(
    help="The local services: up, down, status, reset, env, run.", no_args_is_help=True, rich_markup_mode=None
)


@local_app.command()
def up() -> None:
    """Start the local services.

    Example: retrain local up
    """
    from retraining.runs.targets import prepare

    project = configuration.load_project(folder(), environment())
    prepare("local", project, console.note)
    _print_status(_settings())


@local_app.command()
def down() -> None:
    """Stop the local services; what they hold stays.

    Example: retrain local down
    """
    from retraining.runs.targets import stop_local

    stopped = stop_local(_settings())
    console.line("the local services are stopped" if stopped else "the local services were not running")


@local_app.command()
def status(json: Json = False) -> None:
    """Say whether the local services run, and where.

    Example: retrain local status
    """
    from retraining.runs.targets import local_status

    settings = _settings()
    if json:
        console.print_json(local_status(settings))
    else:
        _print_status(settings)


@local_app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the local services and remove all that they hold.

    That is executions, models, data and experiments.

    Example: retrain local reset --yes
    """
    question = "Remove all local executions, models, data and experiments?"
    if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
        raise UserError("nothing was removed: answer yes, or give --yes")
    from retraining.runs.targets import reset_local

    reset_local(_settings())
    console.line("the local services are empty")


@local_app.command()
def env(json: Json = False) -> None:
    """Print the variables that other programs need, for a shell.

    Example: eval "$(retrain local env)"
    """
    from retraining.runs.targets import local_environment, local_exports

    variables = local_environment(_settings())
    if json:
        console.print_json(variables)
    else:
        print(local_exports(variables))


@local_app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND ...", help="The program and its arguments.")
    ] = None,
) -> None:
    """Run a program that uses the local services.

    It gets the variables of `retrain local env`. The services are started when they are down.

    The exit code is the program's; 128 + n after signal n; 127 when there is no such program.

    Example: retrain local run -- python groups.py
    """
    from retraining.runs.targets import local_settings, run_local

    if not words:
        raise UserError("the COMMAND is missing, as in `retrain local run -- python groups.py`")
    settings = local_settings(configuration.load_project(folder(), environment()))
    raise typer.Exit(run_local(settings, words, console.note))


def _settings() -> "Settings":
    """Those of the services; where conf/project.yaml has mistakes, as they were started."""
    from retraining.runs.targets import local_settings, recorded_settings

    root = folder()
    try:
        return local_settings(configuration.load_project(root, environment()))
    except UserError:
        return recorded_settings(root)


def _print_status(settings: "Settings") -> None:
    from retraining.runs.targets import local_status

    state = local_status(settings)
    for service in state["services"]:
        health = "healthy" if service["healthy"] else "not running"
        console.line(f"{service['name']:16} {service['url']:24} {health}")
    console.line(f"{'data':16} {state['root']}")
    if state["running"]:
        console.line('for other programs in this shell: eval "$(retrain local env)"')
