"""The project's programs are valid Python: scripts of jobs, Lambda functions, pipeline.py."""

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from job_toolkit import imports
from retraining.config.checks.step_problems import StepProblems
from retraining.config.files.problems import Problems
from retraining.config.schema.aws_names import CHAMPION, REGISTERING
from retraining.config.schema.model import Model
from retraining.config.schema.pipeline import Step
from retraining.errors import FileLine, Location, Problem, seen

_INFERENCE = "inference.py"


def check_scripts(problems: Problems, root: Path, model: Model) -> None:
    """Check the model's scripts and the modules that they import; a disabled model may be unfinished."""
    if model.disabled:
        return
    folder = root / model.source_directory
    jobs = (model.preprocess, model.train, model.evaluate, model.transform)
    names = [job.entry_point for job in jobs if job is not None and job.entry_point is not None]
    for name in dict.fromkeys([*names, _INFERENCE]):
        _check(problems, root, folder / name, partial(imports.reached, folder, name))


def check_pipeline_file(problems: Problems, root: Path) -> None:
    path = root / "pipeline.py"
    _check(problems, root, path, lambda: ast.parse(path.read_bytes(), filename=str(path)))


def _check(problems: Problems, root: Path, script: Path, read: Callable[[], object]) -> None:
    """Add a problem where reading the script's modules fails; a script that is missing is another's."""
    if not script.is_file():
        return
    path, line, reason = script, None, ""
    try:
        read()
    except SyntaxError as error:
        path, line, reason = Path(error.filename or script), error.lineno, error.msg
    except ValueError as error:  # as of a file with null bytes
        reason = str(error)
    if reason:
        shown = path.relative_to(root) if path.is_relative_to(root) else path
        problems.collected.append(Problem(FileLine(str(shown), line), (), f"not valid Python: {reason}"))


def check_functions(problems: Problems, root: Path, model: Model) -> None:
    function = model.lambda_
    if function is not None and function.entry_point is not None:
        _check_file(problems, ("lambda", "entry_point"), root, function.entry_point, function.handler)
    if model.gate is not None and model.gate.champion is not None:
        _check_file(problems, ("gate", "champion"), root, CHAMPION, "handler")


def check_registering(steps: StepProblems, root: Path, step: Step) -> None:
    """The project has the function that registers models, which the step calls."""
    own = Problems(steps.problems.document)
    _check_file(own, ("step_type",), root, REGISTERING, "handler")
    for problem in own.collected:
        steps.add(step, "step_type", problem.words)


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
