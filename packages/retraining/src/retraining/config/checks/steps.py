"""What the steps of a pipeline must keep: names, sections, chains, order."""

import posixpath
import re
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any

from retraining.config.checks import gate
from retraining.config.checks import model as unit_checks
from retraining.config.checks.problems import PlacedSteps
from retraining.config.files.yaml_file import Document, Location
from retraining.config.flow import chaining
from retraining.config.flow.chaining import ChainError
from retraining.config.flow.order import GraphError, earlier, measured_by, of, without_disabled
from retraining.config.schema.job import ProcessingJob, TrainingJob, TransformJob
from retraining.config.schema.model import Unit
from retraining.config.schema.pipeline import CACHED, JOBS, NOT_RETRIED, SECTIONS, Pipeline, Step
from retraining.nearest import nearest

# Of SageMaker's quotas, less the two inputs that carry the SDK's code.
PROCESSING_INPUTS = 8
TRAINING_CHANNELS = 18
_STEP_NAME = re.compile(r"[A-Za-z0-9_-]+")
_OF_THE_SDK = ("code", "entrypoint", "sm_drivers")
_CHAINING = (*JOBS, "Condition", "Lambda")
_CHAINED = (*JOBS,)
_AFTER = {
    "CreateModel": ("Training", "Tuning"),
    "RegisterModel": ("Training", "Tuning"),
    "Transform": ("CreateModel",),
}


def check(
    root: Path, document: Document, pipeline: Pipeline, units: dict[str, Unit], models: Collection[str] | None
) -> list[str]:
    """One line per error; `models` are all that are described, also those with errors of their own.

    They are None where not all could be read.
    """
    found = PlacedSteps(document, pipeline, units, models)
    for model, steps in pipeline.models.items():
        if models is not None and model not in models:
            hint = nearest(model, models)
            found.add(
                ("conf", "sagemakerPipeline", "models", model), f"no such model under conf.models{hint}"
            )
        for step in steps.steps:
            _check_step(found, model, step)
            _check_inference(found, root, model, step)
            _check_chain(found, step)
    _check_dependencies(found)
    if not found.errors:
        gate.check_generated_names(found)
        _check_graph(found)
    return found.errors


def _check_step(found: PlacedSteps, model: str, step: Step) -> None:
    sections = SECTIONS[step.step_class]
    if step.step_type is not None and step.step_type not in sections:
        allowed = " or ".join(sections) or "none"
        found.at(step, "step_type", f"a {step.step_class} step runs {allowed}, not {step.step_type}")
    elif model in found.units:
        _check_section(found, found.units[model], model, step)
    if step.enable_cache and step.step_class not in CACHED:
        found.at(step, "enable_cache", f"SageMaker keeps no cache for {step.step_class} steps: leave it out")
    if step.cache_expires_after and not step.enable_cache:
        found.at(step, "cache_expires_after", "it needs enable_cache: true")
    if step.retry is not None and step.step_class in NOT_RETRIED:
        found.at(step, "retry", f"SageMaker does not retry {step.step_class} steps: leave it out")
    for index, policy in enumerate(step.retry or []):
        found.errors += unit_checks.check_retry(
            found.document, (*found.places[step.step_name], "retry", index), policy
        )
        if step.step_class not in JOBS and any(name.startswith("SageMaker.") for name in policy.exceptions):
            found.at(
                step,
                "retry",
                f"a {step.step_class} step runs no job: only Step.SERVICE_FAULT and Step.THROTTLING",
            )
    if (step.error_message is not None) != (step.step_class == "Fail"):
        words = (
            "it says why the execution fails" if step.step_class == "Fail" else "it is for Fail steps only"
        )
        found.at(
            step, "error_message", f"{words}: {'add it' if step.step_class == 'Fail' else 'leave it out'}"
        )
    if step.else_step is not None:
        gate.check_else(found, step)
    classes = _AFTER.get(step.step_class, ())
    active = [other for other in found.pipeline.models[model].steps if other.step_name not in found.disabled]
    if classes and step in active and not any(other.step_class in classes for other in active):
        words = " that is not disabled" if earlier(found.pipeline, model, step, *classes) else ""
        found.at(
            step,
            "step_class",
            f"a {step.step_class} step needs a {' or '.join(classes)} step of model {model!r}{words}",
        )


