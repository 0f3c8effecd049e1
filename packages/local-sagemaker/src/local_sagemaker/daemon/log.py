"""The log of a daemon, which may be on a full disk."""

import contextlib
import io
import os
import sys

_OUTPUT = 2


class _Log(io.TextIOBase):
    """Text to standard error, as much of it as can be written: nothing fails because of what it says."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            os.write(_OUTPUT, text.encode(errors="replace"))
        return len(text)


def install() -> None:
    """Let what this process prints never be an error: a traceback on a full disk would hide its cause."""
    sys.stdout = sys.stderr = _Log()
