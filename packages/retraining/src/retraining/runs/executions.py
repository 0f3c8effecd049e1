"""Pipeline executions: start, watch, list; all through boto3."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.errors import UserError

RUNNING = ("Executing", "Stopping")
JOB_KINDS = {
    "ProcessingJob": "Processing",
    "TrainingJob": "Training",
    "TransformJob": "Transform",
    "TuningJob": "Tuning",
}


@dataclass
class StepRun:
    """One step of one execution; `seconds` is None until it ended, `attempts` counts the retries too.

    `source` is the ARN of the execution whose result it has: on a cache hit, or `is_taken_over` because this
    execution selected other steps.
    """

    name: str
    status: str
    cache_hit: bool
    seconds: float | None
    started: datetime | None
    failure: str | None
    metadata: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1
    source: str | None = None
    is_taken_over: bool = False

    @property
    def taken_from(self) -> str | None:
        """`source`, of a step that was not selected."""
        return self.source if self.is_taken_over else None

    @property
    def job(self) -> tuple[str, str] | None:
        """(kind, name) of the job that the step ran, or, on a cache hit, of the job whose result it took."""
        for key, kind in JOB_KINDS.items():
            if key in self.metadata:
                return kind, self.metadata[key]["Arn"].rsplit("/", 1)[-1]
        return None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "cache_hit": self.cache_hit,
            "seconds": self.seconds,
            "failure": self.failure,
            "taken_from": self.taken_from,
        }


@dataclass
class Execution:
    """One pipeline execution with its steps, oldest first."""

    arn: str
    status: str
    started: datetime
    ended: datetime | None
    failure: str | None
    steps: list[StepRun]

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    @property
    def failed(self) -> list[StepRun]:
        return [step for step in self.steps if step.status == "Failed"]

    @property
    def was_interrupted(self) -> bool:
        """Whether it failed as a whole, as when the local services stop, and not because of a step.

        Then the steps that were running, if any, have failed for the execution's own reason.
        """
        return self.status == "Failed" and all(step.failure == self.failure for step in self.failed)

    @property
    def reason(self) -> str | None:
        """Why it failed: of each failed step, or of the execution as a whole."""
        reasons = [f"step {step.name} failed: {step.failure or 'no reason given'}" for step in self.failed]
        return "; ".join(reasons) or self.failure

    def as_json(self) -> dict[str, Any]:
        return {
            "execution": self.arn,
            "status": self.status,
            "started": self.started.isoformat(),
            "failure": self.reason,
            "steps": [step.as_json() for step in self.steps],
        }


def describe(arn: str) -> Execution:
    """One execution as it is now."""
    client = boto3.client("sagemaker")
    answer = client.describe_pipeline_execution(PipelineExecutionArn=arn)
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending"
    )
    steps = [_step(item) for page in pages for item in page["PipelineExecutionSteps"]]
    running = answer["PipelineExecutionStatus"] in RUNNING
    return Execution(
        arn=arn,
        status=answer["PipelineExecutionStatus"],
        started=answer["CreationTime"],
        ended=None if running else answer["LastModifiedTime"],
        failure=answer.get("FailureReason"),
        steps=sorted(steps, key=lambda step: step.started.timestamp() if step.started else float("inf")),
    )


def _step(item: dict[str, Any]) -> StepRun:
    start, end = item.get("StartTime"), item.get("EndTime")
    taken = item.get("SelectiveExecutionResult")
    return StepRun(
        name=item["StepName"],
        status=item["StepStatus"],
        cache_hit="CacheHitResult" in item and taken is None,
        seconds=round((end - start).total_seconds(), 3) if start and end else None,
        started=start,
        failure=item.get("FailureReason"),
        metadata=item.get("Metadata", {}),
        attempts=item.get("AttemptCount") or 1,
        source=(taken or item.get("CacheHitResult") or {}).get("SourcePipelineExecutionArn"),
        is_taken_over=taken is not None,
    )


def arns(pipeline: str, status: tuple[str, ...] | None = None) -> list[str]:
    """ARNs of a pipeline's executions, newest first; none when the pipeline does not exist."""
    client = boto3.client("sagemaker")
    try:
        pages = client.get_paginator("list_pipeline_executions").paginate(
            PipelineName=pipeline, SortOrder="Descending"
        )
        return [
            item["PipelineExecutionArn"]
            for page in pages
            for item in page["PipelineExecutionSummaries"]
            if status is None or item["PipelineExecutionStatus"] in status
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFound":
            return []
        raise


def parameters(arn: str, client: Any = None) -> dict[str, str]:
    """Name and value of every parameter of an execution."""
    client = client or boto3.client("sagemaker")
    pages = client.get_paginator("list_pipeline_parameters_for_execution").paginate(PipelineExecutionArn=arn)
    return {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}


def given(arns: list[str], defaults: dict[str, str]) -> dict[str, dict[str, str]]:
    """By ARN, the parameters of executions that differ from these defaults, in their order."""
    client = boto3.client("sagemaker")  # once: threads must not make the first session at once
    with ThreadPoolExecutor(8) as pool:
        by_arn = dict(zip(arns, pool.map(lambda arn: parameters(arn, client), arns), strict=True))
    return {
        arn: {
            name: values[name]
            for name, default in defaults.items()
            if name in values and not same(values[name], default)
        }
        for arn, values in by_arn.items()
    }


def same(present: str, wanted: str) -> bool:
    """Whether two texts of a parameter mean the same value: SageMaker writes the number 0 as 0.0."""
    if present == wanted:
        return True
    try:
        return float(present) == float(wanted)
    except ValueError:
        return present.lower() == wanted.lower() in ("true", "false")


def start(pipeline: str, values: dict[str, str], selection: dict[str, Any] | None = None) -> str:
    """Start an execution, of all steps or with a SelectiveExecutionConfig; returns its ARN.

    Raises:
        UserError: SageMaker refuses the parameters.
    """
    try:
        response = boto3.client("sagemaker").start_pipeline_execution(
            PipelineName=pipeline,
            PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
            **({"SelectiveExecutionConfig": selection} if selection else {}),
        )
    except ClientError as error:
        raise UserError(f"the pipeline does not start: {error.response['Error']['Message']}") from None
    return str(response["PipelineExecutionArn"])


def watch(arn: str) -> Iterator[Execution]:
    """The execution's state again and again, the last time when it has ended.

    SageMaker is asked often at first, and less often the longer nothing changes (at least each 15 s).
    """
    changed, before = time.monotonic(), None
    while True:
        execution = describe(arn)
        yield execution
        if not execution.running:
            return
        state = [(step.name, step.status, step.attempts) for step in execution.steps]
        if state != before:
            changed, before = time.monotonic(), state
        time.sleep(min(15.0, 0.2 + 0.02 * (time.monotonic() - changed)))


def read_uris(execution: Execution) -> list[str]:
    """The S3 URIs that the jobs of an execution read; of a reused step, the job that made the result."""
    jobs = [_described(*step.job) for step in execution.steps if step.job is not None]
    parts = ("ProcessingInputs", "InputDataConfig", "TransformInput")
    return list(dict.fromkeys(uri for job in jobs for part in parts for uri in _uris(job.get(part))))


def _uris(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _uris(item)
    elif isinstance(value, dict):
        if isinstance(value.get("S3Uri"), str):
            yield value["S3Uri"]
        for item in value.values():
            yield from _uris(item)


def job_seconds(execution: Execution) -> float:
    """Wall time in which at least one of the execution's own jobs ran; cache hits cost none."""
    ran = (step for step in execution.steps if not step.cache_hit and step.taken_from is None)
    own = [step.job for step in ran if step.job is not None]
    total, reached = 0.0, 0.0
    for begin, end in sorted(span for kind, name in own if (span := _span(kind, name))):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


# Per kind of job: the operation that describes it, its name's member, and its own work's begin and end.
_DESCRIBED = {
    "Processing": (
        "describe_processing_job",
        "ProcessingJobName",
        "ProcessingStartTime",
        "ProcessingEndTime",
    ),
    "Training": ("describe_training_job", "TrainingJobName", "", ""),
    "Transform": ("describe_transform_job", "TransformJobName", "TransformStartTime", "TransformEndTime"),
    "Tuning": (
        "describe_hyper_parameter_tuning_job",
        "HyperParameterTuningJobName",
        "CreationTime",
        "HyperParameterTuningEndTime",
    ),
}


def _described(kind: str, name: str) -> dict[str, Any]:
    operation, member, *_ = _DESCRIBED[kind]
    answer: dict[str, Any] = getattr(boto3.client("sagemaker"), operation)(**{member: name})
    return answer


def _span(kind: str, name: str) -> tuple[float, float] | None:
    """When a job's own work began and ended, as POSIX times; None where it never began."""
    *_, begin, end = _DESCRIBED[kind]
    answer = _described(kind, name)
    if kind == "Training":
        phases = {item["Status"]: item for item in answer.get("SecondaryStatusTransitions", [])}
        answer, begin, end = phases.get("Training", {}), "StartTime", "EndTime"
    if begin not in answer or end not in answer:
        return None
    return answer[begin].timestamp(), answer[end].timestamp()
