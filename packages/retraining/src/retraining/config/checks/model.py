"""Checks of one model's sections beyond the form of their values: files, SageMaker's quotas, combinations."""

import math
import re
from pathlib import Path
from typing import Any

from retraining.config.checks.channels import check_channels
from retraining.config.checks.folders import check_checkpoint_folder
from retraining.config.checks.images import check_images
from retraining.config.checks.programs import check_functions
from retraining.config.checks.transform import check_transform
from retraining.config.files.problems import Problems
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
from retraining.config.schema.model import Model, Registry
from retraining.config.schema.parameter import Parameter, default_of
from retraining.config.schema.values import written as written_text
from retraining.errors import Location, seen, suggestion

ARGUMENT_LENGTH = 256
HYPERPARAMETER_LENGTH = 2500
# Hyperparameters from which SageMaker's Hyperband infers the largest resource of a job.
_RESOURCES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
# Of one variable of a job, by section.
ENVIRONMENT_LENGTH = {"preprocess": 256, "evaluate": 256, "train": 512, "transform": 10240}
# What decides which outputs a gate and the model quality may name.
_EVALUATED: tuple[Location, ...] = (("evaluate", "outputs"), ("evaluate", "channels"))


def check_model(problems: Problems, root: Path, model: Model) -> None:
    """Check the sections of a model; `problems` collects below it."""
    _check_files(problems, root, model)
    folder = root / model.source_directory
    for section in ("preprocess", "train", "evaluate"):
        job = model.section(section)
        if job is not None:
            _check_isolation(problems, folder, section, job, model)
            _check_job(problems.at(section), section, job)
    check_channels(problems, model)
    check_images(problems, model)
    check_functions(problems, root, model)
    if model.transform is not None:
        check_transform(problems.at("transform"), model.transform)
    _check_training(problems.at("train"), model.train)
    _check_spot(problems.at("train"), model.train)
    if model.tune is not None:
        _check_tuning(problems, model.tune, model.train)
    if model.transform is not None:
        _check_env(problems.at("transform"), "transform", model.transform)
        if model.registry and model.registry.ModelRepack:
            _check_isolation(problems, folder, "transform", model.transform, model)
    if model.registry is not None:
        _check_registry(problems, model, model.registry)
    _check_gate(problems, model)
    if model.network and bool(model.network.subnets) != bool(model.network.security_groups_id):
        problems.add(("network",), "set both subnets and security_groups_id, or neither for no VPC")
    for index, policy in enumerate(model.retry or []):
        check_retry(problems, ("retry", index), policy)


def check_retry(problems: Problems, key: Location, policy: RetryPolicy) -> None:
    """SageMaker wants one end of the attempts: a number or a time."""
    if (policy.max_attempts is None) == (policy.expire_after_minutes is None):
        problems.add(key, "give either max_attempts or expire_after_minutes")


def _check_files(problems: Problems, root: Path, model: Model) -> None:
    folder = root / model.source_directory
    if not folder.is_dir():
        problems.add(("source_directory",), f"no folder {seen(model.source_directory)}")
        return
    for section in ("preprocess", "train", "evaluate", "transform"):
        job = model.section(section)
        entry_point = job.entry_point if job is not None else None
        if section == "transform" and not (model.registry and model.registry.ModelRepack):
            continue  # the training job has put the code into the model
        if entry_point is not None and (folder / entry_point).is_dir():
            problems.add((section, "entry_point"), f"{seen(entry_point)} is a folder: name a file in it")
        elif entry_point is not None and not (folder / entry_point).is_file():
            scripts = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*.py"))]
            hint = suggestion(entry_point, scripts)
            words = f"no file {seen(entry_point)} in {model.source_directory}{hint}"
            problems.add((section, "entry_point"), words)


