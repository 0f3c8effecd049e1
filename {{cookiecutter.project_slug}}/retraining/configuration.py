"""The configuration: conf/project.yaml and one conf.yaml per model, checked.

The model files' format is that of AWS's dynamic SageMaker pipelines framework. No key is ignored: one
that is not described here is an error that names file, line and the nearest known key.
"""

import os
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from retraining import yaml_file
from retraining.errors import UserError
from retraining.explain import explain
from retraining.nearest import nearest
from retraining.parameter import Parameter, declared
from retraining.schema import ModelFile, Pipeline, Project, Unit

ENVIRONMENT_NAMES = tuple(name for name in Project.model_fields if name.startswith("SMP_"))
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Configuration:
    """Everything a pipeline is made of; `root` is the project's folder."""

    root: Path
    project: Project
    units: dict[str, Unit]
    pipeline: Pipeline

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All pipeline parameters by name, in the order of the files."""
        return {found.parameter: found for unit in self.units.values() for found in declared(unit)}


def load(root: Path) -> Configuration:
    """Read and check the whole configuration of the project in `root`.

    Raises:
        UserError: anything is wrong; one line per error, each with file and line.
    """
    project_file = yaml_file.load(_relative(root / "conf" / "project.yaml"))
    if isinstance(project_file.content, dict):
        for name in ENVIRONMENT_NAMES:
            if name in os.environ:
                project_file.content[name] = _from_environment(name, os.environ[name])
    project = _validate(Project, project_file)
    units: dict[str, Unit] = {}
    pipelines: list[tuple[yaml_file.YamlFile, Pipeline]] = []
    for path in _model_files(root, project, project_file):
        source = yaml_file.load(path)
        source = yaml_file.YamlFile(path, _substitute(source.content, project), source.lines)
        model_file = _validate(ModelFile, source)
        for name, unit in model_file.conf.models.items():
            if name in units:
                raise UserError(
                    f"{source.where(('conf', 'models', name))}: model {name!r} stands in another file too"
                )
            _check_unit(root, source, name, unit)
            units[name] = unit
        if model_file.sagemakerPipeline is not None:
            pipelines.append((source, model_file.sagemakerPipeline))
    if len(pipelines) != 1:
        found = ", ".join(str(source.path) for source, _ in pipelines) or "none"
        raise UserError(
            f"{project.SMP_MODEL_CONFIGPATH}: exactly one file must hold sagemakerPipeline; found: {found}"
        )
    _check_pipeline(*pipelines[0], units)
    _check_order(*pipelines[0])
    _check_project(project_file, project, units)
    configuration = Configuration(root, project, units, pipelines[0][1])
    _check_parameters(configuration)
    return configuration


def _relative(path: Path) -> Path:
    """Shown in errors as the user would type it."""
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path


def _from_environment(name: str, value: str) -> Any:
    if name in ("SMP_SUBNETS", "SMP_SECURITYGROUPS"):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _model_files(root: Path, project: Project, source: yaml_file.YamlFile) -> list[Path]:
    try:
        found = root.glob(project.SMP_MODEL_CONFIGPATH) if ".." not in project.SMP_MODEL_CONFIGPATH else ()
        paths = sorted(_relative(path) for path in found if path.is_file())
    except (ValueError, NotImplementedError):
        paths = []
    if not paths:
        raise UserError(
            f"{source.where(('SMP_MODEL_CONFIGPATH',))}: SMP_MODEL_CONFIGPATH: no file matches "
            f"{project.SMP_MODEL_CONFIGPATH!r} below {root}"
        )
    return paths


def _validate(model: type[_Model], source: yaml_file.YamlFile) -> _Model:
    try:
        return model.model_validate(source.content)
    except ValidationError as error:
        lines = explain(error, model, source)
        raise UserError("\n".join(map(_blame_the_environment, lines))) from None


def _blame_the_environment(line: str) -> str:
    """A value that a variable gave is not the file's fault."""
    for name in ENVIRONMENT_NAMES:
        _, found, problem = line.partition(f": {name}")
        if found and name in os.environ:
            return f"environment variable {name}{problem}"
    return line


def _substitute(value: Any, project: Project) -> Any:
    """Replace SMP_ names inside texts by their values."""
    if isinstance(value, dict):
        return {key: _substitute(item, project) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, project) for item in value]
    if isinstance(value, str) and "SMP_" in value:
        names = {name: getattr(project, name) for name in ENVIRONMENT_NAMES} | {
            "SMP_PROJECT": project.project
        }
        for name, known in names.items():
            if isinstance(known, str):
                value = value.replace(name, known)
    return value


def _check_unit(root: Path, source: yaml_file.YamlFile, name: str, unit: Unit) -> None:
    here: yaml_file.Location = ("conf", "models", name)
    folder = root / unit.source_directory
    if not folder.is_dir():
        raise UserError(
            f"{source.where((*here, 'source_directory'))}: source_directory: "
            f"no folder {unit.source_directory!r}"
        )
    if unit.gate and (unit.evaluate is None or unit.gate.output not in unit.evaluate.outputs):
        where = source.where((*here, "gate", "output"))
        raise UserError(f"{where}: gate.output: no output {unit.gate.output!r} of the section evaluate")
    for section in ("preprocess", "train", "evaluate"):
        job = getattr(unit, section)
        if job is not None and not (folder / job.entry_point).is_file():
            where = source.where((*here, section, "entry_point"))
            raise UserError(f"{where}: entry_point: no file {job.entry_point!r} in {unit.source_directory}")


