"""`retrain plan` and `retrain graph`: what would run, before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from retraining import output
from retraining.command import Json, On, load
from retraining.errors import UserError


def plan(
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="A pipeline parameter; repeatable.")
    ] = None,
    on: On = "local",
    json: Json = False,
) -> None:
    """Say what a run would change and which steps it would really run; nothing is changed.

    Example: retrain plan --param Epochs=10
    """
    from retraining import plan_output
    from retraining.plan import plan as make

    found = make(load(), on, param or [])
    if json:
        output.print_json(found.as_json())
    else:
        plan_output.show(found)


def graph(
    svg: Annotated[
        Path | None, typer.Option("--svg", "--out", metavar="FILE", help="Write a picture to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw the steps and how they follow each other, from the configuration alone.

    Example: retrain graph --svg pipeline.svg
    """
    from retraining import graph_svg, graph_text
    from retraining.graph import of

    drawn = of(load())
    if svg is not None:
        try:
            svg.write_text(graph_svg.draw(drawn), encoding="utf-8")
        except OSError as error:
            raise UserError(f"--svg {svg}: {error.strerror}") from None
    if json:
        output.print_json(drawn.as_json())
    elif svg is None:
        graph_text.show(drawn)
    else:
        output.out().print(f"wrote {svg}", markup=False)