def _check_inference(found: PlacedSteps, root: Path, model: str, step: Step) -> None:
    """With ModelRepack, the inference code goes into the model: `inference.py`, where no other is named."""
    unit = found.units.get(model)
    if step.step_class not in ("CreateModel", "RegisterModel") or unit is None or unit.registry is None:
        return
    named = unit.transform is not None and unit.transform.entry_point is not None
    folder = root / unit.source_directory
    if (
        unit.registry.ModelRepack
        and not named
        and folder.is_dir()
        and not (folder / "inference.py").is_file()
    ):
        words = f"no file 'inference.py' in {unit.source_directory} to go into the model"
        found.add(
            ("conf", "models", model, "registry"),
            f"{words}: add it, name transform.entry_point, or set ModelRepack: false",
        )


def _check_section(found: PlacedSteps, unit: Unit, model: str, step: Step) -> None:
    if step.step_class == "Processing" and step.step_type is None and unit.preprocess and unit.evaluate:
        found.at(step, "step_type", "preprocess or evaluate is needed: the model has both sections")
    if step.section is not None and chaining.section_of(unit, step) is None:
        found.at(
            step,
            "step_class",
            f"a {step.step_class} step needs the section {step.section!r} of model {model!r}",
        )


def _check_chain(found: PlacedSteps, step: Step) -> None:
    key = "chain_input_source_step"
    names = step.chain_input_source_step
    known = found.pipeline.by_name
    if names and step.step_class not in _CHAINING:
        found.at(step, key, f"a {step.step_class} step reads no outputs of other steps: leave it out")
        return
    for name in names:
        if name not in known:
            hint = f"; write a list: [{name}]" if "," in name else nearest(name, known)
            found.at(step, key, f"no step {name!r}{hint}")
        elif known[name][1].step_class not in _CHAINED:
            found.at(step, key, f"{name!r} is a {known[name][1].step_class} step, which writes no outputs")
        elif name == step.step_name:
            found.at(step, key, "a step cannot chain itself")
        elif names.count(name) > 1:
            found.at(step, key, f"{name!r} stands twice")
        elif name in found.disabled and step.step_name not in found.disabled:
            found.at(step, key, f"{name!r} is disabled: disable this step too, or chain another")
    if step.step_class == "Condition" and len(names) != 1:
        found.at(step, key, "a Condition step chains exactly one step, the one whose output its gate reads")
    if step.chain_input_additional_prefix and (step.step_class != "Transform" or not names):
        found.at(
            step,
            "chain_input_additional_prefix",
            "it is for Transform steps with a chained step: leave it out",
        )


def _check_dependencies(found: PlacedSteps) -> None:
    names = found.pipeline.by_name
    for index, chain in enumerate(found.pipeline.chains):
        here: Location = ("conf", "sagemakerPipeline", "dependencies", index)
        if len(chain) < 2 or not all(map(_STEP_NAME.fullmatch, chain)):
            text = found.pipeline.dependencies[index]
            found.add(here, f"write an order as `a >> b >> c`, not {text!r}")
            continue
        for name in chain:
            if name not in names:
                found.add(here, f"no step {name!r}{nearest(name, names)}")
        for first, second in pairwise(chain):
            if first == second:
                found.add(here, f"step {first!r} cannot wait for itself")


def _check_graph(found: PlacedSteps) -> None:
    complete = set(found.pipeline.models) <= set(found.units)
    if set(found.places) == found.disabled:
        found.add(
            ("conf", "sagemakerPipeline", "models"), "all models and steps are disabled: nothing would run"
        )
        return
    active = without_disabled(found.pipeline, found.units) if complete else found.pipeline
    try:
        graph = of(active, found.units)
    except GraphError as error:
        found.add(_place(found, error.steps), str(error))
        return
    for name, step in graph.steps.items() if complete else ():
        if step.step_class in JOBS:
            _check_inputs(found, active, step)
        if step.step_class == "Condition":
            gate.check_gate_reads(found, active, step)
        if step.step_class in ("Lambda", "RegisterModel"):
            gate.check_gated(found, graph, name)
        if step.step_class == "Fail":
            gate.check_fail(found, graph, name)
        if step.step_class == "RegisterModel":
            _check_quality(found, active, step)
    for model in active.models if complete else ():
        gate.check_gate_runs(found, active, model)


