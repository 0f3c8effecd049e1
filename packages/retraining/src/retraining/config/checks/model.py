"""What one unit's sections must keep beyond their form: files, SageMaker's quotas, combinations."""

import math
import re
from itertools import chain
from pathlib import Path
from typing import Any

from retraining.config.checks import channels, images, lambdas, transform
from retraining.config.files.yaml_file import Document, Location, dotted
from retraining.config.flow.chaining import METRICS_OUTPUT
from retraining.config.schema.fields import RetryPolicy
from retraining.config.schema.job import (
    EvaluationJob,
    Job,
    ProcessingJob,
    TrainingJob,
    TransformJob,
    TuningJob,
)
from retraining.config.schema.model import Registry, Unit
from retraining.config.schema.parameter import Parameter, default_of
from retraining.errors import seen
from retraining.nearest import suggestion

HYPERPARAMETER_LENGTH = 2500
# Hyperparameters from which SageMaker's Hyperband infers the largest resource of a job.
_RESOURCES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
# Of one variable of a job, by section.
ENVIRONMENT_LENGTH = {"preprocess": 256, "evaluate": 256, "train": 512, "transform": 10240}


class _Unit:
    """Collects the errors of one unit, each with its place."""

    def __init__(self, document: Document, model: str) -> None:
        self.document = document
        self.here: Location = ("conf", "models", model)
        self.errors: list[str] = []

    def add(self, location: Location, message: str) -> None:
        key = dotted((*self.here, *location))
        self.errors.append(f"{self.document.where((*self.here, *location))}: {key}: {message}")


def check(root: Path, document: Document, model: str, unit: Unit) -> list[str]:
    """One line per error."""
    found = _Unit(document, model)
    _check_files(found, root, unit)
    for section in ("preprocess", "train", "evaluate"):
        job = getattr(unit, section)
        if job is not None:
            _check_job(found, root / unit.source_directory, section, job, unit)
    checked = (
        channels.check(unit),
        images.check(unit),
        lambdas.check(root, unit),
        transform.check(unit),
    )
    for place, words in chain(*checked):
        found.add(place, words)
    _check_training(found, unit.train)
    _check_spot(found, unit.train)
    if unit.tune is not None:
        _check_tuning(found, unit.tune, unit.train)
    if unit.transform is not None:
        _check_env(found, "transform", unit.transform)
        if unit.registry and unit.registry.ModelRepack:
            _check_isolation(found, root / unit.source_directory, "transform", unit.transform, unit)
    if unit.registry is not None:
        _check_registry(found, unit, unit.registry)
    _check_gate(found, unit)
    if unit.network and bool(unit.network.subnets) != bool(unit.network.security_groups_id):
        found.add(("network",), "fill both subnets and security_groups_id, or none for no VPC")
    for index, policy in enumerate(unit.retry or []):
        found.errors += check_retry(document, (*found.here, "retry", index), policy)
    return found.errors


def check_retry(document: Document, location: Location, policy: RetryPolicy) -> list[str]:
    """SageMaker wants one end for the tries: a number or a time."""
    if (policy.max_attempts is None) != (policy.expire_after_minutes is None):
        return []
    key = dotted(location)
    return [f"{document.where(location)}: {key}: give either max_attempts or expire_after_minutes"]


def _check_files(found: _Unit, root: Path, unit: Unit) -> None:
    folder = root / unit.source_directory
    if not folder.is_dir():
        found.add(("source_directory",), f"no folder {seen(unit.source_directory)}")
        return
    for section in ("preprocess", "train", "evaluate", "transform"):
        job = getattr(unit, section)
        entry_point = job.entry_point if job is not None else None
        if section == "transform" and not (unit.registry and unit.registry.ModelRepack):
            continue  # the training job has put the code into the model
        if entry_point is not None and (folder / entry_point).is_dir():
            found.add((section, "entry_point"), f"{seen(entry_point)} is a folder: name a file in it")
        elif entry_point is not None and not (folder / entry_point).is_file():
            found.add(
                (section, "entry_point"),
                f"no file {seen(entry_point)} in {unit.source_directory}{_near(folder, entry_point)}",
            )


