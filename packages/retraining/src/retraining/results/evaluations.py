"""What the evaluations of an execution measured, read from their outputs."""

from contextlib import suppress
from dataclasses import dataclass, field

import boto3

from retraining.config.configuration import Configuration
from retraining.results import model_quality
from retraining.runs.executions import Execution

REPORT = "report.html"


@dataclass(frozen=True)
class Candidate:
    """A model, or a baseline (`kind`), with its metrics on the test set; `name` is empty for the only one."""

    model: str
    kind: str
    name: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a model.

    Attributes:
        candidates: in the order of metrics.csv.
        report: the URI of its report; None where it has none.
        curves: the columns of its history.csv, each as (epoch, value).
    """

    model: str
    candidates: tuple[Candidate, ...]
    report: str | None
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


def evaluations_of(configuration: Configuration, execution: Execution) -> list[Evaluation]:
    """The evaluations that succeeded, in this execution or, for a cache hit, in an earlier one."""
    steps = configuration.steps
    return [
        _read(steps[run.name].model_name, uri)
        for run in execution.steps
        if run.name in steps and steps[run.name].step_class == "Metrics"
        if run.status == "Succeeded" and run.job is not None
        for uri in output_uris(run.job[1])
    ]


def output_uris(job: str) -> list[str]:
    """Where an evaluation's processing job wrote its outputs; models are left out."""
    answer = boto3.client("sagemaker").describe_processing_job(ProcessingJobName=job)
    return [
        str(item["S3Output"]["S3Uri"])
        for item in answer["ProcessingOutputConfig"]["Outputs"]
        if item["OutputName"].startswith(("evaluation", "model_evaluation"))
    ]


def _read(model: str, uri: str) -> Evaluation:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])]

    def read(name: str) -> str:
        content: bytes = s3.get_object(Bucket=bucket, Key=prefix + name)["Body"].read()
        return content.decode(errors="replace")

    if model_quality.METRICS in names:
        rows = model_quality.metrics_table(read(model_quality.METRICS))
        candidates = [Candidate(model, row.kind, row.name, dict(row.metrics)) for row in rows]
    else:
        documents = [name for name in names if name.endswith(".json") and "/" not in name]
        metrics = model_quality.numbers(map(read, documents))
        candidates = [Candidate(model, "candidate", "", metrics)] if metrics else []
    curves: dict[str, list[tuple[int, float]]] = {}
    with suppress(ValueError):  # another file of this name
        for epoch, name, value in model_quality.history(
            read(model_quality.HISTORY) if model_quality.HISTORY in names else ""
        ):
            curves.setdefault(name, []).append((epoch, value))
    report = f"s3://{bucket}/{prefix}{REPORT}" if REPORT in names else None
    return Evaluation(model, tuple(candidates), report, curves)
