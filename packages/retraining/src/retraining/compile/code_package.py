"""The code that one job gets: its entry points and what they import, nothing else.

A job's cache key holds its code. With only what the entry point reaches in the package, a change
of evaluate.py leaves the training step's cache valid.
"""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from retraining.errors import UserError

_CONFIGURATION = re.compile(rb"^conf:", re.MULTILINE)


def files(source_directory: Path, *entry_points: str) -> list[Path]:
    """Paths relative to `source_directory`: the entry points, the modules of that folder that they
    import, directly or not, and every file that is not Python (schemas, requirements.txt).

    Raises:
        UserError: a module on the way is not valid Python.
    """
    found: set[Path] = set()
    waiting = [Path(entry_point) for entry_point in entry_points]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(_local_imports(source_directory, module))
    data = {
        path.relative_to(source_directory)
        for path in source_directory.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and not _is_configuration(path)
    }
    return sorted(found | {path for path in data if not any(part.startswith(".") for part in path.parts)})


def _is_configuration(path: Path) -> bool:
    """A model's file or overlay: no job reads it, and a change of it changes no code."""
    return path.suffix in (".yaml", ".yml") and _CONFIGURATION.search(path.read_bytes()) is not None


def stage(source_directory: Path, target: Path, *entry_points: str) -> None:
    """Copy the package into the new folder `target`; modes and times are the same on every machine."""
    for path in files(source_directory, *entry_points):
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
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = (
                [*module.parent.parts[: len(module.parent.parts) - (node.level - 1)]] if node.level else []
            )
            base = ".".join([*package, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" if base else alias.name for alias in node.names)]
    return [path for name in names for path in _module_files(root, module, name)]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a node: imports are statements, and walking expressions takes long."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        inner = getattr(node, block, None)
        for statement in inner if isinstance(inner, list) else ():
            yield statement
            yield from _statements(statement)


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
