"""What the evaluations of an execution measured, read from their outputs."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import boto3

from retraining.config.configuration import Configuration
from retraining.config.flow.sections import ResolvedStep
from retraining.results import model_quality
from retraining.runs.executions import Execution

REPORT = "report.html"
# Of a candidate's metrics, those that are shown where there is no room for all.
USUAL = (
    "recall", "precision", "f1", "average_precision", "auc", "rmse", "mae", "r2",
    "eval_loss", "perplexity", "rouge_l",
)  # fmt: skip
_MEASURED = {
    REPORT,
    model_quality.METRICS,
    model_quality.HISTORY,
    "evaluation.json",
    "model_quality.json",
    "model_evaluation_metrics.json",
}


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
        for uri in output_uris(steps[run.name], run.job[1])
    ]


def output_uris(step: ResolvedStep[Any], job: str) -> list[str]:
    """Where an evaluation's processing job wrote what it measured, in the order of its outputs.

    That is its only output, or one that the gate or the registry reads, or one with a file of these names.
    The others hold models or data.
    """
    answer = boto3.client("sagemaker").describe_processing_job(ProcessingJobName=job)
    outputs = {
        item["OutputName"]: str(item["S3Output"]["S3Uri"])
        for item in answer.get("ProcessingOutputConfig", {}).get("Outputs", [])
        if "S3Output" in item
    }
    gate, registry = step.model.gate, step.model.registry
    read = {gate.output if gate else None}
    if registry is not None and registry.model_quality is not None:
        read.add(registry.model_quality.output)
    s3 = boto3.client("s3")
    return [
        uri
        for name, uri in outputs.items()
        if len(outputs) == 1 or name in read or _MEASURED & _top_names(s3, uri)
    ]


def _top_names(s3: Any, uri: str) -> set[str]:
    """The names of the files directly in an output."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return {item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])}


def _read(model: str, uri: str) -> Evaluation:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])]

    def read(name: str) -> str:
        content: bytes = s3.get_object(Bucket=bucket, Key=prefix + name)["Body"].read()
        return content.decode(errors="replace")

    rows = None
    if model_quality.METRICS in names:
        with contextlib.suppress(ValueError):  # the log in MLflow says so
            rows = model_quality.metrics_table(read(model_quality.METRICS))
    if rows is not None:
        candidates = [Candidate(model, row.kind, row.name, dict(row.metrics)) for row in rows]
    else:
        documents = [name for name in names if name.endswith(".json") and "/" not in name]
        metrics = model_quality.numbers(map(read, documents))
        candidates = [Candidate(model, "candidate", "", metrics)] if metrics else []
    curves: dict[str, list[tuple[int, float]]] = {}
    with contextlib.suppress(ValueError):  # another file of this name
        for epoch, name, value in model_quality.history(
            read(model_quality.HISTORY) if model_quality.HISTORY in names else ""
        ):
            curves.setdefault(name, []).append((epoch, value))
    report = f"s3://{bucket}/{prefix}{REPORT}" if REPORT in names else None
    return Evaluation(model, tuple(candidates), report, curves)
