"""What all commands of `retrain` share: their options, and the configuration."""

import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from retraining.config import configuration
from retraining.config.configuration import Configuration, Outline
from retraining.errors import UserError
from retraining.runs.targets import PlaceName

On = Annotated[PlaceName, typer.Option("--on", help="Where: this machine, or AWS with your profile.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Only this model's steps, with those that they need."),
]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="STEP", help="Only this step and those after it, on earlier results."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STEP", help="Only this step, on earlier results; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ENVIRONMENT = "RETRAIN_ENV"


class Reads(Enum):
    """What of the configuration a command reads: the less, the fewer mistakes in it are in the way."""

    NOTHING = "the project's folder; what is sound of the rest, such as ports, where it helps"
    PROJECT = "conf/project.yaml"
    NAMES = "conf/project.yaml and the names of the pipeline and the groups; the rest where it is right"
    ALL = "the whole configuration"


READS = {
    "check": Reads.ALL,
    "data": Reads.ALL,
    "definition": Reads.ALL,
    "graph": Reads.ALL,
    "new-model": Reads.ALL,
    "plan": Reads.ALL,
    "remove-model": Reads.ALL,
    "run": Reads.ALL,
    "runs": Reads.NAMES,
    "runs compare": Reads.ALL,
    "stop": Reads.NAMES,
    "ui": Reads.NAMES,
    "local up": Reads.PROJECT,
    "local run": Reads.PROJECT,
    "local down": Reads.NOTHING,
    "local env": Reads.NOTHING,
    "local reset": Reads.NOTHING,
    "local status": Reads.NOTHING,
    "models approve": Reads.NAMES,
    "models compare": Reads.ALL,
    "models list": Reads.NAMES,
    "models reject": Reads.NAMES,
    "models show": Reads.NAMES,
    "schedule off": Reads.NAMES,
    "schedule on": Reads.ALL,
    "schedule show": Reads.NAMES,
}
"""What each command reads; a test runs them all in a project with mistakes."""


def folder() -> Path:
    """The working directory, or the nearest folder above it that holds a project.

    Raises:
        UserError: there is none.
    """
    here = Path.cwd()
    root = next((up for up in (here, *here.parents) if (up / "conf" / "project.yaml").is_file()), None)
    if root is None:
        raise UserError(
            f"{here}: no conf/project.yaml here or above: run this in the project's folder, or give "
            "--project FOLDER"
        )
    return root


def environment() -> str | None:
    """The name that --env gives."""
    return os.environ.get(ENVIRONMENT) or None


def load() -> Configuration:
    """The configuration of the project in the working directory, or in the nearest folder above it.

    Raises:
        UserError: there is no project, or its configuration is wrong.
    """
    return configuration.load(folder(), environment())


def entered(on: PlaceName) -> Configuration:
    """The same, after boto3, the SDK and MLflow of this process have been pointed at the target.

    Raises:
        UserError: as `load`; or the local services cannot start, or there are no AWS credentials.
    """
    from retraining import console
    from retraining.runs.targets import enter

    project = load()
    enter(on, project, console.note)
    return project


def entered_outline(on: PlaceName) -> Outline:
    """The same of what is sound of the configuration; a line says when that is not all.

    Raises:
        UserError: as `configuration.load_outline`; or as `entered`.
    """
    from retraining import console
    from retraining.runs.targets import enter

    outline = configuration.load_outline(folder(), environment())
    if outline.whole is None:
        console.note("the configuration has mistakes, which `retrain check` names")
    enter(on, outline, console.note)
    return outline


def global_options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the options of all commands before the command; what follows ``--`` stays.

    Raises:
        UserError: one of them has no value.
    """
    first: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return [*first, *rest, argument, *waiting]
        if argument in ("--env", "--project"):
            value = next(waiting, None)
            if value is None:
                raise UserError(f"{argument}: a {'name' if argument == '--env' else 'folder'} must follow")
            first += [argument, value]
        elif argument == "--debug" or argument.startswith(("--env=", "--project=")):
            first.append(argument)
        else:
            rest.append(argument)
    return [*first, *rest]
