"""A pytest plugin, active wherever this package is installed: the fixture `local_sagemaker`."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Every run of pytest in this environment imports this module: the services are imported by who uses them.
if TYPE_CHECKING:
    from local_sagemaker.core.settings import Settings


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
    from local_sagemaker.core.settings import Settings

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

    ``local_sagemaker.client("sagemaker")`` is a boto3 client of them, ``local_sagemaker.environment()`` the
    variables for any other program.
    """
    from local_sagemaker.daemon import stack

    settings = make_settings(tmp_path_factory.mktemp("local_sagemaker") / ".local")
    stack.up(settings)
    yield settings
    stack.down(settings)
