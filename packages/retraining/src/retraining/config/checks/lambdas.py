"""The project's Lambda functions: their files hold what AWS Lambda calls."""

import ast
from collections.abc import Iterator
from pathlib import Path

from retraining.config.schema.aws_names import CHAMPION
from retraining.config.schema.model import Unit
from retraining.errors import seen


def check(root: Path, unit: Unit) -> Iterator[tuple[tuple[str, ...], str]]:
    """Places below the unit, and what is wrong there."""
    function = unit.lambda_
    if function is not None and function.entry_point is not None:
        yield from _check_file(root, function.entry_point, function.handler, ("lambda", "entry_point"))
    if unit.gate is not None and unit.gate.champion is not None:
        yield from _check_file(root, CHAMPION, "handler", ("gate", "champion"))


def _check_file(
    root: Path, entry_point: str, handler: str, place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    path = root / "lambdas" / entry_point
    if not path.is_file():
        yield place, f"no file {entry_point!r} in lambdas"
        return
    try:
        names = set(_names(ast.parse(path.read_bytes())))
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        yield place, f"lambdas/{entry_point}{line}: not valid Python"
        return
    if handler not in names:
        yield place, f"lambdas/{entry_point} has no function {seen(handler)} at its top"


def _names(module: ast.Module) -> Iterator[str]:
    """What a module defines at its top, also where it imports it or tries to."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        else:
            stored = (item for item in ast.walk(node) if isinstance(item, ast.Name | ast.FunctionDef))
            yield from (item.id if isinstance(item, ast.Name) else item.name for item in stored)
