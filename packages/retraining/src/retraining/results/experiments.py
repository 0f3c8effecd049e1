"""Every pipeline execution as one MLflow run.

The run is made from what SageMaker and S3 have of the execution, not from inside the jobs: so cached
and failed executions are runs too, and no job has an execution's id, which would be a cache miss.
Where MLflow keeps its runs is its own setting, MLFLOW_TRACKING_URI.
"""

import json
import logging
import os
from typing import Any

from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.results import experiment_results, mlflow_names, mlflow_view, reports
from retraining.runs import executions, interruption
from retraining.runs.executions import Execution

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
    runs = client.search_runs(
        [experiment_id], filter_string=f"tags.`{ARN_TAG}` = '{execution.arn}'", max_results=1
    )
    if runs:
        return str(runs[0].info.run_id)
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
    """Log all results of an ended execution, once; returns the run's id."""
    client = _client()
    run_id = begin(configuration, execution)
    if LOGGED_TAG in client.get_run(run_id).data.tags:
        return run_id
    from mlflow.entities import RunTag

    reports.complete(configuration, execution)
    client.log_batch(run_id, tags=[RunTag(key, value[:5000]) for key, value in _links(execution).items()])
    measured = experiment_results.log(client, run_id, configuration, execution)
    client.set_tag(run_id, LOGGED_TAG, "true")
    ended = int(execution.ended.timestamp() * 1000) if execution.ended else None
    client.set_terminated(run_id, STATUSES.get(execution.status, "FAILED"), ended)
    mlflow_view.update(client, run_id, configuration, measured)
    return run_id


def catch_up(configuration: Configuration) -> int:
    """Log the ended executions that have no complete run: scheduled ones, and interrupted ones.

    One that cannot be logged is left out, with a line.

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
    described = (executions.describe(arn) for arn in reversed(late))
    count = 0
    for execution in (execution for execution in described if not execution.running):
        try:
            finish(configuration, execution)
            count += 1
        except Exception as error:
            if "RETRAIN_DEBUG" in os.environ:
                raise
            note(f"execution {execution.id} was not logged: {in_one_line(error)}")
    return count


def in_one_line(error: Exception) -> str:
    """What an error of MLflow or AWS says, without line breaks and not too long."""
    return " ".join(str(error).split())[:200]


def _client() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    interruption.take_back()
    logging.getLogger("mlflow").setLevel(logging.WARNING)

    return MlflowClient()


def _experiment(client: Any, configuration: Configuration) -> str:
    """The experiment named after the pipeline; plots and reports go to the project's bucket."""
    name = configuration.pipeline.pipelineName
    experiment = client.get_experiment_by_name(name)
    tags = configuration.project.tags
    if experiment is not None:
        for key, value in tags.items():
            if experiment.tags.get(key) != value:
                client.set_experiment_tag(experiment.experiment_id, key, value)
        return str(experiment.experiment_id)
    location = f"s3://{configuration.project.bucket}/{name}/mlflow"
    names = mlflow_names.distinct(list(tags), {})
    tags = {
        **{names[key]: value for key, value in tags.items()},
        "mlflow.experimentKind": "custom_model_development",
    }
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _links(execution: Execution) -> dict[str, str]:
    """Tags that lead from the run to SageMaker: job names, model package ARNs, why it failed."""
    links = {"sagemaker.status": execution.status}
    packages: list[str] = []
    for step in execution.steps:
        if step.job is not None:
            links[f"sagemaker.job.{step.name}"] = step.job[1]
        if step.cache_hit:
            links[f"sagemaker.cache_hit.{step.name}"] = "true"
        if step.taken_from:
            links[f"sagemaker.taken_from.{step.name}"] = step.taken_from
        outputs = {
            item["Name"]: item["Value"]
            for item in step.metadata.get("Lambda", {}).get("OutputParameters", [])
        }
        packages += _arns(outputs.get("model_packages", ""))
        packages += (
            [step.metadata["RegisterModel"]["Arn"]] if "Arn" in step.metadata.get("RegisterModel", {}) else []
        )
    links |= {f"sagemaker.model_package.{index}": arn for index, arn in enumerate(packages)}
    if execution.failure:
        links["sagemaker.failure_reason"] = execution.failure
    return links


def _arns(output: str) -> list[str]:
    """The model packages in a Lambda function's output; another function's may mean other things."""
    try:
        arns = json.loads(output)
    except ValueError:
        return []
    return [str(arn) for arn in arns] if isinstance(arns, list) else []
