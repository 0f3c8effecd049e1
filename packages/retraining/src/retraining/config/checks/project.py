"""Checks of the project's settings, and of all models together."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retraining.config.checks import parameter_values
from retraining.config.checks.model import check_retry
from retraining.config.checks.names import check_names
from retraining.config.files.problems import Problems
from retraining.config.schema import regions
from retraining.config.schema.fields import TAGS
from retraining.config.schema.model import LambdaFunction, Model
from retraining.config.schema.parameter import Parameter, declared
from retraining.config.schema.pipeline import Pipeline
from retraining.config.schema.project import Project
from retraining.config.schema.values import is_parameter
from retraining.errors import Location, Problem, seen, suggestion, suggestion_or_all

PARAMETERS = 200
RESERVED_PARAMETERS = ("GitCommit",)


def check_project(problems: Problems, project: Project, model_names: list[str] | None) -> None:
    """Check the project's settings; `model_names` are None where not all models could be read."""
    known = regions.known()
    if known and project.SMP_REGION not in known:
        hint = suggestion(project.SMP_REGION, known)
        problems.add(("SMP_REGION",), f"no AWS region {seen(project.SMP_REGION)}{hint}")
    if bool(project.subnets) != bool(project.security_groups):
        _explain_network(problems, project)
    # Whoever points SMP_MODEL_CONFIGPATH at other files for once need not name their model too.
    elsewhere = "SMP_MODEL_CONFIGPATH" in os.environ and "SMP_MODELNAME" not in os.environ
    named = project.SMP_MODELNAME if not elsewhere else None
    if named is not None and model_names is not None and named not in model_names:
        problems.add(("SMP_MODELNAME",), f"no model {seen(named)}{suggestion_or_all(named, model_names)}")
    ports = [project.local.sagemaker_port, project.local.aws_port, project.local.mlflow_port]
    if len(set(ports)) < len(ports):
        problems.add(("local",), f"the three ports must differ, not {ports}")
    for index, policy in enumerate(project.retry or []):
        check_retry(problems, ("retry", index), policy)


def _explain_network(problems: Problems, project: Project) -> None:
    own = project.conf.sagemakerNetworkSecurity
    if own.subnets or own.security_groups_id:
        words = "set both subnets and security_groups_id, or neither for no VPC"
        problems.add(("conf", "sagemakerNetworkSecurity"), words)
    else:
        words = "set both SMP_SUBNETS and SMP_SECURITYGROUPS, or neither for no VPC"
        problems.add(("SMP_SUBNETS",), words)


def check_models(problems: Problems, project: Project | None, models: dict[str, Model]) -> None:
    """Check models against each other and against the project's settings, None where these are wrong."""
    if project is not None:
        check_names(problems, project, models)
        for name, model in models.items():
            _check_tags(problems.at("conf", "models", name), project, model)
    _check_functions(problems, models)


def _check_tags(problems: Problems, project: Project, model: Model) -> None:
    tags = {**project.tags, **model.tags}
    for section in ("preprocess", "train", "tune", "transform", "evaluate"):
        own = getattr(model.section(section), "tags", None) or {}
        if len(tags | own) > TAGS:
            words = f"{len(tags | own)} tags with those of the project and the model: SageMaker allows {TAGS}"
            problems.add((section, "tags") if own else ("tags",), words)
            return


def _check_functions(problems: Problems, models: dict[str, Model]) -> None:
    """Two models that deploy the same file deploy it alike."""
    functions: dict[str, tuple[str, LambdaFunction]] = {}
    for name, model in models.items():
        function = model.lambda_
        if function is None or function.entry_point is None:
            continue
        first, other = functions.setdefault(function.entry_point, (name, function))
        for key in ("handler", "timeout_seconds", "memory_size_in_mb", "env"):
            if getattr(function, key) != getattr(other, key):
                words = f"model {first!r} deploys {function.entry_point} with another value"
                words = f"{words}: one file is one function"
                problems.add(("conf", "models", name, "lambda", key), words)


def check_parameters(
    problems: Problems, root: Path, models: dict[str, Model], pipeline: Pipeline | None
) -> None:
    """No parameter is declared in two ways, has a reserved name, or a choice that its key refuses."""
    first: dict[str, Parameter] = {}
    twice: set[str] = set()
    sections = [*models.values(), *([pipeline] if pipeline else [])]
    for value in sections:
        for parameter in declared(value):
            other = first.setdefault(parameter.parameter, parameter)
            if other != parameter or other.type != parameter.type:
                twice.add(parameter.parameter)
    for name, parameter in first.items():
        if name in RESERVED_PARAMETERS:
            _refuse_name(problems, name)
        elif name in twice:
            _explain_declarations(problems, name)
        else:
            for choice in parameter.choices or ():
                if words := parameter_values.problem(root, sections, {name: choice}):
                    _refuse_choice(problems, name, words)
                    break


def _refuse_name(problems: Problems, name: str) -> None:
    for key, _ in _declarations(problems, name)[:1]:
        problems.add(key, f"parameter {name!r} is made by `retrain` itself: choose another name")


def _refuse_choice(problems: Problems, name: str, words: str) -> None:
    for key, _ in _declarations(problems, name)[:1]:
        problems.add((*key, "choices"), words)


def _explain_declarations(problems: Problems, name: str) -> None:
    declarations = _declarations(problems, name)
    for start, first in declarations[:1]:
        default, where = first.get("default"), problems.document.where(start)
        for key, content in declarations[1:]:
            own = content.get("default")
            if content != first or type(own) is not type(default):
                words = f"default {seen(own)} here, {seen(default)} in {where}"
                words = f"parameter {name!r} is declared twice: {words}"
                problems.add(key, f"{words}; give both the same default and choices")


def _declarations(problems: Problems, name: str) -> list[tuple[Location, dict[str, Any]]]:
    """The keys at which the files declare a parameter, with what they say of it."""
    return [
        (key, content)
        for key, content in _parameters(problems.document.content, ())
        if content["parameter"] == name
    ]


def _parameters(value: Any, key: Location) -> Iterator[tuple[Location, dict[str, Any]]]:
    if isinstance(value, dict):
        if is_parameter(value) and "parameter" in value:
            yield key, value
            return
        for name, item in value.items():
            yield from _parameters(item, (*key, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parameters(item, (*key, index))


def check_count(parameters: dict[str, Parameter]) -> Problem | None:
    """SageMaker's quota, of which `retrain` uses a part itself."""
    if len(parameters) <= PARAMETERS - len(RESERVED_PARAMETERS):
        return None
    words = f"{len(parameters)} pipeline parameters are declared: SageMaker allows {PARAMETERS}"
    return Problem(None, ("parameters",), f"{words}, and `retrain` adds {', '.join(RESERVED_PARAMETERS)}")
