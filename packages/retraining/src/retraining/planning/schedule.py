"""The retraining schedule in Amazon EventBridge Scheduler, as conf/project.yaml describes it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.compile.compiled import Run, read
from retraining.config.configuration import AnyConfiguration
from retraining.errors import UserError
from retraining.planning import cache_prediction, firings, history
from retraining.runs import deployment


def name(configuration: AnyConfiguration) -> str:
    """Name of the schedule; there is one per project, in the default group."""
    return f"{configuration.project.project}-retraining"


def put(configuration: AnyConfiguration) -> str:
    """Create the schedule, or bring it up to date and switch it on; returns its expression.

    Each firing starts the deployed pipeline with the parameters' defaults, as SMP_ROLE: the role has to
    trust scheduler.amazonaws.com and to allow sagemaker:StartPipelineExecution.

    Raises:
        UserError: no schedule is configured, the pipeline is not deployed, or the service refuses the
            expression or the role.
    """
    client, project = boto3.client("scheduler"), configuration.project
    if project.schedule is None:
        raise UserError("conf/project.yaml: schedule: none is given: add rate(7 days) or cron(...)")
    try:
        pipeline = boto3.client("sagemaker").describe_pipeline(PipelineName=configuration.pipeline_name)
        request: dict[str, Any] = {
            "Name": name(configuration),
            "ScheduleExpression": project.schedule,
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "Target": {"Arn": pipeline["PipelineArn"], "RoleArn": project.role},
        }
        try:
            client.create_schedule(**request)
        except client.exceptions.ConflictException:
            client.update_schedule(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFound":
            raise UserError(
                f"pipeline {configuration.pipeline_name} is not deployed yet: run it once"
            ) from None
        raise
    return project.schedule


def remove(configuration: AnyConfiguration) -> bool:
    """Delete the schedule; False where there was none."""
    client = boto3.client("scheduler")
    try:
        client.delete_schedule(Name=name(configuration))
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def present(configuration: AnyConfiguration) -> str | None:
    """The expression of the schedule as it is deployed; None where there is none."""
    client = boto3.client("scheduler")
    try:
        return str(client.get_schedule(Name=name(configuration))["ScheduleExpression"])
    except client.exceptions.ResourceNotFoundException:
        return None


def reuse(configuration: AnyConfiguration, expression: str) -> str | None:
    """A line on what a firing of the deployed pipeline reuses of the one before it; None where nothing.

    A firing starts with the parameters' defaults, so its first step runs again only when its cache expires.
    """
    deployed = deployment.deployed_pipeline(configuration.pipeline_name)
    interval = firings.shortest_interval(expression)
    kept = _kept(deployed["PipelineDefinition"], interval or timedelta(0)) if deployed else {}
    if not kept:
        return None
    steps = ", ".join(f"{name} ({expires or 'forever'})" for name, expires in kept.items())
    when = "fires" if interval else "may fire"
    return (
        f"{expression} {when} again before these results expire, and then reuses them, even if their "
        f"inputs have new data: {steps}; shorten cache_expires_after, or set enable_cache: false "
        "for the first of them, and run once, which deploys it"
    )


def _kept(definition: str, interval: timedelta) -> dict[str, str | None]:
    """The steps that are cache hits `interval` after a run of everything, and how long results count."""
    compiled, began = read(definition), datetime.now(UTC)
    values = history.values(compiled.parameters, {})
    before = history.Past(
        Run(compiled, values, "before"), {name: history.PastStep(began) for name in compiled.steps}
    )
    predictions = cache_prediction.predict(Run(compiled, values), [before], began + interval)
    return {
        name: compiled.steps[name].raw["CacheConfig"].get("ExpireAfter")
        for name, prediction in predictions.items()
        if prediction.outcome == "hit"
    }