def _near(folder: Path, entry_point: str) -> str:
    return suggestion(
        entry_point, [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*.py"))]
    )


def _check_job(found: _Unit, folder: Path, section: str, job: Job, unit: Unit) -> None:
    _check_isolation(found, folder, section, job, unit)
    _check_env(found, section, job)
    if isinstance(job, ProcessingJob):
        repeated = sorted({name for name in job.outputs if job.outputs.count(name) > 1})
        if repeated:
            found.add((section, "outputs"), f"{repeated[0]!r} stands twice")
        if len(job.arguments) > 49:
            found.add(
                (section, "arguments"), f"SageMaker allows 49 names and values, not {len(job.arguments)}"
            )
        for name, argument in job.arguments.items():
            if not name or name.startswith("-"):
                found.add((section, "arguments", name), "an argument's name stands without the hyphens")
            _check_length(found, (section, "arguments", name), argument, 256)


def _check_isolation(found: _Unit, folder: Path, section: str, job: Job | TransformJob, unit: Unit) -> None:
    """What `requirements.txt` lists is installed when a job, or the model's server, starts."""
    isolated, here = job.enable_network_isolation, (section, "enable_network_isolation")
    if isolated is None and unit.network:
        isolated, here = unit.network.enable_network_isolation, ("network", "enable_network_isolation")
    beside = Path(job.entry_point or "").parent / "requirements.txt"
    if isolated and any((folder / path).is_file() for path in (beside, "requirements.txt")):
        found.add(
            here,
            f"requirements.txt in {unit.source_directory} cannot be installed without a network: "
            "use an image that has the packages, or leave the isolation",
        )


def _check_env(found: _Unit, section: str, job: Job | TransformJob) -> None:
    for name, value in job.env.items():
        _check_length(found, (section, "env", name), value, ENVIRONMENT_LENGTH[section])


def _check_length(found: _Unit, location: Location, value: Any, limit: int) -> None:
    text = str(default_of(value))
    if len(text) > limit:
        found.add(location, f"SageMaker allows {limit} characters, not {len(text)}")


def _check_training(found: _Unit, job: TrainingJob) -> None:
    for name, value in job.hyperparams.items():
        if not 1 <= len(name) <= 256:
            found.add(("train", "hyperparams", name), "a hyperparameter's name has 1 to 256 characters")
        if name.startswith("sagemaker_"):
            found.add(("train", "hyperparams", name), "names with sagemaker_ before them are SageMaker's own")
        _check_length(found, ("train", "hyperparams", name), value, HYPERPARAMETER_LENGTH)
    for name, expression in job.metric_definitions.items():
        if not name or len(name) > 255:
            found.add(("train", "metric_definitions", name), "a metric's name has 1 to 255 characters")
        try:
            groups = re.compile(expression).groups
        except re.error as error:
            found.add(
                ("train", "metric_definitions", name),
                f"not a regular expression: {error}: {seen(expression)}",
            )
            continue
        if groups != 1:
            found.add(
                ("train", "metric_definitions", name),
                f"the expression needs one group, (...), around the number, not {groups}: {seen(expression)}",
            )
        if not 1 <= len(expression) <= 500:
            found.add(("train", "metric_definitions", name), "an expression has 1 to 500 characters")


def _check_spot(found: _Unit, job: TrainingJob) -> None:
    if job.max_wait_seconds is not None:
        spot = job.use_spot_instances
        if spot is False:
            found.add(("train", "max_wait_seconds"), "it is for spot instances: add use_spot_instances: true")
        wait, longest = (default_of(value) for value in (job.max_wait_seconds, job.max_runtime_seconds))
        if wait < longest:
            found.add(
                ("train", "max_wait_seconds"),
                f"{wait} is less than max_runtime_seconds, {longest}: it includes it",
            )
    elif job.use_spot_instances is True:
        found.add(
            ("train", "use_spot_instances"), "say with max_wait_seconds how long the job may wait and run"
        )
    if "checkpoint_local_path" in job.model_fields_set and job.checkpoint_s3_uri is None:
        found.add(
            ("train", "checkpoint_local_path"), "checkpoints are kept only with checkpoint_s3_uri: add it"
        )
    if job.input_mode == "Pipe" and job.checkpoint_s3_uri and job.use_spot_instances is True:
        found.add(("train", "input_mode"), "a resumed spot job cannot go on in a pipe: use File or FastFile")


def _check_tuning(found: _Unit, tune: TuningJob, train: TrainingJob) -> None:
    if tune.objective_metric_name not in train.metric_definitions:
        known = ", ".join(train.metric_definitions) or "none"
        found.add(
            ("tune", "objective_metric_name"),
            f"no metric {tune.objective_metric_name!r} in train.metric_definitions; known: {known}",
        )
    if default_of(tune.max_parallel_jobs) > default_of(tune.max_jobs):
        found.add(
            ("tune", "max_parallel_jobs"),
            f"{default_of(tune.max_parallel_jobs)} is more than max_jobs, {default_of(tune.max_jobs)}",
        )
    if tune.strategy == "Grid" and any(not item.values for item in tune.hyperparameter_ranges.values()):
        found.add(("tune", "hyperparameter_ranges"), "a Grid search takes ranges with values only")
    elif tune.strategy == "Grid":
        tries = math.prod(len(item.values) for item in tune.hyperparameter_ranges.values())
        if default_of(tune.max_jobs) != tries:
            words = f"a Grid search makes all {tries} tries: write {tries}, not {default_of(tune.max_jobs)}"
            found.add(("tune", "max_jobs"), words)
    if tune.strategy == "Hyperband" and tune.early_stopping_type == "Auto":
        found.add(("tune", "early_stopping_type"), "Hyperband stops early by itself: leave it Off")
    fixed = [name for name in _RESOURCES if name in train.hyperparams]
    if tune.strategy == "Hyperband" and not set(fixed) - set(tune.hyperparameter_ranges):
        words = f"Hyperband takes a job's longest run from one of {', '.join(_RESOURCES)}"
        found.add(("tune", "strategy"), f"{words}: add one to train.hyperparams, and do not tune it")
    for name in tune.hyperparameter_ranges:
        if isinstance(train.hyperparams.get(name), Parameter):
            found.add(
                ("tune", "hyperparameter_ranges", name),
                "it is a pipeline parameter in train.hyperparams, which tuning would ignore: make it a value",
            )


def _check_registry(found: _Unit, unit: Unit, registry: Registry) -> None:
    if registry.model_quality is not None:
        known = written(unit.evaluate)
        _check_file(found, ("registry", "model_quality"), registry.model_quality.output, known, "evaluate")


def _check_gate(found: _Unit, unit: Unit) -> None:
    if unit.gate is None:
        return
    known = [*written(unit.evaluate), *written(unit.preprocess)]
    _check_file(found, ("gate",), unit.gate.output, known, "evaluate and preprocess")
    if unit.gate.champion is not None and unit.registry is None:
        found.add(
            ("gate", "champion"), "a champion stands in a model package group: add the section registry"
        )


def written(job: ProcessingJob | None) -> list[str]:
    """The outputs of a section that a gate and the model quality may name."""
    if isinstance(job, EvaluationJob) and not job.outputs:
        return [METRICS_OUTPUT, *(name for name in job.channels)]
    return list(job.outputs) if job is not None else []


def _check_file(found: _Unit, location: Location, output: str, known: list[str], sections: str) -> None:
    if output not in known:
        listed = ", ".join(known) or "none"
        noun = "sections" if " and " in sections else "section"
        found.add((*location, "output"), f"no output {output!r} of the {noun} {sections}; known: {listed}")
