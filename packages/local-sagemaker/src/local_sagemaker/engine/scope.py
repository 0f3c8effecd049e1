"""The values that expressions of one execution have at a given moment."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.core import clock, wire
from local_sagemaker.core.errors import ApiError
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.definition.expressions import ExpressionError
from local_sagemaker.definition.parameters import Value
from local_sagemaker.definition.parse import Definition
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.registry.model_packages import ModelPackages
from local_sagemaker.registry.models import Models

JOB_KINDS = {
    "Processing": "processing-job",
    "Training": "training-job",
    "Transform": "transform-job",
    "Tuning": "hyper-parameter-tuning-job",
}


@dataclass(frozen=True)
class ExecutionScope:
    """`expressions.Scope` over what an execution has done so far.

    `values` are the parameters' values; `job_name` is what Execution.TrainingJobName and
    Execution.ProcessingJobName stand for, in a step that starts a job.
    """

    settings: Settings
    store: Store
    jobs: Jobs
    packages: ModelPackages
    execution: Document
    definition: Definition
    values: dict[str, Value]
    job_name: str | None = None

    @property
    def models(self) -> Models:
        return Models(self.settings, self.store, Tags(self.store))

    def with_job(self, name: str) -> "ExecutionScope":
        return replace(self, job_name=name)

    def parameter(self, name: str) -> Value:
        return self.values[name]

    def variable(self, name: str) -> str:
        if name in ("TrainingJobName", "ProcessingJobName"):
            if self.job_name is None:
                raise ExpressionError(f"'Execution.{name}' has a value only in a step that starts such a job")
            return self.job_name
        arn: str = self.execution["PipelineExecutionArn"]
        values = {
            "StartDateTime": _iso(self.execution["CreationTime"]),
            "CurrentDateTime": _iso(clock.now()),
            "PipelineName": arn.split("/")[1],
            "PipelineArn": self.execution["PipelineArn"],
            "PipelineExecutionId": arn.rpartition("/")[2],
            "PipelineExecutionArn": arn,
        }
        return str(values[name])

    def experiment(self, name: str) -> str:
        config = self.execution.get("PipelineExperimentConfig", {})
        if name not in config:
            raise ExpressionError(f"the pipeline's PipelineExperimentConfig has no {name}")
        return str(config[name])

    def properties(self, step: str) -> Any:
        record = self._record(step)
        kind = self.definition.steps[step].type
        metadata = record.get("Metadata", {})
        if kind == "Condition":
            return metadata["Condition"]
        if kind == "Lambda":
            return {"OutputParameters": record.get("Outputs", {})}
        try:
            if kind == "RegisterModel":
                return self.packages.describe({"ModelPackageName": metadata["RegisterModel"]["Arn"]})
            if kind == "Model":
                return self.models.find(metadata["Model"]["Arn"].rpartition("/")[2])
            name = metadata[f"{kind}Job"]["Arn"].rpartition("/")[2]
            return self.jobs.describe(JOB_KINDS[kind], name)
        except (KeyError, ApiError) as error:
            raise ExpressionError(f"step '{step}' made nothing that could be referred to: {error}") from error

    def property_file(self, step: str, name: str) -> Any:
        declared = self.definition.steps[step].property_files[name]
        outputs = self.properties(step).get("ProcessingOutputConfig", {}).get("Outputs", [])
        for output in outputs:
            if output["OutputName"] == declared["OutputName"]:
                folder = output["S3Output"]["S3Uri"].rstrip("/")
                try:
                    return self.json_at(f"{folder}/{declared['FilePath']}")
                except ExpressionError as error:
                    raise ExpressionError(f"property file '{name}' of step '{step}': {error}") from error
        raise ExpressionError(f"step '{step}' has no output '{declared['OutputName']}'")

    def json_at(self, uri: str) -> Any:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not key:
            raise ExpressionError(f"{uri!r} is not an S3 URI of a file")
        try:
            return wire.read_json(
                self.settings.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            )
        except (ClientError, BotoCoreError) as error:
            raise ExpressionError(f"{uri} cannot be read: {error}") from error
        except ValueError as error:
            raise ExpressionError(f"{uri} is not JSON: {error}") from error

    def _record(self, step: str) -> Document:
        record = self.store.get("step", f"{self.execution['PipelineExecutionArn']}/{step}")
        if record is None:
            raise ExpressionError(f"step '{step}' did not run")
        return record


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
