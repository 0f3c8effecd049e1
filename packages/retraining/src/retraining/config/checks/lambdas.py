"""The project's Lambda functions: their files hold what AWS Lambda calls."""

import ast
from collections.abc import Iterator
from pathlib import Path

from retraining.config.files.problems import Problems
from retraining.config.schema.aws_names import CHAMPION
from retraining.config.schema.model import Model
from retraining.errors import Location, seen


def check_functions(problems: Problems, root: Path, model: Model) -> None:
    function = model.lambda_
    if function is not None and function.entry_point is not None:
        _check_file(problems, ("lambda", "entry_point"), root, function.entry_point, function.handler)
    if model.gate is not None and model.gate.champion is not None:
        _check_file(problems, ("gate", "champion"), root, CHAMPION, "handler")


def _check_file(problems: Problems, key: Location, root: Path, entry_point: str, handler: str) -> None:
    path = root / "lambdas" / entry_point
    if not path.is_file():
        problems.add(key, f"no file {entry_point!r} in lambdas")
        return
    try:
        names = set(_names(ast.parse(path.read_bytes())))
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        problems.add(key, f"lambdas/{entry_point}{line}: not valid Python")
        return
    if handler not in names:
        words = f"lambdas/{entry_point} has no function {seen(handler)} at its top"
        problems.add(key, words, ("lambda", "handler"))


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
