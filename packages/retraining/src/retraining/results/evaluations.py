"""What the evaluations of an execution measured, read from where they wrote it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import boto3

from job_toolkit import metrics
from job_toolkit.failure import InputError
from retraining.config.configuration import Configuration
from retraining.results import model_quality
from retraining.results.experiment_results import output_uris
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
    """One evaluation: its candidates, in the order of metrics.csv, and its report's URI where it has one."""

    candidates: tuple[Candidate, ...]
    report: str | None


def of(configuration: Configuration, execution: Execution) -> list[Evaluation]:
    """The evaluations that succeeded, in this execution or, for a cache hit, in an earlier one."""
    graph = configuration.dag
    return [
        _read(graph.models[run.name], uri)
        for run in execution.steps
        if run.name in graph.steps and graph.steps[run.name].step_class == "Metrics"
        if run.status == "Succeeded" and run.job is not None
        for uri in output_uris(run)
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

    if "metrics.csv" in names:
        found = list(_table(model, read("metrics.csv")))
    else:
        documents = [read(name) for name in names if name.endswith(".json") and "/" not in name]
        values = {key: value for text in documents for key, value in _numbers(text).items()}
        found = [Candidate(model, metrics.CANDIDATE, "", values)] if values else []
    return Evaluation(tuple(found), f"s3://{bucket}/{prefix}{REPORT}" if REPORT in names else None)


def _table(model: str, text: str) -> Iterator[Candidate]:
    """The rows of a metrics.csv; a file of another kind has none."""
    try:
        rows = metrics.parse(text)
    except InputError:
        return
    for row in rows:
        yield Candidate(model, row.kind, row.name, dict(row.metrics))


def _numbers(text: str) -> dict[str, float]:
    try:
        return model_quality.numbers(json.loads(text))
    except ValueError:
        return {}
