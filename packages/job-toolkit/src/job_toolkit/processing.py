"""A processing job: its arguments, and how it ends.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

import sys
from collections.abc import Callable
from pathlib import Path

from job_toolkit import failure

BASE = Path("/opt/ml/processing")


def parser(description: str | None) -> failure.ArgumentParser:
    """A parser that knows `--base`: the folder with `input/` and `output/`, in place of SageMaker's."""
    made = failure.ArgumentParser(description)
    made.add_argument("--base", type=Path, default=BASE, help="folder with input/ and output/")
    return made


def run(main: Callable[[list[str]], None], argv: list[str] | None = None) -> int:
    """Call main with the arguments, by default the command line's; return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    base = failure.base_folder(arguments) or BASE
    return failure.run(lambda: main(arguments), base.parent / "output" / "message")
