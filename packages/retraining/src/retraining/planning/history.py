"""The last executions of a pipeline, with the inputs and results of their steps; all through boto3."""

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.compile.compiled import Run, read
from retraining.runs import executions

_CONVERT: dict[str, Callable[[str], Any]] = {
    "Integer": lambda text: int(text) if text.lstrip("-").isdigit() else int(float(text)),
    "Float": float,
    "Boolean": lambda text: text.lower() == "true",
}


@dataclass(frozen=True)
class PastStep:
    """A step that succeeded: end, the execution that its result was taken from, its job's name, start."""

    ended: datetime
    source: str | None = None
    job: str = ""
    started: datetime | None = None


@dataclass
class Past:
    """One execution: its run, and the steps that succeeded in it."""

    run: Run
    steps: dict[str, PastStep] = field(default_factory=dict)


def load(pipeline: str, most: int) -> tuple[list[Past], bool]:
    """The last `most` executions of a deployed pipeline, from `past_of`, and whether there are more."""
    client = boto3.client("sagemaker")
    pages = client.get_paginator("list_pipeline_executions").paginate(
        PipelineName=pipeline, SortOrder="Descending", PaginationConfig={"MaxItems": most + 1}
    )
    arns = [item["PipelineExecutionArn"] for page in pages for item in page["PipelineExecutionSummaries"]]
    return past_of(pipeline, arns[:most]), len(arns) > most


def past_of(pipeline: str, arns: list[str]) -> list[Past]:
    """These executions of a pipeline in their order, and at the end those whose results they took over."""
    client = boto3.client("sagemaker")
    with ThreadPoolExecutor(8) as pool:
        recent = pool.map(lambda arn: _past(client, pipeline, arn), arns)
        known = {past.run.arn: past for past in recent}
        sources = {step.source for past in known.values() for step in past.steps.values() if step.source}
        for past in pool.map(lambda arn: _source(client, pipeline, arn), sorted(sources - set(known))):
            if past is not None:
                known[past.run.arn] = past
    for past in known.values():
        for name, step in list(past.steps.items()):
            if step.source is not None:
                past.run.origins[name], past.steps[name] = _origin(known, past, name)
    return list(known.values())


def _origin(known: dict[str | None, Past], past: Past, name: str) -> tuple[Run, PastStep]:
    """The run in which the step really ran, as far back as it is known, and how it was there."""
    seen: set[str | None] = set()
    step = past.steps[name]
    run = past.run
    while step.source is not None and step.source not in seen:
        seen.add(step.source)
        source = known.get(step.source)
        if source is None or name not in source.steps:
            return replace(run, arn=step.source, origins={}), step
        run, step = source.run, source.steps[name]
    return run, step


def _source(client: Any, pipeline: str, arn: str) -> Past | None:
    with contextlib.suppress(ClientError):  # deleted since
        return _past(client, pipeline, arn)
    return None


def _past(client: Any, pipeline: str, arn: str) -> Past:
    answer = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    definition = read(answer["PipelineDefinition"])
    given = executions.parameters(arn)
    run = Run(definition, values(definition.parameters, given), arn, pipeline)
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
    items = [item for page in pages for item in page["PipelineExecutionSteps"]]
    return Past(run, {item["StepName"]: _step(item) for item in items if _is_result(item)})


def _is_result(item: dict[str, Any]) -> bool:
    return bool(item["StepStatus"] == "Succeeded" and item.get("EndTime"))


def _step(item: dict[str, Any]) -> PastStep:
    taken = item.get("CacheHitResult") or item.get("SelectiveExecutionResult") or {}
    metadata = item.get("Metadata") or {}
    job = next((value["Arn"] for key, value in metadata.items() if key.endswith("Job")), "")
    return PastStep(
        ended=item["EndTime"],
        source=taken.get("SourcePipelineExecutionArn"),
        job=job.rsplit("/", 1)[-1],
        started=item.get("StartTime"),
    )


def values(declared: dict[str, dict[str, Any]], given: dict[str, str]) -> dict[str, Any]:
    """Every declared parameter's value in its type: as given in text, or else its default."""
    typed = {}
    for name, parameter in declared.items():
        text = given.get(name, parameter.get("DefaultValue"))
        convert = _CONVERT.get(parameter["Type"], str)
        typed[name] = None if text is None else convert(str(text))
    return typed


def deleted(history: list[Past], results: Iterable[tuple[Run, str]]) -> set[tuple[str, str]]:
    """ARN and step of those of `results` (run, step) whose outputs are no longer in S3.

    An output may have been empty from the start, so only a step all of whose outputs are empty counts.
    """
    s3 = boto3.client("s3")
    known = {past.run.arn: past for past in history}

    def is_gone(item: tuple[Run, str]) -> bool:
        run, name = item
        uris = _output_uris(run, name, known[run.arn].steps[name].job) if run.arn in known else []
        return bool(uris) and not any(_holds(s3, uri) for uri in uris)

    listed = list(results)
    with ThreadPoolExecutor(8) as pool:
        are_gone = pool.map(is_gone, listed)
        return {(str(run.arn), name) for (run, name), gone in zip(listed, are_gone, strict=True) if gone}


def _output_uris(run: Run, name: str, job: str) -> list[str]:
    """Where a step's results are, as far as its arguments say it."""
    arguments = run.definition.steps[name].arguments
    listed = (arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    uris = [run.value(item.get("S3Output", {}).get("S3Uri")) for item in listed]
    uris.append(run.value((arguments.get("TransformOutput") or {}).get("S3OutputPath")))
    model = run.value((arguments.get("OutputDataConfig") or {}).get("S3OutputPath"))
    return [str(uri) for uri in uris if uri] + ([f"{model.rstrip('/')}/{job}/"] if model and job else [])


def _holds(s3: Any, uri: str) -> bool:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return bool(s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount"))
    except ClientError:
        return False
