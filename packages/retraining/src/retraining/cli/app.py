"""The command `retrain`."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from retraining import console
from retraining.cli.data import data
from retraining.cli.local import local_app
from retraining.cli.models import models_app
from retraining.cli.options import (
    ENVIRONMENT,
    Json,
    Model,
    On,
    Only,
    Start,
    entered_outline,
    global_options_first,
    load,
)
from retraining.cli.plan import graph, plan
from retraining.cli.runs import runs_app
from retraining.cli.scaffold import new_model, remove_model
from retraining.cli.schedule import schedule_app
from retraining.config.checks.platform import installed
from retraining.errors import Problem, UserError
from retraining.runs import interruption


class _Interruptible(TyperGroup):
    """Ctrl-C in a command goes up to `main`: typer would end it silently."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as error:
            raise _Interrupted(str(error) or "interrupted") from None


class _Interrupted(Exception):
    pass


app = typer.Typer(
    cls=_Interruptible,
    help="Retrain models, inspect them and decide on them: on this machine, or in AWS.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models_app, name="models")
app.add_typer(local_app, name="local")
app.add_typer(schedule_app, name="schedule")
app.add_typer(runs_app, name="runs")


def main() -> None:
    """Entry point: a UserError is a line per problem on stderr and exit code 2, Ctrl-C one line and 130."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the terminal may lack characters
    try:
        try:
            app(global_options_first(sys.argv[1:]))
        finally:
            sys.stdout.flush()  # here, where a closed pipe is handled
    except _Interrupted as error:
        interruption.flush()
        interruption.end(str(error))
    except BaseException as error:
        if interruption.received():  # whatever a library has made of it
            interruption.flush()
            interruption.end()
        if not isinstance(error, Exception):
            raise
        _end(error)


def _end(error: Exception) -> NoReturn:
    try:
        sys.stdout.flush()
    except OSError:  # what is left cannot be written at the end either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        sys.exit(1)
    problems = _problems(error)
    if not problems or "RETRAIN_DEBUG" in os.environ:
        raise error
    for line in (line for problem in problems for line in str(problem).splitlines()):
        console.error(line)
    sys.exit(2)


def _problems(error: Exception) -> tuple[Problem | str, ...]:
    """What a person can do something about; empty for a bug."""
    if isinstance(error, UserError):
        return error.problems
    if isinstance(error, RecursionError):
        return (f"something nests too deeply: {error}; `retrain --debug ...` shows where",)
    if isinstance(error, OSError) and error.strerror:  # a folder that is read-only, a disk that is full
        where = " and ".join(repr(str(name)) for name in (error.filename, error.filename2) if name)
        words = f"{where}: {error.strerror}" if where else error.strerror
        return (f"{words}; `retrain --debug ...` shows what needed it",)
    if "botocore" not in sys.modules:  # importing it takes longer than most commands
        return ()
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

    if isinstance(error, ClientError):
        return (f"{error.operation_name}: {error.response['Error'].get('Message', error)}",)
    if isinstance(error, EndpointConnectionError):
        return (f"{error}: if these are the local services, the same command starts them again",)
    return (f"AWS: {error}",) if isinstance(error, BotoCoreError) else ()


def _print_versions(is_asked: bool) -> None:
    if is_asked:
        for name, version in installed().items():
            console.plain_line(f"{name} {version}")
        raise typer.Exit


@app.callback()
def _options(
    project: Annotated[Path, typer.Option("--project", help="The project's folder.")] = Path(),
    environment: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Lay conf/NAME.yaml over the configuration.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the installed versions.", is_eager=True, callback=_print_versions
        ),
    ] = False,
) -> None:
    if debug:
        os.environ["RETRAIN_DEBUG"] = "1"
    if environment is not None:
        os.environ[ENVIRONMENT] = environment
    if project != Path():
        if not project.is_dir():
            raise UserError(f"--project: no folder {str(project)!r}")
        os.chdir(project)


@app.command()
def check(json: Json = False) -> None:
    """Check the configuration and list its parameters.

    It calls neither AWS nor the local services.

    Example: retrain check
    """
    from retraining.drawing.graph import graph_of

    configuration = load()
    name, parameters = configuration.pipeline.pipelineName, configuration.parameters
    steps = list(graph_of(configuration).nodes)
    if json:
        console.print_json({"pipeline": name, "steps": steps, "parameters": list(parameters)})
    else:
        # Without rich, which takes longer to load than the configuration to check.
        console.plain_line(
            f"{name}: ok ({console.counted(steps, 'step')}, {console.counted(parameters, 'parameter')})"
        )
        for note in configuration.notes:
            console.note(note)
        width = max(map(len, parameters), default=0)
        for name, parameter in parameters.items():
            default = str(parameter.default)
            if parameter.type == "Boolean":
                default = default.lower()
            console.plain_line(f"  {name:{width}}  {default}".rstrip())


@app.command()
def definition(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
) -> None:
    """Compile the pipeline definition and print it.

    It needs no credentials and no network, and has no side effects.

    Example: retrain definition --out pipeline.json
    """
    from retraining.compile.definition import compile_pipeline

    text = compile_pipeline(load()).text
    if out is None:
        print(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None
    console.plain_line(f"wrote {out}")


app.command()(graph)
app.command()(plan)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(data)
app.command("new-model")(new_model)
app.command("remove-model")(remove_model)


@app.command()
def run(
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="A pipeline parameter; repeatable.")
    ] = None,
    model: Model = None,
    start: Start = None,
    only: Only = None,
    on: On = "local",
) -> None:
    """Run the pipeline, or a part of it, and wait for it.

    --model, --from and --only choose the steps.

    Example: retrain run --param Epochs=10 --param Leeway=0.2
    Example: retrain run --from Train --param Epochs=10
    """
    from retraining.cli import run_report
    from retraining.cli.run import NotSucceeded, run_pipeline
    from retraining.runs.selection import Choice

    configuration = load()
    try:
        result = run_pipeline(configuration, on, param or [], Choice(model, start, tuple(only or ())))
    except NotSucceeded as failed:
        run_report.show_failed(configuration, failed.result)
        raise
    run_report.show(configuration, result)


@app.command()
def stop(
    execution: Annotated[str | None, typer.Argument(help="Its id; without it, all that are running.")] = None,
    on: On = "local",
) -> None:
    """Stop running executions.

    Example: retrain stop
    """
    import boto3

    from retraining.runs import executions

    pipeline = entered_outline(on).pipeline_name
    running = executions.arns(pipeline, executions.RUNNING)
    chosen = [arn for arn in running if execution in (None, arn, arn.rsplit("/", 1)[-1])]
    if not chosen:
        raise UserError(f"no execution {execution + ' ' if execution else ''}is running")
    for arn in chosen:
        boto3.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn)
        console.line(f"stopping {arn.rsplit('/', 1)[-1]}")


@app.command()
def ui(on: On = "local") -> None:
    """Open MLflow's pages with every run of the pipeline.

    Example: retrain ui
    """
    from retraining.results import mlflow_ui

    mlflow_ui.serve(entered_outline(on), on)
