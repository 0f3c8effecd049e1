"""The folder that holds everything of the local services.

It is marked by the file ``LOCAL_SAGEMAKER``: a folder without that mark is never written to, let alone
removed. The version of what is in it is that of its database; see `store`.
"""

import os
from pathlib import Path

from local_sagemaker.core import store, tokens
from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings

MARKER = "LOCAL_SAGEMAKER"
_MARK = "This folder belongs to local-sagemaker; what you put here goes with the next reset.\n"


def prepare(settings: Settings) -> None:
    """Make the root, its token and its folders, or accept those that are there.

    Raises LocalError when the root is a foreign folder or what it holds cannot be read.
    """
    check(settings)
    make(settings.root)
    mark(settings.root)
    try:
        settings.root.chmod(0o700)  # earlier versions let everybody on this machine in
    except PermissionError as error:
        raise LocalError(
            f"{settings.root} belongs to another user: make it yours (chown), or move it away"
        ) from error
    tokens.make(settings.root)
    folders = (settings.jobs, settings.environments, settings.logs, settings.s3, settings.ministack_state)
    for folder in folders:
        folder.mkdir(exist_ok=True)


def make(root: Path) -> None:
    """Make the folder if it is not there. Raises LocalError when that, or writing to it, is forbidden."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"{root} cannot be made: {error.strerror}; the local services need it") from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise LocalError(f"{root} cannot be written: make it yours (chown), or move it away")


def mark(root: Path) -> None:
    """Say that the folder is ours, before anything else is in it: a start that is cut off leaves it so."""
    if not (root / MARKER).exists():
        (root / MARKER).write_text(_MARK)


def check(settings: Settings) -> None:
    """Raise LocalError unless the root is absent, empty, or ours and readable. Changes nothing."""
    if not is_ours(settings.root):
        return
    try:
        store.check(settings.database)
    except store.StateError as error:
        raise LocalError(
            f"{settings.database} {error}: run `{settings.command} reset` to start with an empty folder"
            " (its contents are removed)"
        ) from error


def is_ours(root: Path) -> bool:
    """True when `root` carries our mark, False when it is absent or empty.

    Raises LocalError for a folder that holds something else.
    """
    if root.is_symlink() and not root.exists():
        raise LocalError(f"{root} is a link to a folder that is not there: remove the link")
    if not root.exists():
        return False
    if not root.is_dir():
        raise LocalError(f"{root} is a file, and the local services need a folder there: move it away")
    if (root / MARKER).is_file():
        return True
    if any(root.iterdir()):
        raise LocalError(
            f"{root} holds files that the local services did not write (no file {MARKER} in it):"
            " move the folder away; nothing was touched"
        )
    return False