def _check_job(problems: Problems, section: str, job: Job) -> None:
    _check_env(problems, section, job)
    if isinstance(job, ProcessingJob):
        repeated = sorted({name for name in job.outputs if job.outputs.count(name) > 1})
        if repeated:
            problems.add(("outputs",), f"{repeated[0]!r} is listed twice")
        if len(job.arguments) > 49:
            words = f"SageMaker allows 49 names and values, not {len(job.arguments)}"
            problems.add(("arguments",), words)
        for name, argument in job.arguments.items():
            if not name or name.startswith("-"):
                problems.add(("arguments", name), "write an argument's name without the hyphens")
            _check_line(problems, ("arguments", name), argument, ARGUMENT_LENGTH)


def _check_isolation(
    problems: Problems, folder: Path, section: str, job: Job | TransformJob, model: Model
) -> None:
    """What `requirements.txt` lists is installed when a job, or the model's server, starts."""
    isolated, key = job.enable_network_isolation, (section, "enable_network_isolation")
    if isolated is None and model.network:
        isolated, key = model.network.enable_network_isolation, ("network", "enable_network_isolation")
    own = Path(job.entry_point or "").parent / "requirements.txt"
    if isolated and any((folder / path).is_file() for path in (own, "requirements.txt")):
        words = f"requirements.txt in {model.source_directory} cannot be installed without a network"
        problems.add(key, f"{words}: use an image that has the packages, or leave the isolation")


def _check_env(problems: Problems, section: str, job: Job | TransformJob) -> None:
    for name, value in job.env.items():
        _check_length(problems, ("env", name), value, ENVIRONMENT_LENGTH[section])


def _check_length(problems: Problems, key: Location, value: Any, limit: int) -> None:
    text = written_text(default_of(value))
    if len(text) > limit:
        problems.add(key, f"SageMaker allows {limit} characters, not {len(text)}")


def _check_line(problems: Problems, key: Location, value: Any, limit: int) -> None:
    _check_length(problems, key, value, limit)
    if "\n" in written_text(default_of(value)):
        problems.add(key, "SageMaker allows one line, without line breaks")


def _check_training(problems: Problems, job: TrainingJob) -> None:
    for name, value in job.hyperparams.items():
        key = ("hyperparams", name)
        if not 1 <= len(name) <= 256:
            problems.add(key, "a hyperparameter's name has 1 to 256 characters")
        if name.startswith("sagemaker_"):
            problems.add(key, "names that begin with sagemaker_ are SageMaker's own")
        _check_line(problems, key, value, HYPERPARAMETER_LENGTH)
    for name, expression in job.metric_definitions.items():
        _check_metric(problems, name, expression)


def _check_metric(problems: Problems, name: str, expression: str) -> None:
    key = ("metric_definitions", name)
    if not name or len(name) > 255:
        problems.add(key, "a metric's name has 1 to 255 characters")
    try:
        groups = re.compile(expression).groups
    except re.error as error:
        problems.add(key, f"not a regular expression: {error}: {seen(expression)}")
        return
    if groups != 1:
        words = f"the expression needs one group, (...), around the number, not {groups}"
        problems.add(key, f"{words}: {seen(expression)}")
    if not 1 <= len(expression) <= 500:
        problems.add(key, "an expression has 1 to 500 characters")


def _check_spot(problems: Problems, job: TrainingJob) -> None:
    spot: Location = ("use_spot_instances",)
    if job.max_wait_seconds is not None:
        if job.use_spot_instances is False:
            words = "it is for spot instances: add use_spot_instances: true"
            problems.add(("max_wait_seconds",), words, spot)
        wait, longest = (default_of(value) for value in (job.max_wait_seconds, job.max_runtime_seconds))
        if wait < longest:
            words = f"{wait} is less than max_runtime_seconds, {longest}: it includes it"
            problems.add(("max_wait_seconds",), words, ("max_runtime_seconds",))
    elif job.use_spot_instances is True:
        words = "set max_wait_seconds, how long the job may wait and run"
        problems.add(spot, words, ("max_wait_seconds",))
    check_checkpoint_folder(problems, job)
    if "checkpoint_local_path" in job.model_fields_set and job.checkpoint_s3_uri is None:
        words = "checkpoints are kept only with checkpoint_s3_uri: add it"
        problems.add(("checkpoint_local_path",), words, ("checkpoint_s3_uri",))
    if job.input_mode == "Pipe" and job.checkpoint_s3_uri and job.use_spot_instances is True:
        words = "a resumed spot job cannot go on in a pipe: use File or FastFile"
        problems.add(("input_mode",), words, spot, ("checkpoint_s3_uri",))


