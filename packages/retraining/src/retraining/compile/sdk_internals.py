"""All that this package uses of the SageMaker SDK's private parts, or replaces in it.

A new version of the SDK may move any of it: tests/compile/test_sdk_internals.py says which. Everything
else here calls what the SDK documents.
"""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Uploads = dict[tuple[str, str], bytes]
"""(bucket, key) -> content of an object that a job will need."""


@contextmanager
def without_waste() -> Iterator[None]:
    """Leave out what the SDK does again and again to no effect.

    It checks its configuration against a JSON schema at each of some 50 look-ups, 0.2 s each; and each
    Processing and Transform step makes a client of SDK local mode, 0.3 s, to ask for a method's name.
    """
    from sagemaker.core.config.config_manager import SageMakerConfig
    from sagemaker.core.helper import session_helper
    from sagemaker.mlops.workflow import steps

    local_mode = steps.LocalSagemakerClient

    def nothing(*_: Any, **__: Any) -> None:
        """In place of a validation."""

    with (
        _replaced(SageMakerConfig, "validate_sagemaker_config", nothing),
        _replaced(session_helper, "validate_sagemaker_config", nothing),
        _replaced(steps, "LocalSagemakerClient", lambda: local_mode),
    ):
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Within it, the owner's attribute is another one."""
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def keep_uploads(session: Any, uploads: Uploads, default_bucket: str) -> None:
    """Uploads go straight into memory; the SDK's own way is through a pool of threads for each file."""

    def upload_data(path: str, bucket: str | None = None, key_prefix: str = "data", **_: Any) -> str:
        target = bucket or default_bucket
        if Path(path).is_file():
            uploads[target, f"{key_prefix}/{Path(path).name}"] = Path(path).read_bytes()
            return f"s3://{target}/{key_prefix}/{Path(path).name}"
        for file in Path(path).rglob("*"):
            # The SDK's own drivers get compiled files as soon as something imports them.
            if file.is_file() and "__pycache__" not in file.parts:
                uploads[target, f"{key_prefix}/{file.relative_to(path).as_posix()}"] = file.read_bytes()
        return f"s3://{target}/{key_prefix}"

    def upload_string_as_file_body(body: str | bytes, bucket: str, key: str, **_: Any) -> str:
        uploads[bucket, key] = body.encode() if isinstance(body, str) else body
        return f"s3://{bucket}/{key}"

    session.upload_data = upload_data
    session.upload_string_as_file_body = upload_string_as_file_body


def start_by_path(processor: Any, entry_point: str) -> None:
    """Let a processor start its script by this path below the source folder.

    The SDK names the file alone, as if each script were at the top of its folder.
    """
    upload: Callable[..., Any] = processor._create_and_upload_runproc
    script = shlex.quote(entry_point)
    processor._create_and_upload_runproc = lambda _, *args, **settings: upload(script, *args, **settings)


def model_step(session: Any, caller: str, request: dict[str, Any], **settings: Any) -> Any:
    """A ModelStep of a complete request: ModelBuilder adds empty variables and a validation of its own.

    Args:
        caller: ``create_model``, or ``create_model_package_from_containers`` for a registration.
        settings: further arguments of ModelStep, such as `name`.
    """
    from sagemaker.core.workflow.pipeline_context import _ModelStepArguments
    from sagemaker.mlops.workflow.model_step import ModelStep

    arguments = _ModelStepArguments(SimpleNamespace(sagemaker_session=session))
    arguments.caller_name = caller
    if caller == "create_model":
        arguments.create_model_request = request
    else:
        arguments.create_model_package_request = request
    return ModelStep(step_args=arguments, **settings)


def repack_step(**settings: Any) -> Any:
    """The SDK's training job that puts inference code into the folder code/ of a model.

    The SDK writes the path of the folder where it collects the code into what it uploads: here it is the
    same in each compilation, as the job could not be a cache hit otherwise.
    """
    from sagemaker.mlops.workflow import _utils

    folder = Path("code") / f"{settings['name']}-source"
    folder.mkdir(parents=True)
    with _replaced(_utils, "tempfile", SimpleNamespace(mkdtemp=lambda: str(folder))):
        return _utils._RepackModelStep(**settings)
