"""Checks of names that AWS takes once: model package groups, models, Lambda functions."""

from collections.abc import Iterator

from retraining.config.files.problems import Problems
from retraining.config.schema import aws_names
from retraining.config.schema.model import Model
from retraining.config.schema.project import Project
from retraining.errors import Location

_FUNCTION_NAME = 64


def check_names(problems: Problems, project: Project, models: dict[str, Model]) -> None:
    """No two models share a name in AWS, and AWS accepts each."""
    owners: dict[tuple[str, str], str] = {}
    for model_name, model in models.items():
        for kind, name, key in _names(project, model_name, model):
            owner = owners.setdefault((kind, name), model_name)
            if owner != model_name:
                words = f"model {owner!r} has the {kind} {name!r} too: give each its own"
                problems.add(("conf", "models", model_name, *key), words)
    _check_functions(problems, project, models)


def _names(project: Project, model_name: str, model: Model) -> Iterator[tuple[str, str, Location]]:
    """Kind and name in AWS, with the key that gives it."""
    if model.registry is not None:
        key: Location = (
            ("registry", "model_package_group") if model.registry.model_package_group else ("registry",)
        )
        yield "model package group", aws_names.package_group(project, model_name, model), key
    if model.name is not None:
        yield "name", model.name, ("name",)


def _check_functions(problems: Problems, project: Project, models: dict[str, Model]) -> None:
    champion = any(model.gate and model.gate.champion for model in models.values())
    files = {aws_names.function_name(project, aws_names.CHAMPION): aws_names.CHAMPION} if champion else {}
    for model_name, model in models.items():
        entry_point = model.lambda_.entry_point if model.lambda_ else None
        if entry_point is None:
            continue
        key: Location = ("conf", "models", model_name, "lambda", "entry_point")
        name = aws_names.function_name(project, entry_point)
        other = files.setdefault(name, entry_point)
        if champion and entry_point == aws_names.CHAMPION:
            problems.add(key, f"{entry_point} finds the champion of the gate: name another file")
        elif other != entry_point:
            words = f"{other} and {entry_point} would both be the function {name!r}: rename one"
            problems.add(key, words)
        if len(name) > _FUNCTION_NAME:
            words = (
                f"the function's name {name!r} has {len(name)} characters, and AWS allows {_FUNCTION_NAME}"
            )
            problems.add(key, f"{words}: rename the file")
