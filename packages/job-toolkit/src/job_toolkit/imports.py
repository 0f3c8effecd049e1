"""Which modules a script reaches, read from its import statements: nothing is imported.

A job's code archive holds these and no others, so that a change elsewhere leaves the job's cache valid.
Modules of this package come with it as `job_toolkit/<module>.py`: SageMaker's images do not have it.
"""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent


def reached(folder: Path, *entry_points: str) -> dict[Path, Path]:
    """The scripts and the modules that they import, directly or not: {path in an archive: file}.

    Modules are those in `folder`, and those of this package. Raises SyntaxError, with the file's name, where
    one is not valid Python.
    """
    files: dict[Path, Path] = {}
    waiting = [Path(entry_point) for entry_point in entry_points]
    while waiting:
        module = waiting.pop()
        if module not in files:
            files[module] = _file(folder, module) or folder / module
            waiting.extend(_imported(folder, module, files[module]))
    return dict(sorted(files.items()))


def copy(script: Path, target: Path) -> None:
    """Copy a script and all that it reaches into the folder `target`, for instance `code/` of a model."""
    for path, file in reached(script.parent, script.name).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / path)


def _file(folder: Path, path: Path) -> Path | None:
    """The file of a path in the archive: the folder's own goes before this package's."""
    own = PACKAGE.parent / path if path.parts[:1] == (PACKAGE.name,) else None
    return next((file for file in (folder / path, own) if file and file.is_file()), None)


def _imported(folder: Path, module: Path, file: Path) -> list[Path]:
    tree = ast.parse(file.read_bytes(), filename=str(file))
    names: list[str] = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module.parent.parts[: len(module.parent.parts) - (node.level - 1)] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" if base else alias.name for alias in node.names)]
    return [path for name in names for path in _module_paths(folder, module, name)]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a node: imports are statements, and walking expressions takes long."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        inner = getattr(node, block, None)
        for statement in inner if isinstance(inner, list) else ():
            yield statement
            yield from _statements(statement)


def _module_paths(folder: Path, importer: Path, name: str) -> list[Path]:
    """Paths of a dotted name, looked for next to the entry point and next to the importing module."""
    parts = name.split(".")
    imported = []
    for start in dict.fromkeys((Path(), importer.parent)):
        for length in range(1, len(parts) + 1):
            stem = start.joinpath(*parts[:length])
            paths = (stem.with_suffix(".py"), stem / "__init__.py")
            imported += [path for path in paths if _file(folder, path)]
    return imported
