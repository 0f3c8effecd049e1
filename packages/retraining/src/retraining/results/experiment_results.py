"""What an execution's jobs left behind, as metrics and artefacts of its MLflow run.

With one model the metrics have their own names; with several, the model's name stands before: ``churn/auc``.
"""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import boto3

from job_toolkit import metrics
from job_toolkit.failure import InputError
from retraining.config.configuration import Configuration
from retraining.config.schema.pipeline import JOBS
from retraining.results.model_quality import numbers
from retraining.runs.executions import Execution, StepRun


def log(client: Any, run_id: str, configuration: Configuration, execution: Execution) -> None:
    """Log the final metrics of training jobs, and all that evaluations wrote."""
    graph = configuration.dag
    several = len(configuration.pipeline.models) > 1
    for run in execution.steps:
        step = graph.steps.get(run.name)
        if step is None or run.status != "Succeeded" or run.job is None or step.step_class not in JOBS:
            continue
        model = graph.models[run.name] if several else ""
        if step.step_class == "Training":
            _log_batches(client, run_id, _training_metrics(run, f"{model}/" if model else ""))
        if step.step_class == "Metrics":
            for uri in output_uris(run):
                _log_evaluation(client, run_id, uri, model)


def _training_metrics(run: StepRun, prefix: str) -> list[Any]:
    """The last value of each metric that the job's metric definitions found."""
    from mlflow.entities import Metric

    assert run.job is not None
    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=run.job[1])
    return [
        Metric(f"{prefix}{item['MetricName']}", float(item["Value"]), 0, 0)
        for item in job.get("FinalMetricDataList", [])
    ]


def output_uris(run: StepRun) -> list[str]:
    """Where an evaluation, this time or when it was cached, wrote its outputs; models are left out."""
    assert run.job is not None
    job = boto3.client("sagemaker").describe_processing_job(ProcessingJobName=run.job[1])
    outputs = {
        item["OutputName"]: item["S3Output"]["S3Uri"] for item in job["ProcessingOutputConfig"]["Outputs"]
    }
    chosen = [name for name in outputs if name.startswith(("evaluation", "model_evaluation"))]
    return [str(outputs[name]) for name in chosen]


def _log_evaluation(client: Any, run_id: str, uri: str, model: str) -> None:
    """Per-epoch metrics from history.csv, final ones from metrics.csv or the model-quality JSON, and every
    file as an artefact."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.rstrip("/") + "/")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for item in (item for page in pages for item in page.get("Contents", [])):
            path = folder / item["Key"][len(prefix.rstrip("/")) + 1 :]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, item["Key"], str(path))
        before = f"{model}/" if model else ""
        finals = _finals(folder / "metrics.csv", before) or _quality(folder, before)
        _log_batches(client, run_id, _epochs(folder / "history.csv", before) + finals)
        client.log_artifacts(run_id, name, model or None)


def _log_batches(client: Any, run_id: str, logged: list[Any]) -> None:
    for first in range(0, len(logged), 1000):
        client.log_batch(run_id, metrics=logged[first : first + 1000])


def _epochs(path: Path, prefix: str) -> list[Any]:
    """One metric per column and epoch; the first column counts the epochs."""
    from mlflow.entities import Metric

    if not path.is_file():
        return []
    rows = csv.reader(io.StringIO(path.read_text()))
    _, *names = next(rows)
    return [
        Metric(prefix + name, float(value), 0, int(float(row[0])))
        for row in rows
        for name, value in zip(names, row[1:], strict=True)
        if _is_number(value)
    ]


def _finals(path: Path, prefix: str) -> list[Any]:
    """``<candidate>/<metric>`` for candidates and baselines; of the only candidate ``<metric>``."""
    from mlflow.entities import Metric

    try:
        models = metrics.read(path) if path.is_file() else []
    except InputError:
        return []
    return [
        Metric(f"{prefix}{f'{model.name}/' if model.name else ''}{key}", value, 0, 0)
        for model in models
        for key, value in model.metrics.items()
    ]


def _quality(folder: Path, prefix: str) -> list[Any]:
    """The single numbers of the model-quality documents that lie at the top."""
    from mlflow.entities import Metric

    found: dict[str, float] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found |= numbers(json.loads(path.read_bytes()))
        except ValueError:
            continue
    return [Metric(prefix + name, value, 0, 0) for name, value in found.items()]


def _is_number(text: str) -> bool:
    try:
        return float(text) - float(text) == 0
    except ValueError:
        return False
