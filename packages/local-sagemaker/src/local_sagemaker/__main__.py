"""``python -m local_sagemaker serve --root ...``: the daemon that `stack.up` starts."""

import argparse
import sys
from pathlib import Path

from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local_sagemaker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the SageMaker API and the AWS services beside it")
    serve.add_argument("--root", type=Path, required=True)
    serve.add_argument("--region", required=True)
    serve.add_argument("--account", required=True)
    serve.add_argument("--bucket", required=True)
    serve.add_argument("--sagemaker-port", type=int, required=True)
    serve.add_argument("--aws-port", type=int, required=True)
    serve.add_argument("--python", type=Path, default=Path(sys.executable))
    aws = commands.add_parser("aws", help="serve the AWS services alone, as long as a parent lives")
    aws.add_argument("parent", type=int)
    aws.add_argument("root", type=Path)
    arguments = vars(parser.parse_args())
    if arguments.pop("command") == "aws":
        from local_sagemaker.daemon import ministack

        ministack.run(arguments["parent"], arguments["root"])
        return
    from local_sagemaker.daemon.server import serve as run

    try:
        run(Settings(**arguments))
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