def _check_tuning(problems: Problems, tune: TuningJob, train: TrainingJob) -> None:
    ranges: Location = ("tune", "hyperparameter_ranges")
    if tune.objective_metric_name not in train.metric_definitions:
        known = ", ".join(train.metric_definitions) or "none"
        words = f"no metric {tune.objective_metric_name!r} in train.metric_definitions; known: {known}"
        problems.add(("tune", "objective_metric_name"), words, ("train", "metric_definitions"))
    parallel, most = (default_of(value) for value in (tune.max_parallel_jobs, tune.max_jobs))
    if parallel > most:
        words = f"{parallel} is more than max_jobs, {most}"
        problems.add(("tune", "max_parallel_jobs"), words, ("tune", "max_jobs"))
    if tune.strategy == "Grid" and any(not item.values for item in tune.hyperparameter_ranges.values()):
        problems.add(ranges, "a Grid search takes ranges with values only")
    elif tune.strategy == "Grid":
        tries = math.prod(len(item.values) for item in tune.hyperparameter_ranges.values())
        if most != tries:
            words = f"a Grid search makes all {tries} tries: write {tries}, not {most}"
            problems.add(("tune", "max_jobs"), words, ranges)
    if tune.strategy == "Hyperband" and tune.early_stopping_type == "Auto":
        problems.add(("tune", "early_stopping_type"), "Hyperband stops early by itself: leave it Off")
    fixed = [name for name in _RESOURCES if name in train.hyperparams]
    if tune.strategy == "Hyperband" and not set(fixed) - set(tune.hyperparameter_ranges):
        words = f"Hyperband takes a job's longest run from one of {', '.join(_RESOURCES)}"
        words = f"{words}: add one to train.hyperparams, and do not tune it"
        problems.add(("tune", "strategy"), words, ranges, ("train", "hyperparams"))
    for name in tune.hyperparameter_ranges:
        if isinstance(train.hyperparams.get(name), Parameter):
            words = "it is a pipeline parameter in train.hyperparams, which tuning would ignore"
            problems.add((*ranges, name), f"{words}: make it a value", ("train", "hyperparams", name))


def _check_registry(problems: Problems, model: Model, registry: Registry) -> None:
    quality = registry.model_quality
    known = written(model.evaluate)
    if quality is not None and quality.output not in known:
        words = f"no output {quality.output!r} of the section evaluate; known: {', '.join(known) or 'none'}"
        problems.add(("registry", "model_quality", "output"), words, *_EVALUATED)


def _check_gate(problems: Problems, model: Model) -> None:
    if model.gate is None:
        return
    output, known = model.gate.output, [*written(model.evaluate), *written(model.preprocess)]
    if output not in known:
        listed = ", ".join(known) or "none"
        words = f"no output {output!r} of the sections evaluate and preprocess; known: {listed}"
        problems.add(("gate", "output"), words, *_EVALUATED, ("preprocess", "outputs"))
    if model.gate.champion is not None and model.registry is None:
        words = "a champion is in a model package group: add the section registry"
        problems.add(("gate", "champion"), words, ("registry",))


def written(job: ProcessingJob | None) -> list[str]:
    """The outputs of a section that a gate and the model quality may name."""
    if isinstance(job, EvaluationJob) and not job.outputs:
        return [METRICS_OUTPUT, *(name for name in job.channels)]
    return list(job.outputs) if job is not None else []
