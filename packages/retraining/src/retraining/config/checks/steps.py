"""Checks of a pipeline's steps: names, sections, chains, order."""

import re
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any

from retraining.config.checks import gate, programs
from retraining.config.checks.folders import check_processing_folders
from retraining.config.checks.model import check_retry, written
from retraining.config.checks.step_problems import StepProblems
from retraining.config.files.problems import Problems
from retraining.config.flow import chaining, order
from retraining.config.flow.chaining import ChainError
from retraining.config.flow.order import GraphError
from retraining.config.schema.job import ProcessingJob, TrainingJob, TransformJob
from retraining.config.schema.model import Model
from retraining.config.schema.pipeline import CACHED, JOBS, NOT_RETRIED, SECTIONS, Pipeline, Step
from retraining.errors import Location, suggestion_or_all

# Of SageMaker's quotas, less the two inputs that carry the SDK's code.
PROCESSING_INPUTS = 8
TRAINING_CHANNELS = 18
_STEP_NAME = re.compile(r"[A-Za-z0-9_-]+")
_OF_THE_SDK = ("code", "entrypoint", "sm_drivers")
_CHAINING = (*JOBS, "Condition", "Lambda")
_CHAINED = (*JOBS,)
_TRAINING = ("Training", "Tuning")
_AFTER = {"Transform": ("CreateModel",)}
_PIPELINE = ("conf", "sagemakerPipeline")
_SOURCES = "chain_input_source_step"


def check_steps(
    problems: Problems,
    root: Path,
    pipeline: Pipeline,
    models: dict[str, Model],
    model_names: Collection[str] | None,
) -> None:
    """Check the steps and their order.

    Args:
        models: those whose form is right.
        model_names: all that are described; None where not all could be read.
    """
    own = Problems(problems.document)
    steps = StepProblems(own, pipeline, models, model_names)
    for model_name, described in pipeline.models.items():
        if model_names is not None and model_name not in model_names:
            hint = suggestion_or_all(model_name, model_names)
            own.add((*_PIPELINE, "models", model_name), f"no such model under conf.models{hint}")
        for step in described.steps:
            _check_step(steps, model_name, step)
            if step.step_class == "Lambda" and step.registers:
                programs.check_registering(steps, root, step)
            _check_inference(steps, root, model_name, step)
            _check_chain(steps, step)
    _check_dependencies(steps)
    if not own.collected:
        gate.check_generated_names(steps)
        _check_graph(steps)
    problems.collected += own.collected


def _check_step(steps: StepProblems, model_name: str, step: Step) -> None:
    sections = SECTIONS[step.step_class]
    if step.step_type is not None and step.step_type not in sections:
        allowed = " or ".join(sections) or "none"
        steps.add(step, "step_type", f"a {step.step_class} step runs {allowed}, not {step.step_type}")
    elif model_name in steps.models:
        _check_section(steps, steps.models[model_name], model_name, step)
    if step.enable_cache and step.step_class not in CACHED:
        words = f"SageMaker keeps no cache for {step.step_class} steps: leave it out"
        steps.add(step, "enable_cache", words)
    if step.cache_expires_after and not step.enable_cache:
        steps.add(step, "cache_expires_after", "it needs enable_cache: true")
    _check_retries(steps, step)
    if step.step_class == "Fail" and step.error_message is None:
        steps.add(step, "error_message", "it says why the execution fails: add it")
    elif step.step_class != "Fail" and step.error_message is not None:
        steps.add(step, "error_message", "it is for Fail steps only: leave it out")
    if step.else_step is not None:
        gate.check_else(steps, step)
    _check_after(steps, model_name, step)


def _check_retries(steps: StepProblems, step: Step) -> None:
    if step.retry is not None and step.step_class in NOT_RETRIED:
        steps.add(step, "retry", f"SageMaker does not retry {step.step_class} steps: leave it out")
    for index, policy in enumerate(step.retry or []):
        check_retry(steps.problems, (*steps.keys[step.step_name], "retry", index), policy)
        if step.step_class not in JOBS and any(name.startswith("SageMaker.") for name in policy.exceptions):
            words = f"a {step.step_class} step runs no job: only Step.SERVICE_FAULT and Step.THROTTLING"
            steps.add(step, "retry", words)


