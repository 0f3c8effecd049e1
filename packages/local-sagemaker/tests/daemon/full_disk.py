"""`python full_disk.py FOLDER`, in a mount namespace of its own: the services on a disk that gets full."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_sagemaker.core.settings import Settings, session
from local_sagemaker.daemon import stack
from local_sagemaker.testing import make_settings

SIZE = 64  # MiB
OLD, NEW = b"old" * 1000, os.urandom(2_000_000)


def client(settings: Settings, service: str) -> Any:
    """An ordinary client, but without the retries that only take time here."""
    url = settings.sagemaker_url if service == "sagemaker" else settings.aws_url
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={})
    return session(settings).client(service, endpoint_url=url, config=config)


def refused(action: Callable[[], object], code: str) -> None:
    with pytest.raises(ClientError, match="No space left") as caught:
        action()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def function(name: str) -> dict[str, Any]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("code.py", "def handler(event, context): return 1\n")
    role = "arn:aws:iam::123456789012:role/x"
    code = {"ZipFile": content.getvalue()}
    return {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": role,
        "Handler": "code.handler",
        "Code": code,
    }


def job(name: str) -> dict[str, Any]:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    return {
        "ProcessingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/x",
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["/bin/sh", "-c", "echo it runs"]},
        "ProcessingResources": {"ClusterConfig": cluster},
    }


def fill(file: Path) -> None:
    with file.open("ab", buffering=0) as opened, contextlib.suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    opened.write(b"x" * size)


def body(s3: Any, bucket: str, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def error_of(settings: Settings, target: str, content: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"X-Amz-Target": target, "X-Amz-Security-Token": settings.session_token}
    request = urllib.request.Request(settings.sagemaker_url, content, headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def ended(sagemaker: Any, name: str) -> str:
    while (status := sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]) in (
        "InProgress",
        "Stopping",
    ):
        time.sleep(0.05)
    return str(status)


def main(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", folder], check=True)
    settings = make_settings(folder / ".local")
    bucket, filler = settings.bucket, folder / "filler"
    stack.up(settings)
    try:
        s3, lambdas, sagemaker = (client(settings, name) for name in ("s3", "lambda", "sagemaker"))
        for key in ("kept", "source", "removed"):
            s3.put_object(Bucket=bucket, Key=key, Body=OLD if key != "source" else NEW, Metadata={"a": "b"})
        lambdas.create_function(**function("kept"))
        upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
        part = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
        tag = s3.upload_part(**part, PartNumber=1, Body=NEW)["ETag"]
        completion = {**part, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}
        sagemaker.create_processing_job(**job("before"))
        assert ended(sagemaker, "before") == "Completed"

        fill(filler)
        # S3: an error, and what was there stays.
        refused(lambda: s3.put_object(Bucket=bucket, Key="new", Body=NEW), "InternalError")
        refused(lambda: s3.put_object(Bucket=bucket, Key="kept", Body=NEW), "InternalError")
        copied = {"Bucket": bucket, "Key": "source"}
        refused(lambda: s3.copy_object(Bucket=bucket, Key="copy", CopySource=copied), "InternalError")
        refused(lambda: s3.complete_multipart_upload(**completion), "InternalError")
        assert body(s3, bucket, "kept") == OLD
        present = {item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]}
        assert present == {"kept", "source", "removed"}, present
        # The others: refused, and refused again, not "already exists".
        for _ in range(2):
            refused(lambda: lambdas.create_function(**function("new")), "InternalFailure")
            refused(
                lambda: client(settings, "events").put_rule(Name="new", ScheduleExpression="rate(7 days)"),
                "InternalFailure",
            )
            refused(
                lambda: client(settings, "iam").create_role(RoleName="new", AssumeRolePolicyDocument="{}"),
                "InternalFailure",
            )
        # SageMaker: JSON with a type, whatever the log's disk says.
        for number in range(50):
            status, answer = error_of(
                settings, "SageMaker.CreateProcessingJob", json.dumps(job(f"full-{number}")).encode()
            )
            assert status in (200, 500), (status, answer)
            assert status == 200 or answer["__type"] == "InternalFailure", answer
            if status == 500:
                break
        else:
            raise AssertionError("the database was never full")
        assert "full" in answer["message"] or "space" in answer["message"], answer

        # A kill now, and space again.
        aws = stack.status(settings)["services"][1]["pid"]
        os.kill(aws, signal.SIGKILL)
        filler.unlink()
        stack.up(settings)
        assert body(s3, bucket, "kept") == OLD
        assert s3.head_object(Bucket=bucket, Key="kept")["Metadata"] == {"a": "b"}
        assert {item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]} == present
        assert "kept" in {item["FunctionName"] for item in lambdas.list_functions()["Functions"]}
        for listed in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]:
            ended(sagemaker, listed["ProcessingJobName"])  # none stays InProgress
        sagemaker.create_processing_job(**job("after"))
        assert ended(sagemaker, "after") == "Completed"

        # Once more without a kill: the services go on when there is space.
        upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
        part = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
        tag = s3.upload_part(**part, PartNumber=1, Body=NEW)["ETag"]
        completion = {**part, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}
        fill(filler)
        refused(lambda: s3.complete_multipart_upload(**completion), "InternalError")
        refused(lambda: lambdas.create_function(**function("new")), "InternalFailure")
        s3.delete_object(Bucket=bucket, Key="removed")
        filler.unlink()
        s3.complete_multipart_upload(**completion)
        assert body(s3, bucket, "parts") == NEW
        s3.put_object(Bucket=bucket, Key="kept", Body=NEW)
        assert body(s3, bucket, "kept") == NEW
        client(settings, "events").put_rule(Name="new", ScheduleExpression="rate(7 days)")
    finally:
        stack.down(settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
