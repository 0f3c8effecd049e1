"""`retrain models`: the model registry."""

from typing import Annotated, Any

import typer

from retraining import output
from retraining.command import Json, On, entered
from retraining.place_name import PlaceName

models_app = typer.Typer(
    help="The model registry: list, show, approve, reject.", no_args_is_help=True, rich_markup_mode=None
)


@models_app.command("list")
def models_list(on: On = "local", json: Json = False) -> None:
    """List the registered model versions with their metrics.

    Example: retrain models list
    """
    from retraining import registry, tables

    found = entered(on)
    packages = registry.packages(found)
    if json:
        output.print_json([package.as_json() for package in packages])
    elif packages:
        output.print_table(tables.model_table(packages))
    else:
        output.out().print("no model versions yet: `retrain run` registers some")


@models_app.command("show")
def models_show(
    version: Annotated[str, typer.Argument(help="Version number, group/version, or ARN.")],
    on: On = "local",
    json: Json = False,
) -> None:
    """Show everything that the registry knows of one version.

    Example: retrain models show 3
    """
    from retraining import registry

    found = entered(on)
    details = registry.details(registry.find(found, version))
    if json:
        output.print_json(details)
    else:
        _print_details(details)


def _print_details(details: dict[str, Any], indent: str = "") -> None:
    for key, value in details.items():
        if isinstance(value, dict):
            output.out().print(f"{indent}{key}:", markup=False)
            _print_details(value, indent + "  ")
        else:
            output.out().print(f"{indent}{key}: {value}", markup=False)


@models_app.command()
def approve(
    version: Annotated[str, typer.Argument(help="Version number, group/version, or ARN.")],
    reason: Annotated[str | None, typer.Option("--reason", help="Kept with the decision.")] = None,
    on: On = "local",
) -> None:
    """Approve one version.

    Example: retrain models approve 3 --reason "better recall, same precision"
    """
    _decide("approve", version, reason, on)


@models_app.command()
def reject(
    version: Annotated[str, typer.Argument(help="Version number, group/version, or ARN.")],
    reason: Annotated[str | None, typer.Option("--reason", help="Kept with the decision.")] = None,
    on: On = "local",
) -> None:
    """Reject one version.

    Example: retrain models reject 4 --reason "too many false alarms"
    """
    _decide("reject", version, reason, on)


def _decide(verb: str, version: str, reason: str | None, on: PlaceName) -> None:
    from retraining import registry

    found = entered(on)
    package = registry.find(found, version)
    status = registry.STATUSES[verb]
    shown = f"{package.group}/{package.version}{f' ({package.candidate})' if package.candidate else ''}"
    if package.status == status and reason is None:
        output.out().print(f"{shown} is {status} already", markup=False)
        return
    registry.decide(package, status, reason)
    output.out().print(f"{shown}: {package.status} -> {status}", markup=False)
