"""A running local stack for all tests of this folder, and small pipelines to run on it."""

import io
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from jobs_to_run import Processing, Training
from pipelines_to_run import ROLE, Runner

from local_sagemaker.core.settings import Settings

# Property tests have no deadline: the first example may load something, and machines are busy.
settings.register_profile(
    "without-deadline", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("without-deadline")


@pytest.fixture(scope="session")
def local(local_sagemaker: Settings) -> Settings:
    return local_sagemaker


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


@pytest.fixture
def processing(local: Settings, sagemaker: Any, s3: Any) -> Processing:
    return Processing(local, sagemaker, s3)


@pytest.fixture
def training(local: Settings, sagemaker: Any, s3: Any) -> Training:
    return Training(local, sagemaker, s3)
