"""What an execution's jobs wrote, as metrics and artefacts of its MLflow run.

With one model the metrics have their own names; with several, the model's name comes first: ``churn/auc``.
What cannot be read, and what MLflow refuses, is left out with a line, so that the rest is logged.
"""

import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from job_toolkit.metrics import CANDIDATE, Model
from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.results import mlflow_names, model_quality, reports
from retraining.results.evaluations import REPORT, USUAL, output_uris
from retraining.runs.executions import Execution

_BATCH = 1000  # metrics of one call, MLflow's limit
_LARGEST = 256 * 1024**2  # bytes of a training job's output; more is data, and no result to look at

_Metrics = list[tuple[int, str, float]]  # epoch, name, value


def log(client: Any, run_id: str, configuration: Configuration, execution: Execution) -> list[str]:
    """Log the final metrics of training jobs, and all that they and the evaluations wrote to look at.

    Of a training job that is its output folder, which SageMaker keeps also when the job fails.

    Returns:
        The names of the metrics that say most, in order: the usual ones of each first candidate, or else
        the training jobs' own.
    """
    several = len(configuration.pipeline.models) > 1
    log = _Log(client, run_id)
    for run in execution.steps:
        step = configuration.steps.get(run.name)
        if step is None or run.job is None:
            continue
        model = step.model_name if several else ""
        if step.step_class == "Training" and run.status in ("Succeeded", "Failed"):
            with _output(run.name, run.job[1]) as folder:
                report = folder / REPORT
                if report.is_file():
                    page = reports.completed(report.read_bytes(), configuration, execution, run.name)
                    report.write_bytes(page)
                log.training(run.name, model, run.job[1], folder)
        if step.step_class == "Metrics" and run.status == "Succeeded":
            for uri in output_uris(step, run.job[1]):
                log.evaluation(run.name, model, uri)
    return log.measured or log.trained


class _Log:
    """One MLflow run, and the names of its metrics: by MLflow's name, ours."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._names: dict[str, str] = {}
        self.measured: list[str] = []
        self.trained: list[str] = []

    def metrics(self, step: str, model: str, metrics: _Metrics) -> dict[str, str]:
        """Log them; by their own names, what they are called in MLflow."""
        from mlflow.entities import Metric

        prefix = f"{model}/" if model else ""
        names = mlflow_names.distinct([prefix + name for _, name, _ in metrics], self._names)
        for name, accepted in names.items():
            if accepted != name:
                note(f"{step}: MLflow does not take the metric's name {name!r}: it is {accepted!r} there")
        entities = [Metric(names[prefix + name], value, 0, epoch) for epoch, name, value in metrics]
        for first in range(0, len(entities), _BATCH):
            self._metrics(step, entities[first : first + _BATCH])
        return {name: names[prefix + name] for _, name, _ in metrics}

    def _metrics(self, step: str, entities: list[Any]) -> None:
        """All at once or, where one is refused, each by itself."""
        with _refused_by_mlflow() as refusal:
            self._client.log_batch(self._run_id, metrics=entities)
        if refusal and len(entities) > 1:
            for entity in entities:
                self._metrics(step, [entity])
        elif refusal:
            note(f"{step}: the metric {entities[0].key!r} was not logged: {refusal[0]}")

    def training(self, step: str, model: str, job: str, output: Path) -> None:
        """Log a training job's final metrics, and its output as that of an evaluation."""
        answer = boto3.client("sagemaker").describe_training_job(TrainingJobName=job)
        final = answer.get("FinalMetricDataList", [])
        values = [(0, item["MetricName"], float(item["Value"])) for item in final]
        self.trained += self.metrics(step, model, values).values()
        self._folder(step, model, output)

    def evaluation(self, step: str, model: str, uri: str) -> None:
        """Log an evaluation's metrics, and every file as an artefact."""
        with tempfile.TemporaryDirectory() as name:
            _download(step, uri, Path(name))
            self._folder(step, model, Path(name))

    def _folder(self, step: str, model: str, folder: Path) -> None:
        metrics, usual = _evaluation_metrics(step, folder)
        names = self.metrics(step, model, metrics)
        self.measured += (names[name] for name in usual)
        with _refused_by_mlflow() as refusal:
            self._client.log_artifacts(self._run_id, str(folder), model or None)
        if refusal:
            note(f"{step}: its files were not logged: {refusal[0]}")


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


@contextmanager
def _output(step: str, job: str) -> Iterator[Path]:
    """A folder with what is in a training job's output.tar.gz; with nothing, where it has none."""
    answer = boto3.client("sagemaker").describe_training_job(TrainingJobName=job)
    place = answer.get("OutputDataConfig", {}).get("S3OutputPath", "").rstrip("/")
    with tempfile.TemporaryDirectory() as name:
        if place:
            _unpack(step, f"{place}/{job}/output/output.tar.gz", Path(name))
        yield Path(name)


def _unpack(step: str, uri: str, folder: Path) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with tempfile.NamedTemporaryFile() as packed:
        try:
            boto3.client("s3").download_fileobj(bucket, key, packed)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                raise
            return  # the job wrote nothing there
        packed.seek(0)
        try:
            with tarfile.open(fileobj=packed, mode="r:gz") as archive:
                files = [member for member in archive if member.isfile()]
                size = sum(member.size for member in files)
                if size > _LARGEST:
                    raise ValueError(f"it holds {size:,} bytes; at most {_LARGEST:,} are logged")
                archive.extractall(folder, files, filter="data")
        except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
            note(f"{step}: {uri} was not logged: {error}")


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


def _evaluation_metrics(step: str, folder: Path) -> tuple[_Metrics, list[str]]:
    """Per-epoch metrics from history.csv, final ones from metrics.csv or else the model-quality JSON; and
    the names of the usual metrics of the first candidate."""
    metrics: _Metrics = []
    path = folder / model_quality.HISTORY
    if path.is_file():
        try:
            metrics += model_quality.history(_text(path))
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
        candidates = [row for row in rows if row.kind == CANDIDATE]
        first = candidates[0] if candidates else None
        usual = [_name(first, name) for name in USUAL if name in first.metrics] if first else []
        metrics += ((0, _name(row, name), value) for row in rows for name, value in row.metrics.items())
    else:
        documents = (document.read_bytes() for document in sorted(folder.glob("*.json")))
        numbers = model_quality.numbers(documents)
        usual = [name for name in USUAL if name in numbers]
        metrics += ((0, name, value) for name, value in numbers.items())
    return metrics, usual


def _name(row: Model, metric: str) -> str:
    return f"{row.name}/{metric}" if row.name else metric


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")
