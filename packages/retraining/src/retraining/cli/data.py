"""`retrain data`: where the pipeline's inputs are; own data, or simulated sample data, for them."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retraining import console
from retraining.cli.options import Json, On, entered, load
from retraining.errors import UserError

if TYPE_CHECKING:
    from retraining.config.configuration import Configuration
    from retraining.runs.inputs import InputState, ModelInput
    from retraining.runs.own_data import Placed

# So many executions are looked at for results that a run would reuse.
_LOOKED_AT = 10
_SEED = 7


def data(
    context: typer.Context,
    on: On = "local",
    model: Annotated[
        str | None, typer.Option("--model", help="One model; without it, all that have a simulate.py.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help=f"The same seed gives the same data; {_SEED} if not given.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="An S3 prefix in place of the inputs' defaults: s3://...")
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="List where the inputs are and what they hold; write nothing.")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="Your own data: a file, or a folder with all its files."),
    ] = None,
    input_name: Annotated[
        str | None,
        typer.Option("--input", metavar="NAME", help="With --from: the input, where there are several."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --from: in place of your own data that is there.")
    ] = False,
    json: Json = False,
) -> None:
    """Put sample data, or your own, where the inputs point.

    It replaces only what it wrote before: a model with data of your own in one of its inputs keeps all of
    them as they are, and --to refuses a prefix with other data.

    With --from, your own files replace simulated ones, and other files of yours with --replace only.

    All other options are the model's own: they are passed on to its simulate.py.

    Example: retrain data --seed 8 --to s3://my-bucket/data-8/
    Example: retrain data --from customers.csv --input CustomersData
    """
    from retraining.runs import inputs, sample_data

    configuration = load()
    names = sample_data.models(configuration, model)
    if source is not None:
        others = ["--list"] * only_list + ["--seed"] * (seed is not None) + context.args
        if others:
            raise UserError(f"{others[0]}: --from takes no such option")
        _place(entered(on), names, source, input_name, to, replace, json)
        return
    if input_name is not None or replace:
        raise UserError(f"{'--replace' if replace else '--input'} belongs to --from FILE_OR_FOLDER")
    scripts = sample_data.scripts(configuration, names)
    if context.args and (only_list or len(scripts) > 1):
        hint = "--list takes no such option" if only_list else "say whose option this is: --model "
        raise UserError(f"{context.args[0]}: {hint}{'' if only_list else ' or '.join(scripts)}")
    configuration = entered(on)
    if only_list:
        states = [inputs.look(configuration, item) for item in _listed_inputs(configuration, names, to)]
    else:
        arguments = ["--seed", str(_SEED if seed is None else seed), *context.args]
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


def _listed_inputs(configuration: "Configuration", names: list[str], to: str | None) -> "list[ModelInput]":
    from retraining.runs import inputs

    if to is None:
        return [item for name in names for item in inputs.all_inputs(configuration, name)]
    return [item for name in names for item in inputs.simulated_inputs(configuration, name, to)]


def _place(
    configuration: "Configuration",
    names: list[str],
    source: Path,
    input_name: str | None,
    to: str | None,
    replace: bool,
    json: bool,
) -> None:
    from retraining.runs import own_data

    placed = own_data.place(configuration, names, source, input_name, to, replace, console.note)
    for line in own_data.notes(placed):
        console.note(line)
    reused = _reused(configuration, placed)
    if json:
        console.print_json([placed.state.as_json()])
        return
    target = placed.state.input
    count = len(placed.state.content.keys)
    gone = set(placed.before.content.keys) - set(placed.state.content.keys)
    kind = "simulated objects" if placed.before.content.holds == "simulated" else "objects"
    replaced = f", in place of {len(gone)} {kind if len(gone) > 1 else kind[:-1]}" if gone else ""
    words = f"{target.uri}: {count} file{'s' * (count != 1)} of yours{replaced}"
    console.line(words)
    if to is not None:
        again = f"retrain run --param {target.input}={target.uri}"
        console.line(f"To run on it: {again}")
    elif reused:
        place = re.sub(r"(\.\w+)?/?$", "-2/", target.uri, count=1)
        elsewhere = f"retrain data --from {shlex.quote(str(source))} --input {target.input} --to {place}"
        advice = (
            f"put the data into a location of its own: {elsewhere}"
            if target.has_parameter
            else "set enable_cache: false for it in conf.yaml"
        )
        console.line(
            f"! {' and '.join(reused)} ran on what was here before, and a run would reuse that result: "
            f"{advice}"
        )
    else:
        console.line("To run on it: retrain run")


def _reused(configuration: "Configuration", placed: "Placed") -> list[str]:
    """The steps with a result from before the data, which the cache would give to the next run."""
    from retraining.planning import changed_inputs, history
    from retraining.runs import executions

    pipeline = configuration.pipeline.pipelineName
    cached = {name for name, step in configuration.steps.items() if step.settings.enable_cache}
    past = history.past_of(pipeline, executions.arns(pipeline)[:_LOOKED_AT])
    results = [(item.run, name) for item in past for name in item.steps if name in cached]
    changed = changed_inputs.find(configuration.project.bucket, past, results)
    return list(dict.fromkeys(item.step for item in changed if item.uri == placed.state.input.uri))


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
