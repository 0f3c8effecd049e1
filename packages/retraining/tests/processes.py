"""The processes that a test starts, found by a mark in their environment."""

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def leave_nothing() -> Iterator[str]:
    """A text for the environment of what a test starts; nothing that has it is left at the end."""
    mark = uuid.uuid4().hex
    try:
        yield mark
    finally:
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """The processes that have it, without the local services, which outlive a command."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            has_it = mark.encode() in (folder / "environ").read_bytes()
            if has_it and b"local_sagemaker" not in (folder / "cmdline").read_bytes():
                pids.append(int(folder.name))
    return pids


def page_servers(root: Path) -> list[int]:
    """The servers of MLflow's pages of the project in `root`; they get no variables of the user's shell."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if b"mlflow_server" in words and os.fsencode(root) in words:
                pids.append(int(folder.name))
    return pids
