"""Every pipeline execution as one MLflow run.

The run is made from what SageMaker and S3 hold of the execution, not from inside the jobs: so cached
and failed executions are runs too, and no job carries an execution's id, which would be a cache miss.
Where MLflow keeps its runs is its own setting, MLFLOW_TRACKING_URI.
"""

import csv
import io
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import boto3

from retraining import executions
from retraining.configuration import Configuration
from retraining.executions import Execution

ARN_TAG = "sagemaker.pipeline_execution_arn"
LOGGED_TAG = "sagemaker.logged"
STATUSES = {"Succeeded": "FINISHED", "Stopped": "KILLED"}


def enabled() -> bool:
    """Whether a tracking server is configured."""
    return bool(os.environ.get("MLFLOW_TRACKING_URI"))


def begin(configuration: Configuration, execution: Execution) -> str:
    """Make the execution's run, unless there is one; returns its id. Parameters are logged at once."""
    client = _client()
    experiment_id = _experiment(client, configuration)
    found = client.search_runs(
        [experiment_id], filter_string=f"tags.`{ARN_TAG}` = '{execution.arn}'", max_results=1
    )
    if found:
        return str(found[0].info.run_id)
    from mlflow.entities import Param, RunTag

    run = client.create_run(
        experiment_id,
        start_time=int(execution.started.timestamp() * 1000),
        run_name=execution.id,
        tags={ARN_TAG: execution.arn},
    )
    values = executions.parameters(execution.arn)
    client.log_batch(
        run.info.run_id,
        params=[Param(name, value[:6000]) for name, value in values.items()],
        tags=[RunTag("git_commit", values.get("GitCommit", "unknown"))],
    )
    return str(run.info.run_id)


def finish(configuration: Configuration, execution: Execution) -> str:
    """Log all that an ended execution left behind, once; returns the run's id."""
    client = _client()
    run_id = begin(configuration, execution)
    if LOGGED_TAG in client.get_run(run_id).data.tags:
        return run_id
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, value[:5000]) for key, value in _links(execution).items()])
    folder = _evaluation_uri(configuration, execution)
    if folder is not None:
        _log_evaluation(client, run_id, folder)
    client.set_tag(run_id, LOGGED_TAG, "true")
    ended = int(execution.ended.timestamp() * 1000) if execution.ended else None
    client.set_terminated(run_id, STATUSES.get(execution.status, "FAILED"), ended)
    return run_id


def catch_up(configuration: Configuration) -> int:
    """Log the ended executions that have no complete run: scheduled ones, and those cut off.

    Returns:
        How many were logged.
    """
    client = _client()
    experiment_id = _experiment(client, configuration)
    logged: set[str] = set()
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], filter_string=f"tags.`{LOGGED_TAG}` = 'true'", page_token=token
        )
        logged |= {run.data.tags[ARN_TAG] for run in page}
        token = page.token
        if not token:
            break
    late = [arn for arn in executions.arns(configuration.pipeline.pipelineName) if arn not in logged]
    ended = [found for arn in reversed(late) if not (found := executions.describe(arn)).running]
    for execution in ended:
        finish(configuration, execution)
    return len(ended)


def page(configuration: Configuration) -> str:
    """The path of the experiment's list of runs on MLflow's pages."""
    return f"/#/experiments/{_experiment(_client(), configuration)}/runs"


def _client() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)

    return MlflowClient()


def _experiment(client: Any, configuration: Configuration) -> str:
    """The experiment named after the pipeline; plots and reports go to the project's bucket."""
    name = configuration.pipeline.pipelineName
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = f"s3://{configuration.project.SMP_S3BUCKETNAME}/{name}/mlflow"
    tags = {**configuration.project.tags, "mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _links(execution: Execution) -> dict[str, str]:
    """Tags that lead from the run to SageMaker: job names, model package ARNs, why it failed."""
    links = {"sagemaker.status": execution.status}
    for step in execution.steps:
        if step.job is not None:
            links[f"sagemaker.job.{step.name}"] = step.job[1]
        if step.cache_hit:
            links[f"sagemaker.cache_hit.{step.name}"] = "true"
        outputs = {
            item["Name"]: item["Value"]
            for item in step.metadata.get("Lambda", {}).get("OutputParameters", [])
        }
        for index, arn in enumerate(json.loads(outputs.get("model_packages", "[]"))):
            links[f"sagemaker.model_package.{index}"] = arn
    if execution.failure:
        links["sagemaker.failure_reason"] = execution.failure
    return links


def _evaluation_uri(configuration: Configuration, execution: Execution) -> str | None:
    """Where the execution's Metrics step, this time or when it was cached, wrote its output `evaluation`."""
    metric_steps = {
        step.step_name
        for steps in configuration.pipeline.models.values()
        for step in steps.steps
        if step.step_class == "Metrics"
    }
    for step in execution.steps:
        if step.name in metric_steps and step.status == "Succeeded" and step.job:
            job = boto3.client("sagemaker").describe_processing_job(ProcessingJobName=step.job[1])
            for output in job["ProcessingOutputConfig"]["Outputs"]:
                if output["OutputName"] == "evaluation":
                    return str(output["S3Output"]["S3Uri"])
    return None


def _log_evaluation(client: Any, run_id: str, uri: str) -> None:
    """Per-epoch metrics from history.csv, final ones from metrics.csv, and every file as an artefact."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.rstrip("/") + "/")
    with tempfile.TemporaryDirectory() as folder:
        for item in (item for page in pages for item in page.get("Contents", [])):
            path = Path(folder) / item["Key"][len(prefix.rstrip("/")) + 1 :]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, item["Key"], str(path))
        metrics = _epochs(Path(folder) / "history.csv") + _finals(Path(folder) / "metrics.csv")
        for first in range(0, len(metrics), 1000):
            client.log_batch(run_id, metrics=metrics[first : first + 1000])
        client.log_artifacts(run_id, folder)


def _epochs(path: Path) -> list[Any]:
    """One metric per column and epoch; the first column counts the epochs."""
    from mlflow.entities import Metric

    if not path.is_file():
        return []
    rows = csv.reader(io.StringIO(path.read_text()))
    _, *names = next(rows)
    return [
        Metric(name, float(value), 0, int(float(row[0])))
        for row in rows
        for name, value in zip(names, row[1:], strict=True)
        if _is_number(value)
    ]


def _finals(path: Path) -> list[Any]:
    """``<candidate>/<metric>`` for candidates and baselines."""
    from mlflow.entities import Metric

    if not path.is_file():
        return []
    return [
        Metric(f"{row['name']}/{key}", float(value), 0, 0)
        for row in csv.DictReader(io.StringIO(path.read_text()))
        for key, value in row.items()
        if key not in ("kind", "name") and _is_number(value)
    ]


def _is_number(text: str) -> bool:
    try:
        return float(text) - float(text) == 0
    except ValueError:
        return False
