"""The code that one job gets: its entry point and what it imports, nothing else.

A job's cache key holds its code. With only what the entry point reaches in the package, a change
of evaluate.py leaves the training step's cache valid.
"""

import ast
import shutil
from pathlib import Path

from retraining.errors import UserError

_LEFT_OUT = {"conf.yaml"}


def files(source_directory: Path, entry_point: str) -> list[Path]:
    """Paths relative to `source_directory`: the entry point, the modules of that folder that it
    imports, directly or not, and every file that is not Python (schemas, requirements.txt).

    Raises:
        UserError: a module on the way is not valid Python.
    """
    found: set[Path] = set()
    waiting = [Path(entry_point)]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(_local_imports(source_directory, module))
    data = {
        path.relative_to(source_directory)
        for path in source_directory.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name not in _LEFT_OUT
    }
    return sorted(found | {path for path in data if not any(part.startswith(".") for part in path.parts)})


def stage(source_directory: Path, entry_point: str, target: Path) -> None:
    """Copy the package into the new folder `target`; modes and times are the same on every machine."""
    for path in files(source_directory, entry_point):
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source_directory / path, copy)


def _local_imports(root: Path, module: Path) -> list[Path]:
    source = root / module
    try:
        tree = ast.parse(source.read_bytes(), filename=str(source))
    except SyntaxError as error:
        raise UserError(f"{source}:{error.lineno}: not valid Python: {error.msg}") from None
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = (
                [*module.parent.parts[: len(module.parent.parts) - (node.level - 1)]] if node.level else []
            )
            base = ".".join([*package, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" if base else alias.name for alias in node.names)]
    return [path for name in names for path in _module_files(root, module, name)]


def _module_files(root: Path, importer: Path, name: str) -> list[Path]:
    """Files of a dotted name, looked for beside the entry point and beside the importing module."""
    parts = name.split(".")
    found = []
    for start in {Path(), importer.parent}:
        for length in range(1, len(parts) + 1):
            stem = start.joinpath(*parts[:length])
            for path in (stem.with_suffix(".py"), stem / "__init__.py"):
                if (root / path).is_file():
                    found.append(path)
    return found
