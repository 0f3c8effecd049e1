"""The SageMaker SDK has its private parts where this package expects them.

When a test here fails after an upgrade of the SDK, compile/sdk_internals.py needs the change that it names.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from retraining.compile import sdk_internals

# Module, name in it, and the parameters that are passed.
USED: list[tuple[str, str, tuple[str, ...]]] = [
    ("sagemaker.core.config.config_manager", "SageMakerConfig.validate_sagemaker_config", ()),
    ("sagemaker.core.helper.session_helper", "validate_sagemaker_config", ()),
    ("sagemaker.mlops.workflow.steps", "LocalSagemakerClient", ()),
    ("sagemaker.core.local.local_session", "LocalSagemakerClient.create_transform_job", ()),
    ("sagemaker.core.local.local_session", "LocalSagemakerClient.create_processing_job", ()),
    (
        "sagemaker.core.workflow.pipeline_context",
        "PipelineSession.upload_data",
        ("path", "bucket", "key_prefix"),
    ),
    (
        "sagemaker.core.workflow.pipeline_context",
        "PipelineSession.upload_string_as_file_body",
        ("body", "bucket", "key"),
    ),
    (
        "sagemaker.core.processing",
        "FrameworkProcessor._create_and_upload_runproc",
        ("self", "user_script", "kms_key", "entrypoint_s3_uri"),
    ),
    ("sagemaker.core.workflow.pipeline_context", "_ModelStepArguments", ("model",)),
    ("sagemaker.mlops.workflow.model_step", "ModelStep", ("name", "step_args", "retry_policies")),
    (
        "sagemaker.mlops.workflow._utils",
        "_RepackModelStep",
        (
            "name", "sagemaker_session", "role", "model_data", "entry_point", "source_dir", "requirements",
            "retry_policies", "subnets", "security_group_ids", "kwargs",
        ),
    ),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the SDK makes clients."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def used(module: str, path: str) -> Any:
    value = importlib.import_module(module)
    for name in path.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(("module", "path", "parameters"), USED, ids=[path for _, path, _ in USED])
def test_what_is_used_of_the_sdk_is_there(module: str, path: str, parameters: tuple[str, ...]) -> None:
    try:
        value = used(module, path)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"the SDK has moved {module}.{path}: {error}")
    missing = set(parameters) - set(inspect.signature(value).parameters)
    assert not missing, f"{module}.{path} no longer has the parameters {sorted(missing)}"


def test_a_processor_names_its_script_first() -> None:
    first = list(inspect.signature(used(*USED[7][:2])).parameters)[1]
    assert first == "user_script", "start_by_path replaces the first argument, which is another one now"


@pytest.mark.parametrize("member", ["create_model_request", "create_model_package_request", "caller_name"])
def test_arguments_of_a_model_step_have_their_members(member: str) -> None:
    assert hasattr(used("sagemaker.core.workflow.pipeline_context", "_ModelStepArguments")(None), member)


def test_what_is_replaced_is_put_back() -> None:
    owners: dict[str, Callable[[], Any]] = {
        path: lambda module=module, path=path: used(module, path) for module, path, _ in USED[:3]
    }
    before = {path: value() for path, value in owners.items()}
    with sdk_internals.without_waste():
        assert all(value() is not before[path] for path, value in owners.items())
    assert {path: value() for path, value in owners.items()} == before
    with pytest.raises(ZeroDivisionError), sdk_internals.without_waste():
        1 / 0  # noqa: B018
    assert {path: value() for path, value in owners.items()} == before


def test_the_validations_that_are_left_out_return_nothing() -> None:
    """Else what is put in their place would have to return it as well."""
    from sagemaker.core.config.config_manager import SageMakerConfig

    assert SageMakerConfig.validate_sagemaker_config({"SchemaVersion": "1.0"}) is None
