"""What an execution's jobs wrote, as metrics and artefacts of its MLflow run.

With one model the metrics have their own names; with several, the model's name comes first: ``churn/auc``.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from retraining.config.configuration import Configuration
from retraining.results import model_quality
from retraining.results.evaluations import output_uris
from retraining.runs.executions import Execution

_BATCH = 1000  # metrics of one call, MLflow's limit


def log(client: Any, run_id: str, configuration: Configuration, execution: Execution) -> None:
    """Log the final metrics of training jobs, and all that evaluations wrote."""
    several = len(configuration.pipeline.models) > 1
    for run in execution.steps:
        step = configuration.steps.get(run.name)
        if step is None or run.status != "Succeeded" or run.job is None:
            continue
        model = step.model_name if several else ""
        if step.step_class == "Training":
            _log_metrics(client, run_id, model, _training_metrics(run.job[1]))
        if step.step_class == "Metrics":
            for uri in output_uris(run.job[1]):
                _log_evaluation(client, run_id, uri, model)


def _log_metrics(client: Any, run_id: str, model: str, metrics: Iterator[tuple[int, str, float]]) -> None:
    """Log (epoch, name, value)."""
    from mlflow.entities import Metric

    prefix = f"{model}/" if model else ""
    entities = [Metric(prefix + name, value, 0, epoch) for epoch, name, value in metrics]
    for first in range(0, len(entities), _BATCH):
        client.log_batch(run_id, metrics=entities[first : first + _BATCH])


def _training_metrics(job: str) -> Iterator[tuple[int, str, float]]:
    """The last value of each metric that the job's metric definitions found."""
    answer = boto3.client("sagemaker").describe_training_job(TrainingJobName=job)
    for item in answer.get("FinalMetricDataList", []):
        yield 0, item["MetricName"], float(item["Value"])


def _log_evaluation(client: Any, run_id: str, uri: str, model: str) -> None:
    """Log an evaluation's metrics, and every file as an artefact."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for item in (item for page in pages for item in page.get("Contents", [])):
            path = folder / item["Key"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, item["Key"], str(path))
        _log_metrics(client, run_id, model, _evaluation_metrics(folder))
        client.log_artifacts(run_id, name, model or None)


def _evaluation_metrics(folder: Path) -> Iterator[tuple[int, str, float]]:
    """Per-epoch metrics from history.csv, final ones from metrics.csv or else the model-quality JSON."""
    path = folder / model_quality.HISTORY
    if path.is_file():
        yield from model_quality.history(path.read_text(encoding="utf-8", errors="replace"))
    path = folder / model_quality.METRICS
    if path.is_file():
        for row in model_quality.metrics_table(path.read_text(encoding="utf-8", errors="replace")):
            before = f"{row.name}/" if row.name else ""
            yield from ((0, before + name, value) for name, value in row.metrics.items())
    else:
        documents = (document.read_bytes() for document in sorted(folder.glob("*.json")))
        yield from ((0, name, value) for name, value in model_quality.numbers(documents).items())
