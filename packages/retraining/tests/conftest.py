"""A project in a folder of its own, with its own ports, for tests that change it."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from projects import make_project

from local_sagemaker.daemon import stack
from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.runs import targets

for _name in [name for name in os.environ if name.startswith(("SMP_", "RETRAIN_"))]:
    del os.environ[_name]  # a user's settings for another project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.fixture
def on_local(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configuration]:
    """The project's configuration, with its local services running and boto3 pointing at them."""
    loaded = configuration.load(project)
    settings = targets.local_settings(loaded)
    stack.up(settings)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    # Another test's default session would keep that test's credentials.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield loaded
    stack.down(settings)
