"""`retrain data`: where the pipeline's inputs are, and simulated sample data for them."""

from typing import TYPE_CHECKING, Annotated

import typer

from retraining import console
from retraining.cli.options import Json, On, entered, load
from retraining.errors import UserError

if TYPE_CHECKING:
    from retraining.runs.inputs import InputState


def data(
    context: typer.Context,
    on: On = "local",
    model: Annotated[
        str | None, typer.Option("--model", help="One model; without it, all that have a simulate.py.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 7,
    to: Annotated[
        str | None, typer.Option(help="An S3 prefix in place of the inputs' defaults: s3://...")
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="List where the inputs are and what they hold; write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Put simulated sample data where the inputs point.

    It replaces only what it wrote before: a model with data of your own in one of its inputs keeps all of
    them as they are, and --to refuses a prefix with other data.

    All other options are the model's own: they are passed on to its simulate.py.

    Example: retrain data --seed 8 --to s3://my-bucket/data-8/
    """
    from retraining.runs import inputs, sample_data

    configuration = load()
    names = sample_data.models(configuration, model)
    scripts = sample_data.scripts(configuration, names)
    if context.args and (only_list or len(scripts) > 1):
        hint = "--list takes no such option" if only_list else "say whose option this is: --model "
        raise UserError(f"{context.args[0]}: {hint}{'' if only_list else ' or '.join(scripts)}")
    configuration = entered(on)
    if only_list:
        listed = (item for name in names for item in inputs.inputs_of(configuration, name, to))
        states = [inputs.look(configuration, item) for item in listed]
    else:
        arguments = ["--seed", str(seed), *context.args]
        states = sample_data.upload(configuration, names, arguments, to, console.note)
    if json:
        console.print_json([state.as_json() for state in states])
        return
    by_uri = {state.input.uri: _listed(state) if only_list else _done(state) for state in states}
    for uri, words in by_uri.items():
        console.line(f"{uri}: {words}")
    if to is not None and not only_list:
        given = " ".join(f"--param {state.input.input}={state.input.uri}" for state in states)
        console.line(f"To run on it: retrain run {given}")


def _listed(state: "InputState") -> str:
    held = {"nothing": "empty", "simulated": "simulated data", "own": "your own data"}[state.content.holds]
    counted = f" ({state.counted})" if state.content.keys else ""
    return f"{held}{counted}, {state.input.input} of {state.input.model}"


def _done(state: "InputState") -> str:
    if state.is_new:
        count = len(state.content.keys)
        return f"{count} file{'s' * (count != 1)}"
    if state.content.holds == "own":
        return f"holds your own data ({state.counted}): left as it is"
    held = "is empty" if state.content.holds == "nothing" else f"holds simulated data ({state.counted})"
    return f"{held}: left as it is, for another input of {state.input.model} holds your own data"
