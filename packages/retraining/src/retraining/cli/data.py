"""`retrain data`: the places of the pipeline's inputs, and simulated sample data for them."""

from typing import TYPE_CHECKING, Annotated

import typer

from retraining import console
from retraining.cli.options import Json, On, entered, load
from retraining.errors import UserError

if TYPE_CHECKING:
    from retraining.runs.inputs import Held


def data(
    context: typer.Context,
    on: On = "local",
    model: Annotated[
        str | None, typer.Option("--model", help="One model; without it, all that have a simulate.py.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 7,
    to: Annotated[str | None, typer.Option(help="Another place than the inputs' defaults: s3://...")] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="List the inputs' places and what they hold; write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate sample data and put it where the pipeline's inputs point.

    It replaces what it wrote before, and nothing else: a model with data of your own in one of these places
    keeps all of its inputs as they are, and --to refuses a place with other data.

    All other options are the model's own: they are handed on to its simulate.py.

    Example: retrain data --seed 8 --to s3://my-bucket/data-8/
    """
    from retraining.runs import inputs, sample_data

    found = load()
    names = sample_data.models(found, model)
    scripts = sample_data.scripts(found, names)
    if context.args and (only_list or len(scripts) > 1):
        hint = "--list takes no such option" if only_list else "say whose option this is: --model "
        raise UserError(f"{context.args[0]}: {hint}{'' if only_list else ' or '.join(scripts)}")
    found = entered(on)
    if only_list:
        held = [inputs.look(found, place) for name in names for place in inputs.of(found, name, to)]
    else:
        held = sample_data.upload(found, names, ["--seed", str(seed), *context.args], to, console.note)
    if json:
        console.print_json([item.as_json() for item in held])
        return
    words = {item.place.uri: _listed(item) if only_list else _done(item) for item in held}
    for uri, said in words.items():
        console.out().print(f"{uri}: {said}", markup=False)
    if to is not None and not only_list:
        given = " ".join(f"--param {item.place.input}={item.place.uri}" for item in held)
        console.out().print(f"To run on it: retrain run {given}", markup=False)


def _listed(item: "Held") -> str:
    held = {"nothing": "empty", "simulated": "simulated data", "own": "your own data"}[item.content.holds]
    counted = f" ({item.counted})" if item.content.keys else ""
    return f"{held}{counted}, {item.place.input} of {item.place.model}"


def _done(item: "Held") -> str:
    if item.is_new:
        count = len(item.content.keys)
        return f"{count} file{'s' * (count != 1)}"
    if item.content.holds == "own":
        return f"holds your own data ({item.counted}): left as it is"
    held = "is empty" if item.content.holds == "nothing" else f"holds simulated data ({item.counted})"
    return f"{held}: left as it is, for another input of {item.place.model} holds your own data"
