"""The functions' modules, talking to local services of their own."""

import importlib.util
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_sagemaker import stack
from local_sagemaker.layout import Settings


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    sockets = [socket.socket() for _ in range(2)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    root = tmp_path_factory.mktemp("registry") / ".local"
    settings = Settings(root, "eu-west-1", "111122223333", "registry-bucket", ports[0], ports[1])
    stack.up(settings)
    yield settings
    stack.down(settings)


@pytest.fixture
def load_function(local: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A file of lambdas/ as a module, by its name."""
    for name, value in local.environment().items():
        monkeypatch.setenv(name, value)
    # Another test's default session would keep that test's credentials.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def load(name: str) -> Any:
        path = Path(__file__).parents[2] / "lambdas" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
