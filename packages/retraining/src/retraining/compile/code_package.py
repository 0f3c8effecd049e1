"""The code that one job gets: its entry points and what they import, nothing else.

A job's cache key holds its code. With only what the entry point reaches in the package, a change
of evaluate.py leaves the training step's cache valid. SageMaker's images do not have the package
`job_toolkit`: the modules of it that a script reaches go into the package as well.
"""

import re
import shutil
from pathlib import Path

from job_toolkit import imports
from retraining.errors import UserError

_CONFIGURATION = re.compile(rb"^conf:", re.MULTILINE)


def files(source_directory: Path, *entry_points: str) -> dict[Path, Path]:
    """Files by their paths in the package: the entry points, the modules of that folder and of
    `job_toolkit` that they import, directly or not, and every file that is not Python (schemas,
    requirements.txt).

    Raises:
        UserError: a module on the way is not valid Python.
    """
    try:
        modules = imports.reached(source_directory, *entry_points)
    except SyntaxError as error:
        raise UserError(f"{error.filename}:{error.lineno}: not valid Python: {error.msg}") from None
    except ValueError as error:  # as of a file with null bytes
        raise UserError(f"{source_directory}: {', '.join(entry_points)}: not valid Python: {error}") from None
    data = {
        path.relative_to(source_directory): path
        for path in source_directory.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and not _is_configuration(path)
    }
    kept = {path: file for path, file in data.items() if not any(part.startswith(".") for part in path.parts)}
    return dict(sorted((modules | kept).items()))


def _is_configuration(path: Path) -> bool:
    """A model's file or overlay: no job reads it, and a change of it changes no code."""
    return path.suffix in (".yaml", ".yml") and _CONFIGURATION.search(path.read_bytes()) is not None


def stage(source_directory: Path, target: Path, *entry_points: str) -> None:
    """Copy the package into the new folder `target`; modes and times are the same on every machine."""
    for path, file in files(source_directory, *entry_points).items():
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
