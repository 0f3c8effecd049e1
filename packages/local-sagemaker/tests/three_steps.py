"""A pipeline of three steps, written with plain boto3: prepare, train, and score what is good enough.

``python three_steps.py`` needs boto3 alone, and the variables that say where SageMaker is.
"""

import json
import sys
import time
from typing import Any

import boto3

PIPELINE = "three-steps"
ENDED = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
CACHE = {"Enabled": True, "ExpireAfter": "P9999D"}
ONE_INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
SCRIPTS = {
    "prepare.py": """
import pathlib
rows = pathlib.Path("/opt/ml/processing/input/rows.csv").read_text().split()
pathlib.Path("/opt/ml/processing/output/train.csv").write_text("\\n".join(str(2 * int(row)) for row in rows))
""",
    "train.py": """
import json, pathlib
rows = [int(row) for row in pathlib.Path("/opt/ml/input/data/train/train.csv").read_text().split()]
mean = sum(rows) / len(rows)
pathlib.Path("/opt/ml/model/model.json").write_text(json.dumps({"mean": mean}))
print(f"mean={mean}")
""",
    "score.py": """
import json, pathlib, tarfile
with tarfile.open("/opt/ml/processing/input/model.tar.gz") as archive:
    model = json.load(archive.extractfile("model.json"))
pathlib.Path("/opt/ml/processing/output/score.json").write_text(json.dumps({"score": model["mean"] / 10}))
""",
}


def processing(script: str, source: Any, output: str, bucket: str, role: str) -> dict[str, Any]:
    """Arguments of a Processing step that reads the S3 URI `source` and writes to `output` in the bucket."""
    inputs = {"code": f"s3://{bucket}/code/{script}", "input": source}
    folder = "/opt/ml/processing"
    return {
        "AppSpecification": {
            "ImageUri": "any",
            "ContainerEntrypoint": ["python3", f"{folder}/code/{script}"],
        },
        "ProcessingResources": {"ClusterConfig": ONE_INSTANCE},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{folder}/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "result",
                    "S3Output": {
                        "S3Uri": f"s3://{bucket}/{output}",
                        "LocalPath": f"{folder}/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "RoleArn": role,
    }


def training(source: Any, bucket: str, role: str) -> dict[str, Any]:
    """Arguments of the Training step: the channel `train` is the S3 URI `source`."""
    channels = {"code": f"s3://{bucket}/code/train.py", "train": source}
    return {
        "AlgorithmSpecification": {
            "TrainingImage": "any",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/train.py"],
            "MetricDefinitions": [{"Name": "mean", "Regex": "mean=([0-9.]+)"}],
        },
        "InputDataConfig": [
            {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
            for name, uri in channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": ONE_INSTANCE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "RoleArn": role,
    }


def definition(bucket: str, role: str) -> str:
    """The pipeline: each step takes its input from what the step before it made."""
    prepared = {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri"}
    model = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    mean = {"Get": "Steps.Train.FinalMetricDataList['mean'].Value"}
    limit = {"Get": "Parameters.Limit"}
    prepare = processing("prepare.py", f"s3://{bucket}/rows", "prepared", bucket, role)
    score = processing("score.py", model, "scores", bucket, role)
    too_low = {"Std:Join": {"On": " ", "Values": ["the mean is", mean, "and the limit", limit]}}
    gate = {
        "Conditions": [{"Type": "GreaterThanOrEqualTo", "LeftValue": mean, "RightValue": limit}],
        "IfSteps": [{"Name": "Score", "Type": "Processing", "Arguments": score}],
        "ElseSteps": [{"Name": "TooLow", "Type": "Fail", "Arguments": {"ErrorMessage": too_low}}],
    }
    steps = [
        {"Name": "Prepare", "Type": "Processing", "Arguments": prepare, "CacheConfig": CACHE},
        {
            "Name": "Train",
            "Type": "Training",
            "Arguments": training(prepared, bucket, role),
            "CacheConfig": CACHE,
        },
        {"Name": "Gate", "Type": "Condition", "Arguments": gate},
    ]
    parameters = [{"Name": "Limit", "Type": "Float", "DefaultValue": 1.0}]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": steps})


def create() -> str:
    """Make the bucket with code and data, and the pipeline; returns the bucket's name."""
    sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
    account = boto3.client("sts").get_caller_identity()["Account"]
    bucket = f"three-steps-{account}"
    region = sagemaker.meta.region_name
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **place)
    s3.put_object(Bucket=bucket, Key="rows/rows.csv", Body=b"1\n2\n3\n")
    for name, script in SCRIPTS.items():
        s3.put_object(Bucket=bucket, Key=f"code/{name}", Body=script.encode())
    role = f"arn:aws:iam::{account}:role/any"
    sagemaker.create_pipeline(
        PipelineName=PIPELINE, PipelineDefinition=definition(bucket, role), RoleArn=role
    )
    return bucket


def run(**parameters: str) -> dict[str, Any]:
    """Start the pipeline and wait for its end; the execution's description."""
    sagemaker = boto3.client("sagemaker")
    arn = sagemaker.start_pipeline_execution(
        PipelineName=PIPELINE,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
    )["PipelineExecutionArn"]
    while True:
        execution: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if execution["PipelineExecutionStatus"] in ENDED:
            return execution
        time.sleep(0.1)


def main() -> None:
    bucket = create()
    execution = run()
    print(execution["PipelineExecutionStatus"], execution.get("FailureReason", ""))
    steps = boto3.client("sagemaker").list_pipeline_execution_steps(
        PipelineExecutionArn=execution["PipelineExecutionArn"], SortOrder="Ascending"
    )
    for step in steps["PipelineExecutionSteps"]:
        print(f"{step['StepName']:8} {step['StepStatus']}")
    if execution["PipelineExecutionStatus"] != "Succeeded":
        sys.exit(1)
    print(boto3.client("s3").get_object(Bucket=bucket, Key="scores/score.json")["Body"].read().decode())


if __name__ == "__main__":
    main()
