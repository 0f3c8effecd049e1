"""The functions' modules, talking to local services of their own."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_sagemaker import Settings


@pytest.fixture(scope="session")
def local(local_sagemaker: Settings) -> Settings:
    return local_sagemaker


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
