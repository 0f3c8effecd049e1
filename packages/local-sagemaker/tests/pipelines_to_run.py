"""Definitions of small pipelines, and an unmodified boto3 client that runs them."""

import json
import time
from collections.abc import Callable
from typing import Any

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipeline"
LIMIT = 90.0  # seconds after which a test gives up waiting; nothing is measured against it


def processing(script: str, outputs: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """Arguments of a Processing step that runs a shell script; `outputs` are name -> S3 URI."""
    request: dict[str, Any] = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["/bin/sh", "-c", script]},
        "RoleArn": ROLE,
        **arguments,
    }
    if outputs:
        request["ProcessingOutputConfig"] = {
            "Outputs": [
                {
                    "OutputName": output,
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/output/{output}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for output, uri in outputs.items()
            ]
        }
    return request


def training(script: str, output: str, **arguments: Any) -> dict[str, Any]:
    """Arguments of a Training step that runs a shell script; `output` is an S3 URI."""
    return {
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c", script],
        },
        "OutputDataConfig": {"S3OutputPath": output},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "RoleArn": ROLE,
        **arguments,
    }


def step(name: str, kind: str, arguments: Any, **members: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": arguments, **members}


def definition(*steps: dict[str, Any], **members: Any) -> str:
    """A definition of `steps`, as JSON text."""
    return json.dumps(
        {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps), **members}
    )


class Runner:
    """Creates pipelines, starts them and waits for them, through an unmodified boto3 client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def create(self, name: str, text: str, **members: Any) -> str:
        arn: str = self.client.create_pipeline(
            PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **members
        )["PipelineArn"]
        return arn

    def start(self, name: str, parameters: dict[str, str] | None = None, **members: Any) -> str:
        given = [{"Name": key, "Value": value} for key, value in (parameters or {}).items()]
        arn: str = self.client.start_pipeline_execution(
            PipelineName=name, PipelineParameters=given, **members
        )["PipelineExecutionArn"]
        return arn

    def wait(self, arn: str) -> dict[str, Any]:
        """The execution's description once it ended."""
        execution: dict[str, Any] = {}

        def ended() -> bool:
            execution.update(self.client.describe_pipeline_execution(PipelineExecutionArn=arn))
            return execution["PipelineExecutionStatus"] not in ("Executing", "Stopping")

        until(ended)
        return execution

    def run(
        self, name: str, text: str, parameters: dict[str, str] | None = None, **members: Any
    ) -> dict[str, Any]:
        self.create(name, text)
        return self.wait(self.start(name, parameters, **members))

    def steps(self, arn: str) -> dict[str, dict[str, Any]]:
        listed = self.client.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
        return {item["StepName"]: item for item in listed["PipelineExecutionSteps"]}

    def statuses(self, arn: str) -> dict[str, str]:
        return {name: item["StepStatus"] for name, item in self.steps(arn).items()}


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`; fails when it never does."""
    deadline = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


OUT = "/opt/ml/processing/output"


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def shell(name: str, script: str = "true", **members: Any) -> dict[str, Any]:
    return step(name, "Processing", processing(script), **members)


def report(bucket: str, name: str, value: float) -> dict[str, Any]:
    """A step whose property file Report holds {"metrics": {"score": value}}."""
    content = json.dumps({"metrics": {"score": value}})
    script = f"mkdir -p {OUT}/report && echo '{content}' > {OUT}/report/report.json"
    files = [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"}]
    uri = f"s3://{bucket}/{name}/report"
    return step("Evaluate", "Processing", processing(script, {"report": uri}), PropertyFiles=files)


SCORE = {
    "Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.Report"), "Path": "metrics.score"},
}


def gate(limit: Any) -> dict[str, Any]:
    fail = step(
        "TooBad",
        "Fail",
        {"ErrorMessage": {"Std:Join": {"On": " ", "Values": ["score", SCORE, "below", limit]}}},
    )
    condition = compare("GreaterThanOrEqualTo", SCORE, limit)
    arguments = {"Conditions": [condition], "IfSteps": [shell("Good")], "ElseSteps": [fail]}
    return step("Gate", "Condition", arguments)


THRESHOLD = [{"Name": "Limit", "Type": "Float", "DefaultValue": 0.5}]
