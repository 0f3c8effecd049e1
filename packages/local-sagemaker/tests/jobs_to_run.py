"""Processing and training jobs of shell scripts, started and awaited by an unmodified boto3."""

import dataclasses
import io
import os
import shutil
import tarfile
import time
from pathlib import Path
from typing import Any

from local_sagemaker.core import tokens
from local_sagemaker.core.root import prepare
from local_sagemaker.core.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/x"
RUNNING = ("InProgress", "Stopping")


def beside(local: Settings, root: Path, **changes: Any) -> Settings:
    """A root of its own beside running services, which takes jobs with their token."""
    settings = dataclasses.replace(local, root=root, pip_variables=dict(os.environ), **changes)
    prepare(settings)
    shutil.copy(local.root / tokens.FILE, root)
    return settings


class Processing:
    """Starts processing jobs of shell scripts and waits for them."""

    def __init__(self, settings: Settings, sagemaker: Any, s3: Any) -> None:
        self.settings = settings
        self.sagemaker = sagemaker
        self.s3 = s3

    def start(self, name: str, script: str, **request: Any) -> str:
        specification = {"ImageUri": "image", "ContainerEntrypoint": ["/bin/sh", "-c", script, "job"]}
        specification |= request.pop("AppSpecification", {})
        cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        resources = request.pop("ProcessingResources", {"ClusterConfig": cluster})
        arn: str = self.sagemaker.create_processing_job(
            ProcessingJobName=name,
            AppSpecification=specification,
            ProcessingResources=resources,
            **{"RoleArn": ROLE, **request},
        )["ProcessingJobArn"]
        return arn

    def wait(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 90
        while True:
            job: dict[str, Any] = self.sagemaker.describe_processing_job(ProcessingJobName=name)
            if job["ProcessingJobStatus"] not in RUNNING:
                return job
            assert time.monotonic() < deadline, f"{name} is still {job['ProcessingJobStatus']}"
            time.sleep(0.02)

    def run(self, name: str, script: str, **request: Any) -> dict[str, Any]:
        self.start(name, script, **request)
        return self.wait(name)

    def wait_for(self, name: str, text: str) -> None:
        log = self.settings.job_log(name)
        deadline = time.monotonic() + 30
        while not (log.exists() and text in log.read_text()):
            assert time.monotonic() < deadline, f"{name} does not print {text}"
            time.sleep(0.01)

    def log(self, name: str) -> str:
        return self.settings.job_log(name).read_text()

    def put(self, key: str, body: bytes = b"content") -> str:
        self.s3.put_object(Bucket=self.settings.bucket, Key=key, Body=body)
        return f"s3://{self.settings.bucket}/{key}"

    def uri(self, key: str) -> str:
        return f"s3://{self.settings.bucket}/{key}"

    def keys(self, prefix: str) -> list[str]:
        answer = self.s3.list_objects_v2(Bucket=self.settings.bucket, Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for entry in answer.get("Contents", [])]


def source(name: str, uri: str, path: str = "/opt/ml/processing/in", **more: str) -> dict[str, Any]:
    settings = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"} | more
    return {"InputName": name, "S3Input": settings}


def target(
    name: str, uri: str, path: str = "/opt/ml/processing/out", mode: str = "EndOfJob"
) -> dict[str, Any]:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": mode}}


class Training:
    """Starts training jobs of shell scripts and waits for them."""

    def __init__(self, settings: Settings, sagemaker: Any, s3: Any) -> None:
        self.settings = settings
        self.sagemaker = sagemaker
        self.s3 = s3

    def start(self, name: str, script: str, **request: Any) -> str:
        specification = {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c", script],
        } | request.pop("AlgorithmSpecification", {})
        defaults: dict[str, Any] = {
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "OutputDataConfig": {"S3OutputPath": self.uri("models")},
        }
        arn: str = self.sagemaker.create_training_job(
            TrainingJobName=name, RoleArn=ROLE, AlgorithmSpecification=specification, **(defaults | request)
        )["TrainingJobArn"]
        return arn

    def wait(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 90
        while True:
            job: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
            if job["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                return job
            assert time.monotonic() < deadline, f"{name} is still {job['SecondaryStatus']}"
            time.sleep(0.02)

    def run(self, name: str, script: str, **request: Any) -> dict[str, Any]:
        self.start(name, script, **request)
        return self.wait(name)

    def log(self, name: str) -> str:
        return self.settings.job_log(name).read_text()

    def uri(self, key: str) -> str:
        return f"s3://{self.settings.bucket}/{key}"

    def put(self, key: str, body: bytes = b"content") -> None:
        self.s3.put_object(Bucket=self.settings.bucket, Key=key, Body=body)

    def keys(self, prefix: str) -> list[str]:
        answer = self.s3.list_objects_v2(Bucket=self.settings.bucket, Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for entry in answer.get("Contents", [])]

    def unpack(self, uri: str) -> dict[str, bytes]:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def channel(name: str, uri: str, **more: Any) -> dict[str, Any]:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    return {"ChannelName": name, "DataSource": data} | more
