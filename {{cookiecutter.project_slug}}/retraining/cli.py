"""The command `retrain`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from retraining import configuration, output
from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.places import PlaceName, enter, local_settings

app = typer.Typer(
    help="Retrain, look at and decide on models: on this machine, or in AWS.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(
    help="The model registry: list, show, approve, reject.", no_args_is_help=True, rich_markup_mode=None
)
local_app = typer.Typer(
    help="The local services: up, down, status, reset.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(models_app, name="models")
app.add_typer(local_app, name="local")

On = Annotated[PlaceName, typer.Option("--on", help="Where: this machine, or AWS with your profile.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def main() -> None:
    """Entry point: a UserError is one line on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        _fail(str(error), error)
    except ClientError as error:
        _fail(f"{error.operation_name}: {error.response['Error'].get('Message', error)}", error)
    except BotoCoreError as error:
        _fail(f"AWS: {error}", error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str, error: Exception) -> None:
    if "RETRAIN_DEBUG" in os.environ:
        raise error
    for line in message.splitlines():
        output.err.print(f"Error: {line}", style="red", markup=False)
    sys.exit(2)


@app.callback()
def _options(
    project: Annotated[Path, typer.Option("--project", help="The project's folder.")] = Path(),
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if debug:
        os.environ["RETRAIN_DEBUG"] = "1"
    if project != Path():
        if not project.is_dir():
            raise UserError(f"--project: no folder {str(project)!r}")
        os.chdir(project)


def _load() -> Configuration:
    root = Path.cwd()
    if not (root / "conf" / "project.yaml").is_file():
        raise UserError(
            f"{root}: no conf/project.yaml here: run this in the project's folder, or give --project FOLDER"
        )
    return configuration.load(root)


@app.command()
def check(json: Json = False) -> None:
    """Check the configuration; nothing is called.

    Example: retrain check
    """
    found = _load()
    steps = [step.step_name for steps in found.pipeline.models.values() for step in steps.steps]
    if json:
        output.print_json(
            {"pipeline": found.pipeline.pipelineName, "steps": steps, "parameters": list(found.parameters)}
        )
    else:
        output.out.print(
            f"{found.pipeline.pipelineName}: all in order ({len(steps)} steps, "
            f"{len(found.parameters)} parameters)"
        )


@app.command()
def definition(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
) -> None:
    """Compile the pipeline definition: no credentials, no network, no side effects.

    Example: retrain definition --out pipeline.json
    """
    from retraining.definition import compile_pipeline

    text = compile_pipeline(_load()).text
    if out is None:
        print(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None


@app.command()
def data(
    on: On = "local",
    players: Annotated[int, typer.Option(help="Players to simulate.", min=1)] = 20000,
    days: Annotated[int, typer.Option(help="Days of telemetry.", min=1)] = 28,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 7,
    drift: Annotated[float, typer.Option(help="How far behaviour has moved; 0 is none.")] = 0.0,
) -> None:
    """Simulate sample data and put it where the pipeline's inputs point.

    Example: retrain data --seed 8 --drift 0.3
    """
    from retraining import sample_data

    found = _load()
    enter(on, found, output.note)
    arguments = ["--players", str(players), "--days", str(days), "--seed", str(seed), "--drift", str(drift)]
    for uri, files in sample_data.upload(found, arguments, output.note).items():
        output.out.print(f"{uri}: {files} file{'s' if files != 1 else ''}")


@app.command()
def run(
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="A pipeline parameter; repeatable.")
    ] = None,
    on: On = "local",
) -> None:
    """Run the pipeline and wait for it.

    Example: retrain run --param Epochs=10 --param Leeway=0.2
    """
    from retraining import report
    from retraining.run import run as run_pipeline

    found = _load()
    report.show(found, run_pipeline(found, on, param or []))


