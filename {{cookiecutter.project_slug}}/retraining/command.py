"""What all commands of `retrain` share."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from retraining import configuration
from retraining.configuration import Configuration
from retraining.errors import UserError

PlaceName = Literal["local", "aws"]
On = Annotated[PlaceName, typer.Option("--on", help="Where: this machine, or AWS with your profile.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ENVIRONMENT = "RETRAIN_ENV"


def load() -> Configuration:
    """The configuration of the project in the working directory.

    Raises:
        UserError: there is no project here, or its configuration is wrong.
    """
    root = Path.cwd()
    if not (root / "conf" / "project.yaml").is_file():
        raise UserError(
            f"{root}: no conf/project.yaml here: run this in the project's folder, or give --project FOLDER"
        )
    return configuration.load(root, os.environ.get(ENVIRONMENT) or None)


def entered(on: PlaceName) -> Configuration:
    """The same, after boto3, the SDK and MLflow of this process have been pointed at the place.

    Raises:
        UserError: as `load`; or the local services cannot start, or there are no AWS credentials.
    """
    from retraining import output
    from retraining.places import enter

    found = load()
    enter(on, found, output.note)
    return found