def _check_after(steps: StepProblems, model_name: str, step: Step) -> None:
    """A step that takes a model has a step before it that makes one."""
    classes = _TRAINING if step.takes_model else _AFTER.get(step.step_class, ())
    active = [
        other for other in steps.pipeline.models[model_name].steps if other.step_name not in steps.disabled
    ]
    if classes and step in active and not any(other.step_class in classes for other in active):
        is_there = order.earlier(steps.pipeline, model_name, step, *classes)
        words = f"a {step.step_class} step needs a {' or '.join(classes)} step of model {model_name!r}"
        steps.add(step, "step_class", f"{words} that is not disabled" if is_there else words)


def _check_inference(steps: StepProblems, root: Path, model_name: str, step: Step) -> None:
    """With ModelRepack, the inference code goes into the model: `inference.py`, where no other is named."""
    model = steps.models.get(model_name)
    if not step.takes_model or model is None or model.registry is None:
        return
    named = model.transform is not None and model.transform.entry_point is not None
    folder = root / model.source_directory
    is_missing = folder.is_dir() and not (folder / "inference.py").is_file()
    if model.registry.ModelRepack and not named and is_missing:
        words = f"no file 'inference.py' in {model.source_directory} to go into the model"
        words = f"{words}: add it, name transform.entry_point, or set ModelRepack: false"
        steps.problems.add(("conf", "models", model_name, "registry"), words)


def _check_section(steps: StepProblems, model: Model, model_name: str, step: Step) -> None:
    if step.step_class == "Processing" and step.step_type is None and model.preprocess and model.evaluate:
        steps.add(step, "step_type", "preprocess or evaluate is needed: the model has both sections")
    if step.section is not None and model.section(step.section) is None:
        words = f"a {step.step_class} step needs the section {step.section!r} of model {model_name!r}"
        steps.add(step, "step_class", words)


def _check_chain(steps: StepProblems, step: Step) -> None:
    names = step.chain_input_source_step
    known = steps.pipeline.by_name
    if names and step.step_class not in _CHAINING:
        words = f"a {step.step_class} step reads no outputs of other steps: leave it out"
        steps.add(step, _SOURCES, words)
        return
    for name in names:
        if name not in known:
            hint = f"; write a list: [{name}]" if "," in name else suggestion_or_all(name, known)
            steps.add(step, _SOURCES, f"no step {name!r}{hint}")
        elif known[name][1].step_class not in _CHAINED:
            words = f"{name!r} is a {known[name][1].step_class} step, which writes no outputs"
            steps.add(step, _SOURCES, words)
        elif name == step.step_name:
            steps.add(step, _SOURCES, "a step cannot chain itself")
        elif names.count(name) > 1:
            steps.add(step, _SOURCES, f"{name!r} is listed twice")
        elif name in steps.disabled and step.step_name not in steps.disabled:
            steps.add(step, _SOURCES, f"{name!r} is disabled: disable this step too, or chain another")
    if step.step_class == "Condition" and len(names) != 1:
        words = "a Condition step chains exactly one step, the one whose output its gate reads"
        steps.add(step, _SOURCES, words)
    if step.chain_input_additional_prefix and (step.step_class != "Transform" or not names):
        words = "it is for Transform steps with a chained step: leave it out"
        steps.add(step, "chain_input_additional_prefix", words)


def _check_dependencies(steps: StepProblems) -> None:
    names = steps.pipeline.by_name
    for index, chain in enumerate(steps.pipeline.chains):
        problems = steps.problems.at(*_PIPELINE, "dependencies", index)
        if len(chain) < 2 or not all(map(_STEP_NAME.fullmatch, chain)):
            text = steps.pipeline.dependencies[index]
            problems.add((), f"write an order as `a >> b >> c`, not {text!r}")
            continue
        for name in chain:
            if name not in names:
                problems.add((), f"no step {name!r}{suggestion_or_all(name, names)}")
        for first, second in pairwise(chain):
            if first == second:
                problems.add((), f"step {first!r} cannot wait for itself")


