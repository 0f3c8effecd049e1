"""The command ``local-sagemaker``."""

import argparse
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import programs, stack

REGION = "us-east-1"
ACCOUNT = "111122223333"
SAGEMAKER_PORT = 8571
AWS_PORT = 8572

_EPILOG = """\
variables:
  LOCAL_SAGEMAKER_HOME    the folder that holds everything; ./.local without it
  LOCAL_SAGEMAKER_PORT    the port of SageMaker's API; 8571 without it
  LOCAL_AWS_PORT          the port of S3, Lambda and the other services; 8572 without it
  AWS_REGION, AWS_DEFAULT_REGION
                          the region, read when the services start; us-east-1 without them
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LocalError(f"{message}; `{self.prog} --help` shows how it is used")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. What a user can cause is one line on standard error and exit code 2."""
    try:
        sys.exit(_main(sys.argv[1:] if arguments is None else arguments))
    except LocalError as error:
        for line in str(error).splitlines():
            print(f"local-sagemaker: {line}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"local-sagemaker: the folder of the local services cannot be used: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _main(arguments: Sequence[str]) -> int:
    parser = _parser()
    if not arguments:
        parser.print_help()
        return 2
    given = vars(parser.parse_args(arguments))
    result: int = given.pop("action")(**given)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="local-sagemaker",
        description="Amazon SageMaker's API on this machine, for any program: no AWS account, no Docker.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, action: Any, words: str, **more: Any) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.", **more)
        command.set_defaults(action=action)
        return command

    up = add("up", _up, "start the local services")
    up.add_argument(
        "--python", metavar="PATH", help="the Python that jobs run with; without it, this command's own"
    )
    add("down", _down, "stop the local services; what they hold stays")
    status = add("status", _status, "say whether the local services run, and where")
    status.add_argument("--json", action="store_true", help="print one JSON object")
    reset = add("reset", _reset, "stop the local services and remove all that they hold")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    env = add("env", _env, "print the variables that clients need, as lines for the shell")
    env.add_argument("--json", action="store_true", help="print one JSON object")
    run = add(
        "run",
        _run,
        "run a program with these variables; start the services when they are down",
        usage="local-sagemaker run -- COMMAND ...",
        epilog="The exit code is the program's; 128 + n after signal n; 127 when there is no such program.",
    )
    run.add_argument(
        "words", metavar="COMMAND", nargs=argparse.REMAINDER, help="the program and its arguments"
    )
    return parser


def _settings(python: Path | None = None) -> Settings:
    """What the variables ask for; what they do not say is as the services run now, or as usual.

    Raises:
        LocalError: a variable is no port, both ports are the same, or the folder is that of other programs.
    """
    folder = Path(os.environ.get("LOCAL_SAGEMAKER_HOME") or ".local")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION
    usual = Settings(
        root=folder,
        region=region,
        account=ACCOUNT,
        bucket=f"sagemaker-{region}-{ACCOUNT}",  # as the SageMaker SDK calls its default bucket
        sagemaker_port=SAGEMAKER_PORT,
        aws_port=AWS_PORT,
    )
    if usual.root == Path(os.path.expanduser("~/.local")):
        raise LocalError(
            f"{usual.root} belongs to other programs as well: run this in the folder of your project"
        )
    settings = stack.running(usual.root) or usual
    settings = dataclasses.replace(
        settings,
        sagemaker_port=stack.port("LOCAL_SAGEMAKER_PORT", settings.sagemaker_port),
        aws_port=stack.port("LOCAL_AWS_PORT", settings.aws_port),
        python=python or settings.python,
    )
    if settings.sagemaker_port == settings.aws_port:
        raise LocalError(
            f"LOCAL_SAGEMAKER_PORT and LOCAL_AWS_PORT ask for the same port, {settings.aws_port}: give them"
            " different ones"
        )
    return settings


def _note(line: str) -> None:
    print(line, file=sys.stderr)


def _up(python: str | None) -> int:
    path = None
    if python is not None:
        from local_sagemaker.container import interpreters

        path = Path(shutil.which(python) or python).absolute()
        interpreters.interpreter(path)  # an error now, not in every job
    settings = _settings(path)
    stack.up(settings, _note)
    _print_status(settings)
    return 0


def _down() -> int:
    was_running = stack.down(_settings())
    print("the local services are stopped" if was_running else "the local services were not running")
    return 0


def _status(json: bool) -> int:
    settings = _settings()
    if json:
        _print_json(stack.status(settings))
    else:
        _print_status(settings)
    return 0


def _reset(yes: bool) -> int:
    settings = _settings()
    question = f"Remove all pipelines, executions, jobs, models and S3 objects in {settings.root}? [y/N] "
    if not yes and not (sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")):
        raise LocalError("nothing was removed: answer y, or give --yes")
    stack.reset(settings)
    print("the local services are empty")
    return 0


def _env(json: bool) -> int:
    variables = programs.environment(_settings())
    if json:
        _print_json(variables)
    else:
        print(programs.exports(variables))
    return 0


def _run(words: list[str]) -> int:
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise LocalError("run: the COMMAND is missing, as in `local-sagemaker run -- python pipeline.py`")
    return programs.run(_settings(), words, _note)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


def _print_status(settings: Settings) -> None:
    state = stack.status(settings)
    for service in state["services"]:
        health = "healthy" if service["healthy"] else "not running"
        print(f"{service['name']:10} {service['url']:24} {health}")
    print(f"{'data':10} {state['root']}")
    if state["running"]:
        print('for clients in this shell: eval "$(local-sagemaker env)"')
