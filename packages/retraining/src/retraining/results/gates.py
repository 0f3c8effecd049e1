"""What the quality gates of executions looked at."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from retraining.compile.compiled import value_at
from retraining.config.configuration import Configuration
from retraining.runs.executions import Execution


@dataclass(frozen=True)
class GateValue:
    """The value of a gate's metric, and whether the gate let it pass; None where it did not come to that."""

    step: str
    metric: str
    value: float
    passed: bool | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def gate_values(configuration: Configuration, listed: Iterable[Execution]) -> dict[str, list[GateValue]]:
    """By the ARN of each execution, the values of the gates whose evaluation succeeded."""
    sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")  # once: threads must not make sessions
    executions = list(listed)
    with ThreadPoolExecutor(8) as pool:
        values = pool.map(
            lambda execution: list(_values(sagemaker, s3, configuration, execution)), executions
        )
        return {execution.arn: of_gates for execution, of_gates in zip(executions, values, strict=True)}


def _values(
    sagemaker: Any, s3: Any, configuration: Configuration, execution: Execution
) -> Iterator[GateValue]:
    runs = {step.name: step for step in execution.steps if step.status == "Succeeded"}
    for step in configuration.steps.values():
        run = runs.get(step.source)
        if step.step_class != "Condition" or run is None or run.job is None:
            continue
        value = _measured(sagemaker, s3, run.job[1], step.section)
        if value is not None:
            own = runs.get(step.name)
            outcome = own.metadata.get("Condition", {}).get("Outcome") if own else None
            metric = step.section.json_path.rpartition(".")[2]
            yield GateValue(step.name, metric, value, None if outcome is None else outcome == "True")


def _measured(sagemaker: Any, s3: Any, job: str, gate: Any) -> float | None:
    """The number in the file that a gate reads; None where there is none."""
    try:
        answer = sagemaker.describe_processing_job(ProcessingJobName=job)
        uris = {
            item["OutputName"]: item["S3Output"]["S3Uri"]
            for item in answer["ProcessingOutputConfig"]["Outputs"]
        }
        bucket, _, prefix = uris[gate.output].removeprefix("s3://").partition("/")
        content = s3.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{gate.file}")["Body"].read()
        return float(value_at(json.loads(content), gate.json_path))
    except (ClientError, KeyError, ValueError, TypeError):
        return None
