"""``python -m local_sagemaker``: the command, and the processes behind it that `stack.up` starts.

``serve`` is SageMaker's API, ``aws`` the other services, which ``serve`` starts as its child. ``serve`` reads
the variables for pip from its standard input, as a JSON object.
"""

import argparse
import json
import sys
from pathlib import Path

from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings


def main() -> None:
    match sys.argv[1:]:
        case ["serve", *arguments]:
            _serve(arguments)
        case ["aws", parent, port, command, root]:
            from local_sagemaker.daemon import ministack

            ministack.run(int(parent), int(port), command, Path(root))
        case _:
            from local_sagemaker import cli

            cli.main()


def _serve(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m local_sagemaker serve")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--account", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--sagemaker-port", type=int, required=True)
    parser.add_argument("--aws-port", type=int, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--hidden", action="append", default=[], metavar="DISTRIBUTION")
    parser.add_argument("--variables", action="append", default=[], metavar="NAME=VALUE")
    given = vars(parser.parse_args(arguments))
    given["hidden"] = tuple(given["hidden"])
    given["variables"] = dict(text.split("=", 1) for text in given["variables"])
    given["pip_variables"] = json.loads(sys.stdin.read() or "{}")
    from local_sagemaker.daemon.server import serve

    try:
        serve(Settings(**given))
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
