"""`retrain models`: the model registry."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from retraining import console
from retraining.cli.options import Json, On, entered, entered_outline
from retraining.cli.runs import Html, check_file, show_comparison
from retraining.runs.targets import PlaceName

models_app = typer.Typer(
    help="The model registry: list, show, compare, approve, reject.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@models_app.command("list")
def models_list(on: On = "local", json: Json = False) -> None:
    """List the registered model versions with their metrics.

    Example: retrain models list
    """
    from retraining.cli import tables
    from retraining.results import registry

    packages = registry.packages(entered_outline(on))
    if json:
        console.print_json([package.as_json() for package in packages])
    elif packages:
        console.print_table(tables.model_table(packages))
    else:
        console.line("no model versions yet: `retrain run` registers some")


@models_app.command("compare")
def models_compare(
    versions: Annotated[list[str], typer.Argument(help="Version numbers, group/version, or ARNs.")],
    html: Html = None,
    on: On = "local",
    json: Json = False,
) -> None:
    """Compare model versions side by side.

    Shows the parameters of their executions that differ, and the metrics.

    Example: retrain models compare 1 2 --html compare.html
    """
    from retraining.results.comparison import compare_models

    check_file(html)
    configuration = entered(on)
    show_comparison("Model versions side by side", compare_models(configuration, versions), html, json, on)


@models_app.command("show")
def models_show(
    version: Annotated[str, typer.Argument(help="Version number, group/version, or ARN.")],
    on: On = "local",
    json: Json = False,
) -> None:
    """Show everything that the registry has on one version.

    Example: retrain models show 3
    """
    from retraining.results import registry

    details = registry.details(registry.find(entered_outline(on), version))
    if json:
        console.print_json(details)
    else:
        for line in lines(details):
            console.line(line)


def lines(details: dict[str, Any]) -> Iterator[str]:
    """`registry.details` as text, without empty values and metadata that repeat others."""
    shown = {f"metric:{name}" for name in details["metrics"]}
    metadata = {
        key: value
        for key, value in details["metadata"].items()
        if key not in shown and (key not in details or str(details[key]) != value)
    }
    return _lines(details | {"metadata": metadata})


def _lines(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if value is None or value in ("", [], {}):
            continue
        if isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(value))
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            yield f"{key}:"
            for item in value:
                yield from (f"  {'  ' if number else '- '}{line}" for number, line in enumerate(_lines(item)))
        else:
            yield f"{key}: {', '.join(map(_text, value)) if isinstance(value, list) else _text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


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
    from retraining.results import registry

    package = registry.find(entered_outline(on), version)
    status = registry.STATUSES[verb]
    shown = f"{package.shown}{f' ({package.candidate})' if package.candidate else ''}"
    if package.status == status and reason is None:
        console.line(f"{shown} is {status} already")
        return
    registry.decide(package, status, reason)
    console.line(f"{shown}: {package.status} -> {status}")