def _check_graph(steps: StepProblems) -> None:
    complete = set(steps.pipeline.models) <= set(steps.models)
    if set(steps.keys) == steps.disabled:
        words = "all models and steps are disabled: nothing would run"
        steps.problems.add((*_PIPELINE, "models"), words)
        return
    active = order.without_disabled(steps.pipeline, steps.models) if complete else steps.pipeline
    try:
        graph = order.dag_of(active, steps.models)
    except GraphError as error:
        steps.problems.add(_key_of(steps, error.steps), str(error))
        return
    for name, step in graph.steps.items() if complete else ():
        if step.step_class in JOBS:
            _check_inputs(steps, active, step)
        if step.step_class == "Condition":
            gate.check_gate_reads(steps, active, step)
        if step.step_class in ("Lambda", "RegisterModel"):
            gate.check_gated(steps, graph, name)
        if step.step_class == "Fail":
            gate.check_fail(steps, graph, name)
        if step.registers:
            _check_quality(steps, active, step)
    for model_name in active.models if complete else ():
        gate.check_gate_runs(steps, active, model_name)


def _key_of(steps: StepProblems, circle: tuple[str, ...]) -> Location:
    """What closes a circle: the dependency, or the step that chains, which leads back in the files' order."""
    names = list(steps.keys)
    back = [pair for pair in pairwise(circle) if names.index(pair[0]) >= names.index(pair[1])]
    for index, chain in enumerate(steps.pipeline.chains):
        if set(back) & set(pairwise(chain)):
            return (*_PIPELINE, "dependencies", index)
    return steps.keys[back[0][1] if back else circle[0]]


def _check_quality(steps: StepProblems, pipeline: Pipeline, step: Step) -> None:
    """What a registration takes the model's quality from is written by a step."""
    model_name, _ = pipeline.by_name[step.step_name]
    model = steps.models[model_name]
    quality = model.registry.model_quality if model.registry else None
    if quality is None:
        return
    problems = steps.problems.at("conf", "models", model_name, "registry", "model_quality")
    measured = order.measured_by(pipeline, model_name, step)
    if measured is None:
        words = f"no step runs the section evaluate of model {model_name!r}: add one, or leave it out"
        problems.add((), words)
        return
    outputs = chaining.outputs_of(model, measured)
    # An output that the section does not write at all is reported there.
    if quality.output not in outputs and quality.output in written(model.evaluate):
        words = f"step {measured.step_name!r} writes {', '.join(outputs)}, and no {quality.output!r}"
        problems.add(("output",), words)


def _check_inputs(steps: StepProblems, pipeline: Pipeline, step: Step) -> None:
    model = steps.models[pipeline.by_name[step.step_name][0]]
    job: Any = model.train if step.step_class == "Tuning" else chaining.section_of(model, step)
    try:
        inputs = chaining.inputs_of(pipeline, steps.models, step)
    except ChainError as error:
        steps.add(step, _SOURCES, str(error))
        return
    own = isinstance(job, TransformJob) and any(channel.dataFiles for channel in job.channels.values())
    if own and step.chain_input_source_step:
        steps.add(step, _SOURCES, "the section transform has dataFiles already: keep one")
    names = [item.name for item in inputs]
    if isinstance(job, TrainingJob) and job.model_data_uri is not None:
        if "model" in names:
            steps.add(step, _SOURCES, "model_data_uri fills the channel 'model' already: keep one")
        names.append("model")
    taken = [name for name in names if name in _OF_THE_SDK]
    if taken:
        steps.add(step, _SOURCES, f"the input {taken[0]!r} carries the SDK's code: rename yours")
    limit = TRAINING_CHANNELS if isinstance(job, TrainingJob) else PROCESSING_INPUTS
    if len(names) > limit:
        words = f"{len(names)} inputs: SageMaker takes {limit} in addition to the code"
        steps.add(step, _SOURCES, words)
    long = [item.name for item in inputs if len(item.name) > 64]
    if long and isinstance(job, TrainingJob):
        words = f"a channel's name has at most 64 characters: {long[0]!r} has {len(long[0])}"
        steps.add(step, _SOURCES, words)
    outputs = chaining.outputs_of(model, step)
    if isinstance(job, ProcessingJob):
        check_processing_folders(steps, step, job, inputs, outputs)
    if isinstance(job, ProcessingJob) and len(outputs) > 10:
        steps.add(step, "step_class", f"{len(outputs)} outputs: SageMaker allows 10")
