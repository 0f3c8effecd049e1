"""What a step reads: its own data, and outputs of the steps that it chains.

There are two ways to name chained data:

by name
    A channel without data files takes the chained output of its name. A training job reads so, and a
    processing job that declares `outputs`.
the framework's
    A processing job without `outputs` writes one output per channel, and reads chained outputs as
    ``<step>-input-<output>`` (class Processing) or ``<step>-<channel>`` (class Metrics). A training job
    reads what no channel of its asked for as ``<step>-<output>``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retraining.config.schema.job import Channel, Job, ProcessingJob, TrainingJob, TransformJob
from retraining.config.schema.model import Model
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.pipeline import Pipeline, Step

OUTPUT_FOLDER = "/opt/ml/processing/output"
DEFAULT_CHANNEL = "train"
METRICS_OUTPUT = "model_evaluation_metrics"


class ChainError(Exception):
    """A step's inputs are not determined; the message says why."""


@dataclass(frozen=True)
class Input:
    """One input of a job: `uri` in S3, or `output` of `step`; `path` is where a processing job finds it."""

    name: str
    path: str = ""
    uri: str | Parameter | None = None
    step: str | None = None
    output: str | None = None


def section_of(model: Model, step: Step) -> Any:
    """The section that a step runs; None where the model has none of that name."""
    return model.section(step.section) if step.section else None


def outputs_of(model: Model, step: Step) -> dict[str, str]:
    """Names of what a step writes, with the container's folder of each (empty where it has none)."""
    if step.step_class in ("Training", "Tuning"):
        return {"model": ""}
    if step.step_class == "Transform":
        return {"transform": ""}
    job = section_of(model, step)
    if not isinstance(job, ProcessingJob):
        return {}
    folder = (job.location.outputLocalFilepath or OUTPUT_FOLDER).rstrip("/")
    if job.outputs:
        return {name: f"{folder}/{name}" for name in job.outputs}
    if step.step_class == "Metrics":
        own = next((channel.location.outputLocalFilepath for channel in job.channels.values()), None)
        return {METRICS_OUTPUT: own or folder}
    channels = job.channels or {DEFAULT_CHANNEL: Channel()}
    return {
        name: channel.location.outputLocalFilepath or f"{folder}/{name}" for name, channel in channels.items()
    }


def declares_outputs(model: Model, step: Step) -> bool:
    """Whether a step's outputs are chained by name alone."""
    job = section_of(model, step)
    return not isinstance(job, ProcessingJob) or bool(job.outputs)


def inputs_of(pipeline: Pipeline, models: dict[str, Model], step: Step) -> list[Input]:
    """All inputs of a job, its own data first.

    Raises:
        ChainError: nothing fills a channel, or more than one thing would.
    """
    steps = pipeline.by_name
    model = models[steps[step.step_name][0]]
    sources = [(models[steps[name][0]], steps[name][1]) for name in step.chain_input_source_step]
    job = model.train if step.step_class == "Tuning" else section_of(model, step)
    if isinstance(job, TransformJob):
        return [_transformed(job, step, sources)]
    if isinstance(job, TrainingJob):
        inputs = [*_own_channels(job), *_by_name(job, sources, "")]
    elif job.outputs:
        base = job.inputLocalFilepath.rstrip("/")
        inputs = [*_own_files(job), *_by_name(job, sources, base)]
    elif step.step_class == "Metrics":
        inputs = [*_own_files(job), *_measured(job, sources)]
    else:
        inputs = [*_own_files(job), *_processed(job, sources)]
    names = [item.name for item in inputs]
    for name in names:
        if names.count(name) > 1:
            raise ChainError(f"two of its inputs are called {name!r}: give each sourceName its own name")
    return inputs


def data_uri(channel: Channel, index: int) -> str | Parameter:
    """Where a channel's data file is: an S3 URI, or the parameter that holds one."""
    name = channel.dataFiles[index].fileName
    if isinstance(name, Parameter) or name.startswith("s3://"):
        return name
    parts = [channel.s3BucketName or "", channel.inputBucketPrefix.strip("/"), name.lstrip("/")]
    return "s3://" + "/".join(part for part in parts if part)


def _own_channels(job: TrainingJob) -> Iterator[Input]:
    for name, channel in job.channels.items():
        if len(channel.dataFiles) > 1:
            raise ChainError(
                f"channel {name!r} has {len(channel.dataFiles)} dataFiles: a training channel reads one"
            )
        if channel.dataFiles:
            yield Input(name, uri=data_uri(channel, 0))


