"""Ctrl-C, SIGTERM and SIGHUP end a command at once, with the processes that it started.

A signal is a KeyboardInterrupt in the main thread, which puts things in order. That alone is not enough: a
library may be at work outside Python, other threads are waited for at the end, and some code swallows the
exception. So a thread ends the process where the main thread has not done so within `PATIENCE`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 0.6  # seconds

_SHOW_CURSOR = b"\x1b[?25h"
_received: int | None = None
_is_held = False
_groups: set[int] = set()


def install() -> None:
    """Take the signals; to be called in the main thread before anything that takes time."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _interrupt)
    sys.unraisablehook = _say_unless_received
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()


def take_back() -> None:
    """Take the signals again, from a library that was just imported.

    polars, which MLflow imports, lets the system continue a wait that SIGINT interrupts.
    """
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, _interrupt)


def received() -> bool:
    """Whether a signal asked the command to end."""
    return _received is not None


def end(words: str = "interrupted") -> None:
    """End the process and what it started, with one line and the exit code that shells give."""
    _kill(*_groups)
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, _SHOW_CURSOR)
        os.write(2, f"{words}\n".encode(errors="backslashreplace"))
    os._exit(128 + (_received or signal.SIGINT))


class Threads(ThreadPoolExecutor):
    """A pool whose threads are not waited for when the command is interrupted."""

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        is_interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.shutdown(wait=not is_interrupted, cancel_futures=is_interrupted)


@contextlib.contextmanager
def started(words: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process in a session of its own; at the end it is killed, and with it all that it started.

    `options` are those of ``subprocess.Popen``.
    """
    import subprocess

    with contextlib.ExitStack() as at_end:
        with _held():
            process = subprocess.Popen(words, start_new_session=True, **options)
            _groups.add(process.pid)
            at_end.callback(_stop, process)
        yield process


def _stop(process: subprocess.Popen[Any]) -> None:
    _kill(process.pid)
    process.wait()
    _groups.discard(process.pid)


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Within it no exception is raised: a process that was just started would stay unknown."""
    global _is_held
    _is_held = True
    try:
        yield
    finally:
        _is_held = False
    if received():
        raise KeyboardInterrupt


def _interrupt(number: int, _frame: FrameType | None) -> None:
    global _received
    if _received is None:  # a second signal must not disturb what the first has begun
        _received = number
        if not _is_held:
            raise KeyboardInterrupt


def _say_unless_received(unraisable: Any) -> None:
    """The exception may be raised where Python can only print it: the thread ends the process then."""
    if not received():
        sys.__unraisablehook__(unraisable)


def _watch(reading: int) -> None:
    while True:
        for number in os.read(reading, 64):
            # `retrain local run` passes signals on while its program runs.
            if signal.getsignal(number) is _interrupt:
                time.sleep(PATIENCE)
                _end_for(number)


def _end_for(number: int) -> None:
    global _received
    _received = _received or number
    end()


def _kill(*groups: int) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def flush() -> None:
    """Write out what is printed; a closed pipe is no concern of a command that was interrupted."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
