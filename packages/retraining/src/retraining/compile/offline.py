"""A SageMaker session that never calls AWS: compiling needs no credentials and has no side effects.

The SDK asks STS, IAM and S3 while it compiles and uploads code at once. Here botocore's own events answer
those calls, and the uploads are kept in memory.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from retraining.compile.sdk_internals import Uploads, keep_uploads, without_waste
from retraining.config.configuration import Configuration

_OF_AWS = ("AWS_", "BOTO", "SAGEMAKER_")


class UnexpectedCall(Exception):
    """The SDK called an AWS operation that compiling is not known to need."""


@contextmanager
def session(configuration: Configuration) -> Iterator[tuple[Any, Uploads]]:
    """A ``PipelineSession`` and the uploads that it records.

    Raises:
        UnexpectedCall: the SDK asks for anything but identity, role checks and uploads.
    """
    import boto3

    # Importing the SDK makes clients of boto3's default session, which must see nothing of this machine.
    default, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, None
    before = {name: value for name, value in os.environ.items() if name.startswith(_OF_AWS)}
    for name in before:
        del os.environ[name]
    os.environ.update(
        AWS_DEFAULT_REGION=configuration.project.SMP_REGION,
        AWS_ACCESS_KEY_ID="offline",
        AWS_SECRET_ACCESS_KEY="offline",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        SAGEMAKER_VALIDATE_ROLE="false",
    )
    try:
        with without_waste():
            uploads: Uploads = {}
            yield _session(configuration, uploads), uploads
    finally:
        boto3.DEFAULT_SESSION = default
        for name in [name for name in os.environ if name.startswith(_OF_AWS)]:
            del os.environ[name]
        os.environ.update(before)


def _session(configuration: Configuration, uploads: Uploads) -> Any:
    import boto3
    import botocore.session
    from botocore.config import Config
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    project = configuration.project
    core = botocore.session.Session(profile=None)
    core.set_config_variable("ignore_configured_endpoint_urls", True)
    core.set_default_client_config(
        Config(request_checksum_calculation="when_required", s3={"use_accelerate_endpoint": False})
    )
    account = project.SMP_ACCOUNTID
    caller = {"Account": account, "UserId": "offline", "Arn": f"arn:aws:iam::{account}:user/offline"}
    answers: dict[str, Any] = {
        "GetCallerIdentity": caller,
        "ListBuckets": {"Buckets": [{"Name": project.bucket}]},
        "HeadBucket": {},
        "SimulatePrincipalPolicy": {"EvaluationResults": []},
        "GetRole": {"Role": {"Arn": project.role}},
    }

    def record(params: dict[str, Any], **_: Any) -> None:
        body = params["Body"]
        uploads[params["Bucket"], params["Key"]] = body.encode() if isinstance(body, str) else _read(body)

    def answer(model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        if model.name == "PutObject":
            return _Ok(), {"ETag": '""'}
        if model.name not in answers:
            raise UnexpectedCall(f"compiling called {model.service_model.service_name} {model.name}")
        return _Ok(), answers[model.name]

    core.register("before-parameter-build.s3.PutObject", record)
    core.register("before-call", answer)

    boto_session = boto3.Session(
        aws_access_key_id=account,
        aws_secret_access_key="offline",
        region_name=project.SMP_REGION,
        botocore_session=core,
    )
    boto_session.client = _made_once(boto_session.client)
    session = PipelineSession(
        boto_session=boto_session,
        default_bucket=project.bucket,
        # A configuration of its own: no telemetry, and no defaults of this user or machine.
        sagemaker_config={
            "SchemaVersion": "1.0",
            "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
        },
    )
    keep_uploads(session, uploads, project.bucket)
    return session


class _Client:
    """A boto3 client that is made when first used: a session makes six, and compiling needs two of them."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        if "_made" not in self.__dict__:
            self._made = self._make()
        return getattr(self._made, name)


def _made_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """One client of each kind; the SDK makes some again for every job."""
    known: dict[str, _Client] = {}

    def client(*arguments: Any, **options: Any) -> Any:
        key = repr((arguments, sorted((name, str(value)) for name, value in options.items())))
        return known.setdefault(key, _Client(lambda: make(*arguments, **options)))

    return client


def _read(body: Any) -> bytes:
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    content: bytes = body.read()
    body.seek(0)
    return content


class _Ok:
    """The part of an HTTP response that botocore looks at."""

    status_code = 200
