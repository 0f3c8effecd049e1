"""What an execution's jobs wrote, as metrics and artefacts of its MLflow run.

With one model the metrics have their own names; with several, the model's name comes first: ``churn/auc``.
What cannot be read, and what MLflow refuses, is left out with a line, so that the rest is logged.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.results import mlflow_names, model_quality
from retraining.results.evaluations import output_uris
from retraining.runs.executions import Execution

_BATCH = 1000  # metrics of one call, MLflow's limit

_Metrics = list[tuple[int, str, float]]  # epoch, name, value


def log(client: Any, run_id: str, configuration: Configuration, execution: Execution) -> None:
    """Log the final metrics of training jobs, and all that evaluations wrote."""
    several = len(configuration.pipeline.models) > 1
    log = _Log(client, run_id)
    for run in execution.steps:
        step = configuration.steps.get(run.name)
        if step is None or run.status != "Succeeded" or run.job is None:
            continue
        model = step.model_name if several else ""
        if step.step_class == "Training":
            log.metrics(run.name, model, list(_training_metrics(run.job[1])))
        if step.step_class == "Metrics":
            for uri in output_uris(step, run.job[1]):
                log.evaluation(run.name, model, uri)


class _Log:
    """One MLflow run, and the names of its metrics: by MLflow's name, ours."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._names: dict[str, str] = {}

    def metrics(self, step: str, model: str, metrics: _Metrics) -> None:
        from mlflow.entities import Metric

        prefix = f"{model}/" if model else ""
        names = mlflow_names.distinct([prefix + name for _, name, _ in metrics], self._names)
        for name, accepted in names.items():
            if accepted != name:
                note(f"{step}: MLflow does not take the metric's name {name!r}: it is {accepted!r} there")
        entities = [Metric(names[prefix + name], value, 0, epoch) for epoch, name, value in metrics]
        for first in range(0, len(entities), _BATCH):
            self._metrics(step, entities[first : first + _BATCH])

    def _metrics(self, step: str, entities: list[Any]) -> None:
        """All at once or, where one is refused, each by itself."""
        with _refused_by_mlflow() as refusal:
            self._client.log_batch(self._run_id, metrics=entities)
        if refusal and len(entities) > 1:
            for entity in entities:
                self._metrics(step, [entity])
        elif refusal:
            note(f"{step}: the metric {entities[0].key!r} was not logged: {refusal[0]}")

    def evaluation(self, step: str, model: str, uri: str) -> None:
        """Log an evaluation's metrics, and every file as an artefact."""
        with tempfile.TemporaryDirectory() as name:
            _download(step, uri, Path(name))
            self.metrics(step, model, list(_evaluation_metrics(step, Path(name))))
            with _refused_by_mlflow() as refusal:
                self._client.log_artifacts(self._run_id, name, model or None)
            if refusal:
                note(f"{step}: the files of {uri} were not logged: {refusal[0]}")


@contextmanager
def _refused_by_mlflow() -> Iterator[list[str]]:
    """Within it, what MLflow says of something that it will never take ends up in the list."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, ErrorCode

    refusal: list[str] = []
    try:
        yield refusal
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(INVALID_PARAMETER_VALUE):
            raise
        refusal.append(" ".join(str(error).split())[:200])


def _training_metrics(job: str) -> Iterator[tuple[int, str, float]]:
    """The last value of each metric that the job's metric definitions found."""
    answer = boto3.client("sagemaker").describe_training_job(TrainingJobName=job)
    for item in answer.get("FinalMetricDataList", []):
        yield 0, item["MetricName"], float(item["Value"])


def _download(step: str, uri: str, folder: Path) -> None:
    """Every object below `uri` as a file, but folder markers and keys that are no path below `folder`."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for key in (item["Key"] for page in pages for item in page.get("Contents", [])):
        name = key.removeprefix(prefix)
        if not name or name.endswith("/"):
            continue
        path = folder / name
        try:
            if not path.resolve().is_relative_to(folder.resolve()):
                raise ValueError("it would leave the folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=False)
        except (OSError, ValueError) as error:  # also an object and a folder of the same name
            note(f"{step}: s3://{bucket}/{key} was not logged: {error}")
            continue
        s3.download_file(bucket, key, str(path))


def _evaluation_metrics(step: str, folder: Path) -> Iterator[tuple[int, str, float]]:
    """Per-epoch metrics from history.csv, final ones from metrics.csv or else the model-quality JSON."""
    path = folder / model_quality.HISTORY
    if path.is_file():
        try:
            yield from model_quality.history(_text(path))
        except ValueError as error:
            note(f"{step}: {path.name} was not logged as metrics: {error}")
    path = folder / model_quality.METRICS
    rows = None
    if path.is_file():
        try:
            rows = model_quality.metrics_table(_text(path))
        except ValueError as error:
            note(f"{step}: {error}; it was not logged as metrics")
    if rows is not None:
        for row in rows:
            before = f"{row.name}/" if row.name else ""
            yield from ((0, before + name, value) for name, value in row.metrics.items())
    else:
        documents = (document.read_bytes() for document in sorted(folder.glob("*.json")))
        yield from ((0, name, value) for name, value in model_quality.numbers(documents).items())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")
