"""A pytest plugin, active wherever this package is installed: local services for tests.

The fixture `local_sagemaker` starts them once for all tests, on free ports and in a folder of their own::

    def test_upload(local_sagemaker):
        local_sagemaker.client("s3").create_bucket(Bucket="tests")

`local_sagemaker_env` in addition points the boto3 and SDK code of the test's own process at them::

    def test_training(local_sagemaker_env):
        my_package.train()
"""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

_PLACES = r"LOCAL_(SAGEMAKER_PORT|SAGEMAKER_HOME|AWS_PORT|MLFLOW_PORT)"

# Every run of pytest in this environment imports this module: the services are imported where they are used.
if TYPE_CHECKING:
    from local_sagemaker import Settings


def pytest_configure() -> None:
    """Tests start services of their own: where the user's shell wants others does not concern them."""
    for name in [name for name in os.environ if re.fullmatch(_PLACES, name)]:
        del os.environ[name]


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody uses now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def make_settings(root: Path) -> "Settings":
    """Settings of local services that keep everything in `root` and listen on free ports."""
    from local_sagemaker import Settings

    sagemaker_port, aws_port = free_ports(2)
    return Settings(
        root=root,
        region="eu-west-1",
        account="123456789012",
        bucket="local-bucket",
        sagemaker_port=sagemaker_port,
        aws_port=aws_port,
    )


@pytest.fixture(scope="session")
def local_sagemaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Settings"]:
    """Local services that run for the whole session, on free ports and in a folder of their own.

    ``local_sagemaker.client("sagemaker")`` is a boto3 client of them, ``local_sagemaker.bucket`` a bucket
    that is there, ``local_sagemaker.environment(os.environ)`` the environment for any other program, and
    ``local_sagemaker.job_log(name)`` the file with what a job printed.
    """
    from local_sagemaker import stack

    settings = make_settings(tmp_path_factory.mktemp("local_sagemaker") / ".local")
    stack.up(settings)
    yield settings
    stack.down(settings)


@pytest.fixture
def local_sagemaker_env(local_sagemaker: "Settings", monkeypatch: pytest.MonkeyPatch) -> "Settings":
    """The same, and for one test ``os.environ`` leads boto3 and the SDK to them, whatever the user's has."""
    import boto3

    for name, value in local_sagemaker.changes(os.environ).items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    # A default session made before would keep the user's credentials.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return local_sagemaker
