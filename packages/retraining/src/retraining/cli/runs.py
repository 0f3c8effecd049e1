"""`retrain runs`: executions in a list, and side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retraining import console
from retraining.cli.options import Json, On, entered, entered_outline, load
from retraining.errors import UserError
from retraining.runs.targets import PlaceName

if TYPE_CHECKING:
    from retraining.results.comparison import Compared

# So many of the listed executions are shown with parameters and gates, which cost a few calls each.
_WITH_DETAILS = 20
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page with all metrics and curves.")
]

runs_app = typer.Typer(help="List the executions, or compare some.", rich_markup_mode=None)


@runs_app.callback(invoke_without_command=True)
def runs(context: typer.Context, on: On = "local", json: Json = False) -> None:
    """List the pipeline's executions, newest first; the last 20 with the parameters that vary or differ from
    the present defaults, and with the metric of the quality gate. `retrain runs compare` compares some.

    Example: retrain runs --json
    """
    if context.invoked_subcommand is not None:
        return
    from retraining.cli import tables
    from retraining.results.gates import gate_values
    from retraining.runs import executions

    outline = entered_outline(on)
    listed = [executions.describe(arn) for arn in executions.arns(outline.pipeline_name)]
    parameters = outline.whole.parameters if outline.whole else {}
    defaults = {name: str(parameter.default) for name, parameter in parameters.items()}
    newest = listed[:_WITH_DETAILS]
    given = executions.given([execution.arn for execution in newest], defaults)
    gates = gate_values(outline.whole, newest) if outline.whole else {}
    if json:
        details = [
            {"parameters": given.get(item.arn), "gates": [gate.as_json() for gate in gates.get(item.arn, [])]}
            for item in listed
        ]
        console.print_json([item.as_json() | more for item, more in zip(listed, details, strict=True)])
    elif listed:
        console.print_table(tables.run_table(listed, given, gates))
    else:
        console.line("no executions yet: `retrain run` makes the first")


@runs_app.command("compare")
def runs_compare(
    executions: Annotated[
        list[str] | None,
        typer.Argument(help="Their ids, or the beginnings of them; without any, the two newest."),
    ] = None,
    html: Html = None,
    on: On = "local",
    json: Json = False,
) -> None:
    """Compare executions: parameters that differ, and metrics side by side.

    Example: retrain runs compare k3v9 x71c --html compare.html
    """
    from retraining.results.comparison import compare_runs

    check_file(html)
    configuration = entered(on)
    show_comparison("Runs side by side", compare_runs(configuration, executions or []), html, json, on)


def show_comparison(
    title: str, columns: "list[Compared]", html: Path | None, json: bool, on: PlaceName
) -> None:
    """Print a comparison as a table or JSON; write it as a page as well where `html` is given."""
    from retraining.cli import tables
    from retraining.results.comparison import differing
    from retraining.runs.targets import file_of

    if html is not None:
        from retraining.results.comparison_page import page

        opened: Callable[[str], str] = file_of(on, load())
        try:
            html.write_text(page(title, columns, opened), encoding="utf-8")
        except OSError as error:
            raise UserError(f"--html {html}: {error.strerror}") from None
    if json:
        shown = [column.as_json() for column in columns]
        console.print_json({"compared": shown, "parameters_that_differ": differing(columns)})
    else:
        console.print_table(tables.comparison_table(columns))
    if html is not None and not json:
        console.line(f"wrote {html}")


def check_file(html: Path | None) -> None:
    """Before anything is asked for.

    Raises:
        UserError: the page cannot be written there.
    """
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        reason = "this is a folder" if html.is_dir() else f"no folder {html.absolute().parent}"
        raise UserError(f"--html {html}: {reason}")