def _place(found: PlacedSteps, steps: tuple[str, ...]) -> Location:
    """What closes a circle: the dependency, or the step that chains, which leads back in the files' order."""
    order = list(found.places)
    back = [pair for pair in pairwise(steps) if order.index(pair[0]) >= order.index(pair[1])]
    for index, chain in enumerate(found.pipeline.chains):
        if set(back) & set(pairwise(chain)):
            return ("conf", "sagemakerPipeline", "dependencies", index)
    return found.places[back[0][1] if back else steps[0]]


def _check_quality(found: PlacedSteps, pipeline: Pipeline, step: Step) -> None:
    """What a registration takes the model's quality from is written by a step."""
    model, _ = pipeline.by_name[step.step_name]
    unit = found.units[model]
    quality = unit.registry.model_quality if unit.registry else None
    if quality is None:
        return
    here: Location = ("conf", "models", model, "registry", "model_quality")
    measured = measured_by(pipeline, model, step)
    if measured is None:
        found.add(here, f"no step runs the section evaluate of model {model!r}: add one, or leave it out")
        return
    written = chaining.outputs_of(unit, measured)
    # What the section does not write at all is reported there.
    if quality.output not in written and quality.output in unit_checks.written(unit.evaluate):
        words = f"step {measured.step_name!r} writes {', '.join(written)}, and no {quality.output!r}"
        found.add((*here, "output"), words)


def _check_inputs(found: PlacedSteps, pipeline: Pipeline, step: Step) -> None:
    unit = found.units[pipeline.by_name[step.step_name][0]]
    job: Any = unit.train if step.step_class == "Tuning" else chaining.section_of(unit, step)
    try:
        inputs = chaining.inputs_of(pipeline, found.units, step)
    except ChainError as error:
        found.at(step, "chain_input_source_step", str(error))
        return
    own = isinstance(job, TransformJob) and any(channel.dataFiles for channel in job.channels.values())
    if own and step.chain_input_source_step:
        found.at(step, "chain_input_source_step", "the section transform has dataFiles already: keep one")
    names = [item.name for item in inputs]
    if isinstance(job, TrainingJob) and job.model_data_uri is not None:
        if "model" in names:
            found.at(
                step, "chain_input_source_step", "model_data_uri fills the channel 'model' already: keep one"
            )
        names.append("model")
    taken = [name for name in names if name in _OF_THE_SDK]
    if taken:
        found.at(
            step, "chain_input_source_step", f"the input {taken[0]!r} carries the SDK's code: rename yours"
        )
    limit = TRAINING_CHANNELS if isinstance(job, TrainingJob) else PROCESSING_INPUTS
    if len(names) > limit:
        found.at(
            step,
            "chain_input_source_step",
            f"{len(names)} inputs: SageMaker leaves room for {limit} beside the code",
        )
    long = [item.name for item in inputs if len(item.name) > 64]
    if long and isinstance(job, TrainingJob):
        found.at(
            step,
            "chain_input_source_step",
            f"a channel's name has at most 64 characters: {long[0]!r} has {len(long[0])}",
        )
    outputs = chaining.outputs_of(unit, step)
    if isinstance(job, ProcessingJob):
        _check_paths(found, step, "inputs", [item.path for item in inputs])
        _check_paths(found, step, "outputs", list(outputs.values()))
    if isinstance(job, ProcessingJob) and len(outputs) > 10:
        found.at(step, "step_class", f"{len(outputs)} outputs: SageMaker allows 10")


def _check_paths(found: PlacedSteps, step: Step, noun: str, paths: list[str]) -> None:
    folders = [posixpath.normpath(path) for path in paths]
    repeated = sorted({folder for folder in folders if folders.count(folder) > 1})
    if repeated:
        found.at(step, "step_class", f"two {noun} stand in {repeated[0]}: give each its own folder")
