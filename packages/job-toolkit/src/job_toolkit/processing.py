"""A processing job: its arguments, the files of its inputs, and how it ends.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from job_toolkit import failure
from job_toolkit.failure import InputError

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


def files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The data files below an input's folder, sorted; suffixes count in any case.

    Raises InputError for any other file that is not left behind, as nobody would miss its rows, and where
    there is no data file.
    """
    kinds = ", ".join(suffixes)
    data: list[Path] = []
    for path in sorted(path for path in folder.glob("**/*") if path.is_symlink() or not path.is_dir()):
        if is_left_behind(path, folder):
            continue
        if not path.is_file():
            raise InputError(f"{path}: is a link to a folder or to nothing; put the file there")
        if not path.name.lower().endswith(tuple(suffixes)):
            raise InputError(f"{path}: is no {kinds} file; convert it, or move it away")
        data.append(path)
    if not data:
        raise InputError(f"channel {folder.name}: no {kinds} file in {folder}")
    return data


def is_left_behind(path: Path, folder: Path) -> bool:
    """Whether a file below `folder` is no data for Hadoop and Spark either.

    That is what begins with "." or "_", or is in a folder that does (_SUCCESS, _temporary/0/part.csv), and
    the empty marker of a folder (sales_$folder$).
    """
    is_hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    return is_hidden or (not path.suffix and path.is_file() and not path.stat().st_size)
