"""Programs that use the local services: their environment, and running one in it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import stack

NOT_FOUND = 127  # exit codes as shells give them
NOT_RUNNABLE = 126
_BY_SIGNAL = 128

# The terminal sends these to the program as well, which decides what they mean.
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def environment(settings: Settings) -> dict[str, str | None]:
    """The variables that a program of this shell needs to use the running services.

    None is for a variable that the shell has and the program must not: it leads to AWS.

    Raises:
        LocalError: they do not run.
    """
    if not stack.settled(settings)["running"]:
        raise LocalError(f"the local services are not running: start them with `{settings.command} up`")
    return settings.changes(os.environ)


def exports(variables: Mapping[str, str | None]) -> str:
    """Lines that set and unset `variables` in a POSIX shell, by ``eval``."""
    return "\n".join(
        f"unset {name}" if value is None else f"export {name}={_quoted(value)}"
        for name, value in variables.items()
        if value is not None or name.isidentifier()  # a shell has no others, and must not run them
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"


def run(settings: Settings, words: Sequence[str], on_progress: Callable[[str], None] = lambda _: None) -> int:
    """Run a program against the services, which are started when they are down; its exit code.

    Standard input and output are the program's; SIGTERM and SIGHUP are passed on to it. As in a shell the
    code is 128 + n after signal n, 127 for a program that is not there and 126 for one that cannot be run,
    both with one line on standard error. To be called in the main thread.

    Raises:
        LocalError: the services do not start.
    """
    if shutil.which(words[0]) is None:
        exists = os.path.exists(words[0]) and os.sep in words[0]
        print(f"{words[0]}: {'cannot be run' if exists else 'no such program'}", file=sys.stderr)
        return NOT_RUNNABLE if exists else NOT_FOUND
    stack.up(settings, on_progress)
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # signals from before we know the program's process

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    earlier = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    earlier |= {number: signal.signal(number, lambda _number, _frame: None) for number in _FROM_TERMINAL}
    try:
        process = subprocess.Popen(words, env=settings.environment(os.environ))
        for number in early:
            process.send_signal(number)
        code = process.wait()
    except OSError as error:
        print(f"{words[0]}: cannot be run: {error.strerror}", file=sys.stderr)
        return NOT_RUNNABLE
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    return _BY_SIGNAL - code if code < 0 else code