def _check_gates(source: yaml_file.YamlFile, pipeline: Pipeline) -> None:
    """Where a model has a quality gate, its registration follows the gate and nothing else."""
    for model, steps in pipeline.models.items():
        gates = [step.step_name for step in steps.steps if step.step_class == "Condition"]
        for index, step in enumerate(steps.steps):
            if not gates or step.step_class != "Lambda":
                continue
            direct = {
                first
                for chain in pipeline.chains
                for first, second in pairwise(chain)
                if second == step.step_name
            }
            if not direct or not direct <= set(gates):
                where = source.where(("sagemakerPipeline", "models", model, "steps", index))
                raise UserError(
                    f"{where}: step {step.step_name!r} must follow the gate and only the gate: "
                    f"write `{gates[0]} >> {step.step_name}` in dependencies, and nothing else before it"
                )


def _check_order(source: yaml_file.YamlFile, pipeline: Pipeline) -> None:
    """No cycle; and a step is described after those whose outputs it takes."""
    here: yaml_file.Location = ("sagemakerPipeline", "dependencies" if pipeline.dependencies else "models")
    before: dict[str, set[str]] = {}
    described: set[str] = set()
    for model, steps in pipeline.models.items():
        for index, step in enumerate(steps.steps):
            late = [name for name in step.chain_input_source_step if name not in described]
            if late:
                where = source.where(("sagemakerPipeline", "models", model, "steps", index))
                raise UserError(
                    f"{where}: step {step.step_name!r} chains {late[0]!r}, which must stand before it"
                )
            described.add(step.step_name)
            before.setdefault(step.step_name, set()).update(step.chain_input_source_step)
    for chain in pipeline.chains:
        for first, second in pairwise(chain):
            before.setdefault(second, set()).add(first)
    _check_gates(source, pipeline)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        raise UserError(
            f"{source.where(here)}: the steps wait in a circle: {' >> '.join(error.args[1])}"
        ) from None


def _check_pipeline(source: yaml_file.YamlFile, pipeline: Pipeline, units: dict[str, Unit]) -> None:
    names: set[str] = set()
    for model, steps in pipeline.models.items():
        here: yaml_file.Location = ("sagemakerPipeline", "models", model)
        if model not in units:
            raise UserError(
                f"{source.where(here)}: no model {model!r} under conf.models; known: {', '.join(units)}"
            )
        for index, step in enumerate(steps.steps):
            where = source.where((*here, "steps", index))
            if step.step_name in names:
                raise UserError(
                    f"{where}: step_name {step.step_name!r} stands twice; step names are unique in a pipeline"
                )
            names.add(step.step_name)
            if step.section is not None and getattr(units[model], step.section) is None:
                raise UserError(
                    f"{where}: step {step.step_name!r} needs the section {step.section!r} of model {model!r}"
                )
    for model, steps in pipeline.models.items():
        for index, step in enumerate(steps.steps):
            for chained in step.chain_input_source_step:
                if chained not in names:
                    where = source.where(
                        ("sagemakerPipeline", "models", model, "steps", index, "chain_input_source_step")
                    )
                    raise UserError(
                        f"{where}: chain_input_source_step: no step {chained!r}; "
                        f"known: {', '.join(sorted(names))}"
                    )
    for index, chain in enumerate(pipeline.chains):
        for name in chain:
            if name not in names:
                where = source.where(("sagemakerPipeline", "dependencies", index))
                raise UserError(f"{where}: dependencies: no step {name!r}; known: {', '.join(sorted(names))}")


def _check_project(source: yaml_file.YamlFile, project: Project, units: dict[str, Unit]) -> None:
    if bool(project.SMP_SUBNETS) != bool(project.SMP_SECURITYGROUPS):
        where = source.where(("SMP_SUBNETS",))
        raise UserError(f"{where}: SMP_SUBNETS and SMP_SECURITYGROUPS: fill both, or none for no VPC")
    if project.SMP_MODELNAME not in units:
        where = source.where(("SMP_MODELNAME",))
        hint = nearest(project.SMP_MODELNAME, units)
        raise UserError(f"{where}: SMP_MODELNAME: no model {project.SMP_MODELNAME!r}{hint}")
    ports = [project.local.sagemaker_port, project.local.aws_port, project.local.mlflow_port]
    if len(set(ports)) < len(ports):
        raise UserError(f"{source.where(('local',))}: local: the three ports must differ, not {ports}")


def _check_parameters(configuration: Configuration) -> None:
    seen: dict[str, Parameter] = {}
    for unit in configuration.units.values():
        for found in declared(unit):
            first = seen.setdefault(found.parameter, found)
            if first != found or first.type != found.type:
                raise UserError(
                    f"parameter {found.parameter!r} is declared twice: default {first.default!r} and "
                    f"{found.default!r}; give both the same default and choices"
                )
