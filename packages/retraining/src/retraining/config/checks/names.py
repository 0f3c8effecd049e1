"""Names in AWS that may stand once: model package groups, models, Lambda functions."""

from collections.abc import Iterator

from retraining.config.files.yaml_file import Document, Location, dotted
from retraining.config.schema import aws_names
from retraining.config.schema.model import Unit
from retraining.config.schema.project import Project

_FUNCTION_NAME = 64


def check(document: Document, project: Project, units: dict[str, Unit]) -> list[str]:
    """One line per name that two models would share, or that AWS does not take."""
    errors = []
    names: dict[tuple[str, str], str] = {}
    for model, unit in units.items():
        for kind, name, keys in _names(project, model, unit):
            other = names.setdefault((kind, name), model)
            place: Location = ("conf", "models", model, *keys)
            if other != model:
                words = f"model {other!r} has the {kind} {name!r} too: give each its own"
                errors.append(f"{document.where(place)}: {dotted(place)}: {words}")
    return [*errors, *_check_functions(document, project, units)]


def _names(project: Project, model: str, unit: Unit) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Kind, name and key of what stands once in AWS."""
    if unit.registry is not None:
        yield (
            "model package group",
            aws_names.package_group(project, model, unit),
            (("registry", "model_package_group") if unit.registry.model_package_group else ("registry",)),
        )
    if unit.name is not None:
        yield "name", unit.name, ("name",)


def _check_functions(document: Document, project: Project, units: dict[str, Unit]) -> Iterator[str]:
    champion = any(unit.gate and unit.gate.champion for unit in units.values())
    files = {aws_names.function_name(project, aws_names.CHAMPION): aws_names.CHAMPION} if champion else {}
    for model, unit in units.items():
        entry_point = unit.lambda_.entry_point if unit.lambda_ else None
        if entry_point is None:
            continue
        place: Location = ("conf", "models", model, "lambda", "entry_point")
        here = f"{document.where(place)}: {dotted(place)}"
        name = aws_names.function_name(project, entry_point)
        other = files.setdefault(name, entry_point)
        if champion and entry_point == aws_names.CHAMPION:
            yield f"{here}: {entry_point} finds the champion of the gate: name another file"
        elif other != entry_point:
            yield f"{here}: {other} and {entry_point} would both be the function {name!r}: rename one"
        if len(name) > _FUNCTION_NAME:
            words = (
                f"the function's name {name!r} has {len(name)} characters, and AWS allows {_FUNCTION_NAME}"
            )
            yield f"{here}: {words}: rename the file"
