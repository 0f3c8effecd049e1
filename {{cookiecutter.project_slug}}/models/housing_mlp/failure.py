"""How a job ends when it cannot do its work: one line for people, a reason file for SageMaker, exit code 1.

SageMaker shows `/opt/ml/output/failure` (training) and `/opt/ml/output/message` (processing) as the job's
reason.
"""

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class InputError(Exception):
    """Something that the user of a job can put right: one line with what, where, and what to do."""


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser whose complaints are `InputError`s, so that they reach the reason file too."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"arguments: {message} (known: {', '.join(self._known())})")

    def _known(self) -> list[str]:
        return [action.option_strings[0] for action in self._actions if action.dest not in ("help", "base")]


def base_folder(argv: list[str]) -> Path | None:
    """The value of `--base` in argv, read before all other arguments: it says where the reason file is."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--base", nargs="?", type=Path)
    return parser.parse_known_args(argv)[0].base


def run(work: Callable[[], None], reason_file: Path) -> int:
    """Do the work; return the exit code.

    An `InputError` becomes one line `Error: ...` on stderr and in reason_file, without a traceback. Any other
    exception keeps its traceback in the log, and its first line goes to reason_file.
    """
    reason_file.unlink(missing_ok=True)
    try:
        work()
    except InputError as error:
        _report(f"Error: {_one_line(str(error))}", reason_file)
        return 1
    except Exception as error:
        traceback.print_exc()
        _report(f"Error: unexpected {type(error).__name__}: {_one_line(str(error))}", reason_file)
        return 1
    return 0


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _report(line: str, reason_file: Path) -> None:
    print(line, file=sys.stderr, flush=True)
    try:
        reason_file.parent.mkdir(parents=True, exist_ok=True)
        reason_file.write_text(line + "\n")
    except OSError as error:
        print(f"Warning: could not write {reason_file}: {error}", file=sys.stderr)