@app.command()
def stop(
    execution: Annotated[
        str | None, typer.Argument(help="Its id; without it, all that are going on.")
    ] = None,
    on: On = "local",
) -> None:
    """Stop executions that are going on.

    Example: retrain stop
    """
    import boto3

    from retraining import executions

    found = _load()
    enter(on, found, output.note)
    running = executions.arns(found.pipeline.pipelineName, executions.RUNNING)
    chosen = [arn for arn in running if execution in (None, arn, arn.rsplit("/", 1)[-1])]
    if not chosen:
        raise UserError(f"no execution {execution + ' ' if execution else ''}is going on")
    for arn in chosen:
        boto3.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn)
        output.out.print(f"stopping {arn.rsplit('/', 1)[-1]}")


@app.command()
def runs(on: On = "local", json: Json = False) -> None:
    """List the pipeline's executions, newest first.

    Example: retrain runs --json
    """
    from retraining import executions

    found = _load()
    enter(on, found, output.note)
    listed = [executions.describe(arn) for arn in executions.arns(found.pipeline.pipelineName)]
    if json:
        output.print_json([execution.as_json() for execution in listed])
    elif listed:
        output.out.print(output.run_table(listed))
    else:
        output.out.print("no executions yet: `retrain run` makes the first")


@models_app.command("list")
def models_list(on: On = "local", json: Json = False) -> None:
    """List the registered model versions with their metrics.

    Example: retrain models list
    """
    from retraining import registry

    found = _load()
    enter(on, found, output.note)
    packages = registry.packages(found)
    if json:
        output.print_json([package.as_json() for package in packages])
    elif packages:
        output.out.print(output.model_table(packages))
    else:
        output.out.print("no model versions yet: `retrain run` registers some")


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

    found = _load()
    enter(on, found, output.note)
    details = registry.details(registry.find(found, version))
    if json:
        output.print_json(details)
    else:
        _print_details(details)


def _print_details(details: dict[str, Any], indent: str = "") -> None:
    for key, value in details.items():
        if isinstance(value, dict):
            output.out.print(f"{indent}{key}:", markup=False)
            _print_details(value, indent + "  ")
        else:
            output.out.print(f"{indent}{key}: {value}", markup=False)


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

    found = _load()
    enter(on, found, output.note)
    package = registry.find(found, version)
    status = registry.STATUSES[verb]
    registry.decide(package, status, reason)
    output.out.print(f"{package.group}/{package.version} ({package.candidate}): {package.status} -> {status}")


@local_app.command()
def up() -> None:
    """Start the local services.

    Example: retrain local up
    """
    found = _load()
    enter("local", found, output.note)
    _print_status(found)


@local_app.command()
def down() -> None:
    """Stop the local services; what they hold stays.

    Example: retrain local down
    """
    from local_sagemaker import stack

    stopped = _local(stack.down)
    output.out.print("the local services are stopped" if stopped else "the local services were not running")


@local_app.command()
def status(json: Json = False) -> None:
    """Say whether the local services run, and where.

    Example: retrain local status
    """
    from local_sagemaker import stack

    if json:
        output.print_json(_local(stack.status))
    else:
        _print_status(_load())


@local_app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the local services and remove all they hold: executions, models, data, experiments.

    Example: retrain local reset --yes
    """
    from local_sagemaker import stack

    if not yes and not (
        sys.stdin.isatty() and typer.confirm("Remove all local executions, models, data and experiments?")
    ):
        raise UserError("nothing was removed: answer yes, or give --yes")
    _local(stack.reset)
    output.out.print("the local services are empty")


def _local(action: Any) -> Any:
    from local_sagemaker.errors import LocalError

    try:
        return action(local_settings(_load()))
    except LocalError as error:
        raise UserError(str(error)) from None


def _print_status(found: Configuration) -> None:
    from local_sagemaker import stack

    state = stack.status(local_settings(found))
    for service in state["services"]:
        health = "healthy" if service["healthy"] else "not running"
        output.out.print(f"{service['name']:16} {service['url']:24} {health}", markup=False)
    output.out.print(f"{'data':16} {state['root']}", markup=False)


@app.command()
def ui(on: On = "local") -> None:
    """Open MLflow's pages with every run of the pipeline.

    Example: retrain ui
    """
    from retraining import pages

    found = _load()
    enter(on, found, output.note)
    pages.serve(found, on)
