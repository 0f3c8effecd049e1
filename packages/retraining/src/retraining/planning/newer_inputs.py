"""Objects in the inputs of a reused step that are newer than its result.

SageMaker's cache key has an input's URI, never its content, so a step is reused whatever was put there since.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from retraining.compile.compiled import Made, Run
from retraining.planning import history
from retraining.planning.history import Past

# So many pages of a prefix, of 1000 objects each, are looked at.
_PAGES = 3
_SECTIONS = ("ProcessingInputs", "InputDataConfig", "TransformInput")


@dataclass(frozen=True)
class NewerInput:
    """An input of a reused step with `count` objects that are newer than the result, or (not `all_seen`)
    at least so many; `parameter` is the pipeline parameter whose value the URI is, if there is one."""

    step: str
    uri: str
    parameter: str | None
    count: int
    all_seen: bool

    def __str__(self) -> str:
        objects = f"{'' if self.all_seen else 'at least '}{self.count} object{'s' * (self.count != 1)}"
        are = "is" if self.count == 1 else "are"
        give = f"pass it with --param {self.parameter}=s3://..." if self.parameter else "name it in conf.yaml"
        return (
            f"{self.step}: {objects} below {self.uri} {are} newer than the result that is reused, and not "
            f"in it: put new data under a new prefix and {give}, or set "
            "enable_cache: false or a shorter cache_expires_after for the step"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "uri": self.uri,
            "parameter": self.parameter,
            "newer_objects": self.count,
            "all_seen": self.all_seen,
        }


def find(past: list[Past], results: Iterable[tuple[Run, str]]) -> list[NewerInput]:
    """The inputs with newer objects of `results` (the run in which a step really ran, and the step).

    Inputs that other steps write are left out. Where a prefix may not be listed, or it is not known when a
    step began, nothing is found.
    """
    s3 = boto3.client("s3")
    known = {item.run.arn: item.steps for item in past}
    inputs = [
        (name, uri, parameter, known[run.arn][name].started)
        for run, name in results
        if run.arn in known and name in known[run.arn]
        for uri, parameter in _inputs(run, name).items()
    ]

    def look(item: tuple[str, str, str | None, datetime | None]) -> NewerInput | None:
        name, uri, parameter, started = item
        count, all_seen = (0, True) if started is None else _newer(s3, uri, started)
        return NewerInput(name, uri, parameter, count, all_seen) if count else None

    with ThreadPoolExecutor(8) as pool:
        return [newer for newer in pool.map(look, inputs) if newer is not None]


def find_in_execution(pipeline: str, arn: str, steps: Collection[str]) -> list[NewerInput]:
    """The same for those of `steps` that an execution has reused."""
    past = history.past_of(pipeline, [arn])
    origins = next(item.run.origins for item in past if item.run.arn == arn)
    return find(past, [(run, name) for name, run in origins.items() if name in steps])


def _inputs(run: Run, name: str) -> dict[str, str | None]:
    """The S3 URIs that a step reads and no step writes, each with the parameter whose value it is."""
    arguments = run.definition.steps[name].arguments
    tuned = arguments.get("TrainingJobDefinition")
    jobs = [arguments, *([tuned] if tuned else []), *(arguments.get("TrainingJobDefinitions") or [])]
    parameters: dict[str, str | None] = {}
    for raw in itertools.chain.from_iterable(_uris(job.get(part)) for job in jobs for part in _SECTIONS):
        uri = run.value(raw)
        is_made = not isinstance(uri, str) or isinstance(uri, Made)
        if not is_made and uri.startswith("s3://") and not _is_code(uri, run.pipeline):
            parameters.setdefault(uri, _parameter(raw))
    return parameters


def _uris(value: Any) -> Iterator[Any]:
    """Every S3Uri in a part of a job's arguments."""
    if isinstance(value, list):
        for item in value:
            yield from _uris(item)
    elif isinstance(value, dict):
        if "S3Uri" in value:
            yield value["S3Uri"]
        for item in value.values():
            yield from _uris(item)


def _is_code(uri: str, pipeline: str) -> bool:
    """Code is stored under the hash of its content: it cannot change."""
    return uri.removeprefix("s3://").partition("/")[2].startswith(f"{pipeline}/code/")


def _parameter(raw: Any) -> str | None:
    reference = raw.get("Get", "") if isinstance(raw, dict) else ""
    return reference.removeprefix("Parameters.") if reference.startswith("Parameters.") else None


def _newer(s3: Any, uri: str, since: datetime) -> tuple[int, bool]:
    """How many objects below a URI are newer, and whether all of them were looked at."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    count, truncated = 0, False
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in itertools.islice(pages, _PAGES):
            truncated = page.get("IsTruncated", False)
            # S3's console makes empty objects for folders.
            files = (item for item in page.get("Contents", []) if not item["Key"].endswith("/"))
            count += sum(item["LastModified"] > since for item in files)
    except (ClientError, ParamValidationError):
        return 0, True
    return count, not truncated
