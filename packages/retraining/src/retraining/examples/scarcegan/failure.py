"""How a job ends when it cannot do its work: one line for people, a reason file for SageMaker, exit code 1.

SageMaker shows `/opt/ml/output/failure` (training) and `/opt/ml/output/message` (processing) as the job's
reason.
"""

import argparse
import errno
import io
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class InputError(Exception):
    """Something that the user of a job can put right: one line with what, where, and what to do."""


_NO_ROOM = "make room, or give the job a larger volume"
_NO_RIGHT = "give the job the right to it"
_IN_THE_WAY = "move away what lies there"
ADVICE = {
    errno.ENOSPC: _NO_ROOM, errno.EDQUOT: _NO_ROOM, errno.EFBIG: _NO_ROOM,
    errno.EACCES: _NO_RIGHT, errno.EPERM: _NO_RIGHT, errno.EROFS: _NO_RIGHT,
    errno.ENAMETOOLONG: "shorten its name",
    errno.EEXIST: _IN_THE_WAY, errno.EISDIR: _IN_THE_WAY, errno.ENOTDIR: _IN_THE_WAY,
}  # fmt: skip


def refused(error: Exception, folder: Path) -> InputError | None:
    """The file that the system refused, and what to do; None where it is no matter of room or rights.

    An error of a full disk does not say which file it met: the line says `folder` then.
    """
    if not isinstance(error, OSError) or error.errno not in ADVICE:
        return None
    where = error.filename if isinstance(error.filename, str) else folder
    return InputError(f"{where}: cannot be opened or written ({error.strerror}); {ADVICE[error.errno]}")


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

    An `InputError`, or a file that the system refuses, becomes one line `Error: ...` on stderr and in
    reason_file, without a traceback. Any other exception keeps its traceback in the log, and its first line
    goes to reason_file.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a file may be no UTF-8
    try:
        reason_file.unlink(missing_ok=True)
        work()
    except Exception as error:
        known = error if isinstance(error, InputError) else refused(error, reason_file.parent.parent)
        if known is None:
            traceback.print_exc()
        text = str(known) if known else f"unexpected {type(error).__name__}: {error}"
        _report(f"Error: {_one_line(text)}", reason_file)
        return 1
    return 0


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _report(line: str, reason_file: Path) -> None:
    print(line, file=sys.stderr, flush=True)
    try:
        reason_file.parent.mkdir(parents=True, exist_ok=True)
        reason_file.write_text(line + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print(f"Warning: could not write {reason_file}: {error.strerror}", file=sys.stderr)
