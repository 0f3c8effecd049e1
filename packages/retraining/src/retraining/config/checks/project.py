"""What the project's settings and all units together must keep."""

import os
from collections.abc import Collection, Iterator
from typing import Any

from retraining.config.checks import names, parameter_values
from retraining.config.checks.model import check_retry
from retraining.config.files.yaml_file import Document, Location, dotted
from retraining.config.schema import regions
from retraining.config.schema.fields import TAGS
from retraining.config.schema.model import LambdaFunction, Unit
from retraining.config.schema.parameter import Parameter, declared
from retraining.config.schema.pipeline import Pipeline
from retraining.config.schema.project import VARIABLES, Project
from retraining.config.schema.values import is_parameter
from retraining.errors import seen
from retraining.nearest import nearest, suggestion

PARAMETERS = 200
RESERVED_PARAMETERS = ("GitCommit",)


def blame_the_environment(line: str) -> str:
    """A value that a variable gave is not the file's fault."""
    for name in VARIABLES:
        _, found, problem = line.partition(f": {name}")
        if found and name in os.environ and problem[:1] in (":", "[", " "):
            return f"environment variable {name}{problem}"
    return line


def check(document: Document, project: Project, models: list[str] | None) -> list[str]:
    """One line per error in the project's settings; `models` are None where not all are known."""
    errors = []
    known = regions.known()
    if known and project.SMP_REGION not in known:
        where = document.where(("SMP_REGION",))
        hint = suggestion(project.SMP_REGION, known)
        errors.append(
            blame_the_environment(f"{where}: SMP_REGION: no AWS region {seen(project.SMP_REGION)}{hint}")
        )
    if bool(project.subnets) != bool(project.security_groups):
        framework: Location = ("conf", "sagemakerNetworkSecurity")
        own = project.conf.sagemakerNetworkSecurity
        here = framework if own.subnets or own.security_groups_id else ("SMP_SUBNETS",)
        keys = "SMP_SUBNETS and SMP_SECURITYGROUPS"
        if here == framework:
            keys = f"{dotted(framework)}: subnets and security_groups_id"
        line = f"{document.where(here)}: {keys}: fill both, or none for no VPC"
        errors.append(blame_the_environment(line))
    # Whoever points SMP_MODEL_CONFIGPATH at other files for once need not name their model too.
    elsewhere = "SMP_MODEL_CONFIGPATH" in os.environ and "SMP_MODELNAME" not in os.environ
    named = project.SMP_MODELNAME if not elsewhere else None
    if named is not None and models is not None and named not in models:
        where = document.where(("SMP_MODELNAME",))
        hint = nearest(named, models)
        errors.append(blame_the_environment(f"{where}: SMP_MODELNAME: no model {seen(named)}{hint}"))
    ports = [project.local.sagemaker_port, project.local.aws_port, project.local.mlflow_port]
    if len(set(ports)) < len(ports):
        errors.append(f"{document.where(('local',))}: local: the three ports must differ, not {ports}")
    for index, policy in enumerate(project.retry or []):
        errors += check_retry(document, ("retry", index), policy)
    return errors


def check_units(document: Document, project: Project | None, units: dict[str, Unit]) -> list[str]:
    """One line per error between units, and between a unit and the project's settings."""
    errors = names.check(document, project, units) if project else []
    functions: dict[str, tuple[str, LambdaFunction]] = {}
    for name, unit in units.items():
        here: Location = ("conf", "models", name)
        for section in ("preprocess", "train", "tune", "transform", "evaluate") if project else ():
            tags = {**project.tags, **unit.tags} if project else {}
            own = getattr(getattr(unit, section), "tags", None) or {}
            if len(tags | own) > TAGS:
                place: Location = (*here, section, "tags") if own else (*here, "tags")
                count = f"{len(tags | own)} tags with those of the project and the model"
                errors.append(f"{document.where(place)}: {dotted(place)}: {count}: SageMaker allows {TAGS}")
                break
        function = unit.lambda_
        if function is None or function.entry_point is None:
            continue
        first, other = functions.setdefault(function.entry_point, (name, function))
        for key in ("handler", "timeout_seconds", "memory_size_in_mb", "env"):
            if getattr(function, key) != getattr(other, key):
                place = (*here, "lambda", key)
                words = f"model {first!r} deploys {function.entry_point} otherwise: one file is one function"
                errors.append(f"{document.where(place)}: {dotted(place)}: {words}")
    return errors


def check_parameters(document: Document, units: dict[str, Unit], pipeline: Pipeline | None) -> list[str]:
    """One line per pipeline parameter that is declared in two ways, or has a name of `retrain` itself."""
    first: dict[str, Parameter] = {}
    wrong: dict[str, str] = {}
    for value in [*units.values(), *([pipeline] if pipeline else [])]:
        for found in declared(value):
            other = first.setdefault(found.parameter, found)
            if other != found or other.type != found.type:
                wrong[found.parameter] = "declared twice"
    wrong |= {name: "reserved" for name in first if name in RESERVED_PARAMETERS}
    for name, found in first.items():
        for choice in found.choices or () if name not in wrong else ():
            if words := parameter_values.problem(units.values(), {name: choice}):
                wrong[name] = words
    errors: list[str] = []
    if wrong:
        places: dict[str, list[tuple[Location, Any]]] = {}
        for place, content in _places(document.content, ()):
            places.setdefault(str(content["parameter"]), []).append((place, content))
        for name, reason in wrong.items():
            errors += _explained(document, name, reason, places.get(name, []))
    return errors


def check_count(parameters: Collection[str]) -> list[str]:
    """SageMaker's quota, of which `retrain` uses a part itself."""
    if len(parameters) <= PARAMETERS - len(RESERVED_PARAMETERS):
        return []
    words = f"{len(parameters)} pipeline parameters are declared: SageMaker allows {PARAMETERS}"
    return [f"parameters: {words}, and `retrain` adds {', '.join(RESERVED_PARAMETERS)}"]


def _explained(
    document: Document, name: str, reason: str, places: list[tuple[Location, Any]]
) -> Iterator[str]:
    if not places:
        return
    start, first = places[0]
    if reason == "reserved":
        words = f"parameter {name!r} is made by `retrain` itself: choose another name"
        yield f"{document.where(start)}: {dotted(start)}: {words}"
        return
    if reason != "declared twice":
        yield f"{document.where(start)}: {dotted(start)}.choices: {reason}"
        return
    for place, content in places[1:]:
        if content != first or type(content.get("default")) is not type(first.get("default")):
            yield (
                f"{document.where(place)}: {dotted(place)}: parameter {name!r} is declared twice: default "
                f"{seen(content.get('default'))} here, {seen(first.get('default'))} in "
                f"{document.where(start)}; give both the same default and choices"
            )


def _places(value: Any, location: Location) -> Iterator[tuple[Location, dict[str, Any]]]:
    """Where in the files parameters are declared."""
    if isinstance(value, dict):
        if is_parameter(value) and "parameter" in value:
            yield location, value
            return
        for key, item in value.items():
            yield from _places(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*location, index))
