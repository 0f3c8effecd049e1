"""The user's code in a model's folder: where it is, and how its errors are reported."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class ModelError(Exception):
    """The model cannot be served; one line that says what to do."""


def inside(folder: Path, code: str | None) -> Path:
    """The folder of the user's code: `code` where that is one, else ``code/`` of the model."""
    return Path(code) if code and os.path.isdir(code) else folder / "code"


def guarded(what: str, action: Callable[[], Any]) -> Any:
    """`action`, whose error ends the server: its traceback is printed, ModelError names `what`."""
    try:
        return action()
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        first = next(iter(str(error).strip().splitlines()), "")
        raise ModelError(f"{what}: {type(error).__name__}{': ' if first else ''}{first}") from error
