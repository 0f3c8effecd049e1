"""The folders of a job: what it reads is not in, or around, what it writes."""

import posixpath
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from retraining.config.checks.step_problems import StepProblems
from retraining.config.files.problems import Problems
from retraining.config.flow.chaining import Input
from retraining.config.schema.job import ProcessingJob, TrainingJob
from retraining.config.schema.pipeline import Step
from retraining.errors import Location

# The SDK puts a job's program there, and SageMaker its configuration.
_OF_PROCESSING = {
    "/opt/ml/processing/input/code": "the job's program",
    "/opt/ml/processing/input/entrypoint": "the job's program",
    "/opt/ml/config": "the job's configuration",
}
# What SageMaker fills, or uploads by itself.
_OF_TRAINING = {
    "/opt/ml/input": "the inputs",
    "/opt/ml/model": "the model",
    "/opt/ml/output": "the output",
}


class _Folder(NamedTuple):
    """`key` is the one of the section's keys that sets it; None where none does."""

    path: str
    words: str
    key: Location | None = None


def check_processing_folders(
    steps: StepProblems, step: Step, job: ProcessingJob, inputs: list[Input], outputs: dict[str, str]
) -> None:
    """No two folders overlap: SageMaker uploads all that is below an output's, and a script reads so too."""
    reads = [
        _Folder(posixpath.normpath(item.path), f"input {item.name!r}", _input_key(job, item))
        for item in inputs
    ]
    writes = [
        _Folder(posixpath.normpath(path), f"output {name!r}", _output_key(job, name))
        for name, path in outputs.items()
    ]
    for noun, folders in (("inputs", reads), ("outputs", writes)):
        paths = [folder.path for folder in folders]
        repeated = sorted({path for path in paths if paths.count(path) > 1})
        if repeated:
            words = f"two {noun} are in {repeated[0]}: give each its own folder"
            steps.add(step, "step_class", words)
            return
    taken = [_Folder(path, what) for path, what in _OF_PROCESSING.items()]
    overlap = next(_overlapping([*reads, *writes], taken), None)
    if overlap is not None:
        first, second = overlap
        words = (
            f"{first.words} is in {first.path}, and {second.words} in {second.path}: choose folders of which "
            "none is in the other"
        )
        key = first.key or second.key
        if key is None:
            steps.add(step, "step_class", words)
        else:
            model_name, _ = steps.pipeline.by_name[step.step_name]
            steps.problems.add(("conf", "models", model_name, str(step.section), *key), words)


def check_checkpoint_folder(problems: Problems, job: TrainingJob) -> None:
    """SageMaker uploads the folder of the checkpoints while the job runs."""
    own = _Folder(posixpath.normpath(job.checkpoint_local_path), "")
    for _, other in _overlapping([own], [_Folder(path, what) for path, what in _OF_TRAINING.items()]):
        words = f"it holds the checkpoints, and {other.path} {other.words}: choose a folder beside it"
        problems.add(("checkpoint_local_path",), words)


def _overlapping(folders: list[_Folder], taken: list[_Folder]) -> Iterator[tuple[_Folder, _Folder]]:
    """Pairs of which one is the other, or is in it; none of them among `taken` alone."""
    pairs = [*combinations(folders, 2), *((folder, other) for folder in folders for other in taken)]
    for first, second in pairs:
        if posixpath.commonpath([first.path, second.path]) in (first.path, second.path):
            yield first, second


def _input_key(job: ProcessingJob, item: Input) -> Location | None:
    for name, channel in job.channels.items():
        own = channel.inputLocalFilepath
        if own is not None and posixpath.dirname(item.path) == own.rstrip("/"):
            return ("channels", name, "inputLocalFilepath")
    return ("inputLocalFilepath",) if "inputLocalFilepath" in job.model_fields_set else None


def _output_key(job: ProcessingJob, name: str) -> Location | None:
    if name in job.channels and job.channels[name].location.outputLocalFilepath is not None:
        return ("channels", name, "location", "outputLocalFilepath")
    return ("location", "outputLocalFilepath") if job.location.outputLocalFilepath is not None else None
