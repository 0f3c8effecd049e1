"""How a job ends when it cannot do its work: one line for people, a reason file for SageMaker, exit code 1.

SageMaker shows `/opt/ml/output/failure` (training) and `/opt/ml/output/message` (processing) as the job's
reason. `training.run` and `processing.run` write them.
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
_IN_THE_WAY = "move it out of the way"
ADVICE = {
    errno.ENOSPC: _NO_ROOM, errno.EDQUOT: _NO_ROOM, errno.EFBIG: _NO_ROOM,
    errno.EACCES: _NO_RIGHT, errno.EPERM: _NO_RIGHT, errno.EROFS: _NO_RIGHT,
    errno.ENAMETOOLONG: "shorten its name",
    errno.EEXIST: _IN_THE_WAY, errno.EISDIR: _IN_THE_WAY, errno.ENOTDIR: _IN_THE_WAY,
}  # fmt: skip


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser whose complaints are `InputError`s, so that they reach the reason file too."""

    def __init__(self, description: str | None = None) -> None:
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"arguments: {message} (known: {', '.join(self._known())})")

    def _known(self) -> list[str]:
        return [action.option_strings[0] for action in self._actions if action.dest not in ("help", "base")]


def base_folder(argv: list[str]) -> Path | None:
    """The value of `--base` in argv, read before all other arguments: it says where the reason file is."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--base", nargs="?", type=Path)
    base: Path | None = parser.parse_known_args(argv)[0].base
    return base


def run(work: Callable[[], None], reason_file: Path | None = None) -> int:
    """Do the work; return the exit code.

    An `InputError`, or a file that the system refuses, becomes one line `Error: ...` on stderr and in
    reason_file, without a traceback. Any other exception keeps its traceback in the log, and its first line
    goes to reason_file.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a file may not be UTF-8
    try:
        if reason_file:
            reason_file.unlink(missing_ok=True)
        work()
    except Exception as error:
        known = error if isinstance(error, InputError) else _refused(error, reason_file)
        if known is None:
            traceback.print_exc()
        text = str(known) if known else f"unexpected {type(error).__name__}: {error}"
        _tell(f"Error: {' '.join(text.split())}", reason_file)
        return 1
    return 0


def _refused(error: Exception, reason_file: Path | None) -> InputError | None:
    """The file that the system refused, and what to do; None where room and rights are not the cause.

    An error of a full disk does not name the file: the line names the job's folder then.
    """
    if not isinstance(error, OSError) or error.errno not in ADVICE:
        return None
    where = error.filename if isinstance(error.filename, str) else None
    place = where or (reason_file.parent.parent if reason_file else Path.cwd())
    return InputError(f"{place}: cannot be opened or written ({error.strerror}); {ADVICE[error.errno]}")


def _tell(line: str, reason_file: Path | None) -> None:
    print(line, file=sys.stderr, flush=True)
    if reason_file is None:
        return
    try:
        reason_file.parent.mkdir(parents=True, exist_ok=True)
        reason_file.write_text(line + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print(f"Warning: could not write {reason_file}: {error.strerror}", file=sys.stderr)
