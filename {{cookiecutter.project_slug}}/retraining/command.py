"""What all commands of `retrain` share."""

from pathlib import Path
from typing import Annotated

import typer

from retraining import configuration
from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.places import PlaceName

On = Annotated[PlaceName, typer.Option("--on", help="Where: this machine, or AWS with your profile.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


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
    return configuration.load(root)
