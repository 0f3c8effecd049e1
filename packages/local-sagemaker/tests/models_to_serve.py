"""Small models, packed as SageMaker wants them, and an unmodified boto3 client that transforms with them."""

import contextlib
import http.client
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.core.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/x"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
SKLEARN = f"{REGISTRY}/sagemaker-scikit-learn:1.4-2-cpu-py3"
TENSORFLOW = f"{REGISTRY}/tensorflow-inference:2.20-cpu"

# Adds a constant to the sum of each row; a row that is no list of numbers is an error.
SUMS = """
import json, os

def model_fn(model_dir):
    with open(os.path.join(model_dir, "constant.txt")) as file:
        return float(file.read())

def input_fn(body, content_type):
    assert content_type == "text/csv", content_type
    return [[float(cell) for cell in line.split(",")] for line in body.splitlines()]

def predict_fn(rows, constant):
    print("rows", len(rows))
    return [sum(row) + constant for row in rows]

def output_fn(sums, accept):
    return "".join(f"{value}\\n" for value in sums), accept
"""


def archive(files: Mapping[str, bytes | str]) -> bytes:
    """A gzipped tar file."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def sums(code: str = SUMS) -> bytes:
    return archive({"constant.txt": "0.5", "code/inference.py": code})


class Transforming:
    """Makes models, starts transform jobs and waits for them."""

    def __init__(self, settings: Settings, sagemaker: Any, s3: Any) -> None:
        self.settings = settings
        self.sagemaker = sagemaker
        self.s3 = s3

    def uri(self, key: str) -> str:
        return f"s3://{self.settings.bucket}/{key}"

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.settings.bucket, Key=key, Body=body)
        return self.uri(key)

    def model(self, name: str, data: bytes, image: str = SKLEARN, **request: Any) -> str:
        container = {"Image": image, "ModelDataUrl": self.put(f"{name}/model.tar.gz", data)}
        container |= request.pop("PrimaryContainer", {})
        arn: str = self.sagemaker.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, **request
        )["ModelArn"]
        return arn

    def start(self, name: str, **request: Any) -> str:
        """A job of the model `name` over the objects below ``<name>/in/`` to ``<name>/out``."""
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": self.uri(f"{name}/in/")}}
        given = {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"}
        target = {"S3OutputPath": self.uri(f"{name}/out"), "Accept": "text/csv", "AssembleWith": "Line"}
        arn: str = self.sagemaker.create_transform_job(
            TransformJobName=name,
            ModelName=request.pop("ModelName", name),
            TransformInput=given | request.pop("TransformInput", {}),
            TransformOutput=target | request.pop("TransformOutput", {}),
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": request.pop("count", 1)},
            **request,
        )["TransformJobArn"]
        return arn

    def wait(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while True:
            job: dict[str, Any] = self.sagemaker.describe_transform_job(TransformJobName=name)
            if job["TransformJobStatus"] not in ("InProgress", "Stopping"):
                return job
            assert time.monotonic() < deadline, f"{name} is still {job['TransformJobStatus']}"
            time.sleep(0.02)

    def run(self, name: str, **request: Any) -> dict[str, Any]:
        self.start(name, **request)
        return self.wait(name)

    def log(self, name: str) -> str:
        return self.settings.job_log(name).read_text()

    def outputs(self, name: str) -> dict[str, bytes]:
        """Relative key -> content of what lies below ``<name>/out/``."""
        prefix = f"{name}/out/"
        bucket = self.settings.bucket
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {
            entry["Key"].removeprefix(prefix): self.s3.get_object(Bucket=bucket, Key=entry["Key"])[
                "Body"
            ].read()
            for entry in listed
        }


class Served:
    """A model server that runs, and requests to it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path, None, {})[:2]

    def post(self, body: bytes, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer to an invocation; ``content_type=`` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, content, kind = self._ask("POST", "/invocations", body, named)
        return status, kind, content

    def _ask(self, method: str, path: str, body: bytes | None, headers: Any) -> tuple[int, bytes, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Content-Type", "")


def command(kind: str, folder: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "local_sagemaker.serving.toolkit.server",
        "--kind",
        kind,
        "--model-dir",
        str(folder),
    ]


@contextlib.contextmanager
def serving(kind: str, folder: Path, **environment: str) -> Iterator[Served]:
    """The model in `folder`, served by a process of its own."""
    port = folder.parent / f"{folder.name}.port"
    process = subprocess.Popen(
        [*command(kind, folder), "--port-file", str(port)], env=os.environ | environment
    )
    try:
        deadline = time.monotonic() + 60
        while not port.exists():
            assert process.poll() is None, "the model server ended"
            assert time.monotonic() < deadline, "the model server does not listen"
            time.sleep(0.02)
        yield Served(int(port.read_text()))
    finally:
        process.terminate()
        process.wait(30)


def refusal(kind: str, folder: Path, **environment: str) -> str:
    """The last line of a model server that cannot serve what is in `folder`."""
    done = subprocess.run(
        command(kind, folder), env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]