def _own_files(job: ProcessingJob) -> Iterator[Input]:
    for name, channel in job.channels.items():
        base = (channel.inputLocalFilepath or job.inputLocalFilepath).rstrip("/")
        for index, file in enumerate(channel.dataFiles):
            source = file.sourceName or name
            yield Input(source, f"{base}/{source}", uri=data_uri(channel, index))


def _by_name(job: Job, sources: list[tuple[Model, Step]], base: str) -> Iterator[Input]:
    """Empty channels take the output of their name; a job without channels takes all outputs."""
    written = [(model, step, output) for model, step in sources for output in outputs_of(model, step)]
    waiting = [name for name, channel in job.channels.items() if not channel.dataFiles]
    for name in waiting:
        fillers = [step.step_name for _, step, output in written if output == name]
        if not fillers:
            listed = ", ".join(output for _, _, output in written) or "nothing"
            raise ChainError(f"channel {name!r} has no dataFiles, and its chained steps write {listed}")
        if len(fillers) > 1:
            raise ChainError(
                f"channel {name!r} would be filled by both {' and '.join(fillers)}: chain one of them"
            )
        folder = job.channels[name].inputLocalFilepath or base
        yield Input(name, f"{folder}/{name}", step=fillers[0], output=name)
    for model, step, output in written:
        if output in waiting:
            continue
        if not declares_outputs(model, step):
            name = f"{step.step_name}-{output}"
        elif not job.channels:
            name = output
        else:
            continue
        yield Input(name, f"{base}/{name}", step=step.step_name, output=output)


def _processed(job: ProcessingJob, sources: list[tuple[Model, Step]]) -> Iterator[Input]:
    """The framework's names for a Processing step: ``<step>-input-<channel of the source>``."""
    base = job.inputLocalFilepath.rstrip("/")
    for model, step in sources:
        outputs = outputs_of(model, step)
        single = next(iter(outputs)) if step.step_class in ("Training", "Tuning", "Transform") else None
        source = model.train if step.step_class == "Tuning" else section_of(model, step)
        names = (source.channels or {DEFAULT_CHANNEL: None}) if single else outputs
        for channel in names:
            name = f"{step.step_name}-input-{channel}"
            yield Input(name, f"{base}/{name}", step=step.step_name, output=single or channel)


def _measured(job: ProcessingJob, sources: list[tuple[Model, Step]]) -> Iterator[Input]:
    """The framework's names for a Metrics step: ``<step>-<channel>``, with one channel of its own."""
    if len(job.channels) > 1:
        raise ChainError(
            f"a Metrics step has one channel, not {', '.join(job.channels)}; "
            "with `outputs` it may have several"
        )
    channel, settings = next(iter(job.channels.items()), (DEFAULT_CHANNEL, Channel()))
    base = (settings.inputLocalFilepath or job.inputLocalFilepath).rstrip("/")
    for model, step in sources:
        output = _output(model, step, channel)
        yield Input(
            f"{step.step_name}-input",
            f"{base}/{step.step_name}-{channel}",
            step=step.step_name,
            output=output,
        )


def _output(model: Model, step: Step, channel: str) -> str:
    """The output of a chained step that fills a channel: the one of its name, or the only one."""
    outputs = outputs_of(model, step)
    if channel in outputs:
        return channel
    if len(outputs) == 1 and (declares_outputs(model, step) or step.step_class == "Metrics"):
        return next(iter(outputs))
    raise ChainError(f"step {step.step_name!r} writes {', '.join(outputs) or 'nothing'}, and no {channel!r}")


def _transformed(job: TransformJob, step: Step, sources: list[tuple[Model, Step]]) -> Input:
    channel, settings = next(iter(job.channels.items()), (None, Channel()))
    if len(sources) > 1:
        raise ChainError("a Transform step chains one step, not several")
    if sources:
        model, source = sources[0]
        outputs = outputs_of(model, source)
        wanted = channel or (next(iter(outputs)) if len(outputs) == 1 else DEFAULT_CHANNEL)
        return Input(wanted, step=source.step_name, output=_output(model, source, wanted))
    if len(settings.dataFiles) != 1:
        raise ChainError(
            f"a Transform step reads one file or prefix: channels has {len(settings.dataFiles)} dataFiles "
            "and chain_input_source_step is empty"
        )
    return Input(channel or DEFAULT_CHANNEL, uri=data_uri(settings, 0))
