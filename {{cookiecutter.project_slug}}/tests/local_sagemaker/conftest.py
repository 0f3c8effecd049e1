"""A running local stack for all tests of this folder, and small pipelines to run on it."""

import io
import socket
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker import stack
from local_sagemaker.layout import Settings
from tests.local_sagemaker.pipelines_to_run import ACCOUNT, ROLE, Runner


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()


def make_settings(root: Path) -> Settings:
    sagemaker_port, aws_port = free_ports(2)
    return Settings(
        root=root,
        region="eu-west-1",
        account=ACCOUNT,
        bucket="local-bucket",
        sagemaker_port=sagemaker_port,
        aws_port=aws_port,
    )


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a stack that runs for the whole session."""
    settings = make_settings(tmp_path_factory.mktemp("local") / ".local")
    stack.up(settings)
    yield settings
    stack.down(settings)


@pytest.fixture(scope="session")
def sagemaker(local: Settings) -> Any:
    return local.client("sagemaker")


@pytest.fixture(scope="session")
def s3(local: Settings) -> Any:
    return local.client("s3")


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def runner(sagemaker: Any) -> Runner:
    return Runner(sagemaker)


@pytest.fixture(scope="session")
def make_function(local: Settings) -> Callable[[str, str], str]:
    """(name, source of `handler(event, context)`) -> ARN of a Lambda function."""

    def make(name: str, source: str) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("code.py", source)
        arn: str = local.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="code.handler",
            Timeout=60,
            Code={"ZipFile": content.getvalue()},
        )["FunctionArn"]
        return arn

    return make
