"""`retrain plan` and `retrain graph`: what would run, before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from retraining import console
from retraining.cli.options import Json, Model, On, Only, Start, load
from retraining.errors import UserError


def plan(
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="A pipeline parameter; repeatable.")
    ] = None,
    model: Model = None,
    start: Start = None,
    only: Only = None,
    on: On = "local",
    json: Json = False,
) -> None:
    """Show what a run would change and which steps would run.

    It changes nothing.

    Example: retrain plan --param Epochs=10
    """
    from retraining.cli import plan_report
    from retraining.planning.plan import make_plan
    from retraining.runs.selection import Choice

    planned = make_plan(load(), on, param or [], Choice(model, start, tuple(only or ())))
    if json:
        console.print_json(planned.as_json())
    else:
        plan_report.show(planned)


def graph(
    svg: Annotated[
        Path | None, typer.Option("--svg", "--out", metavar="FILE", help="Write a picture to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw the steps and their order; runs nothing.

    Example: retrain graph --svg pipeline.svg
    """
    from retraining.drawing import text
    from retraining.drawing.graph import graph_of
    from retraining.drawing.svg import draw

    drawn = graph_of(load())
    if svg is not None:
        try:
            svg.write_text(draw(drawn), encoding="utf-8")
        except OSError as error:
            raise UserError(f"--svg {svg}: {error.strerror}") from None
    if json:
        console.print_json(drawn.as_json())
    elif svg is None:
        text.show(drawn)
    else:
        console.line(f"wrote {svg}")
