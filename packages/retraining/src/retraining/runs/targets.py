"""Where a pipeline runs: on this machine, or in AWS.

Both are boto3 with other endpoint variables; after `enter` no code knows the difference.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from local_sagemaker import LocalError, PortsInUse, Settings, stack
from retraining.config.configuration import Configuration
from retraining.config.schema.project import Project
from retraining.errors import UserError
from retraining.runs.place_name import PlaceName

_Result = TypeVar("_Result")

_PORTS = {"LOCAL_SAGEMAKER_PORT": "sagemaker_port", "LOCAL_AWS_PORT": "aws_port"}


@dataclass(frozen=True)
class Place:
    """An entered place: `log_of(job kind, job name)` says where a job's log stands, `file_of(S3 URI)` where
    an object can be opened."""

    name: PlaceName
    log_of: Callable[[str, str], str]
    file_of: Callable[[str], str]


def local_settings(configuration: Configuration) -> Settings:
    """The local services of this project, as conf/project.yaml and LOCAL_*_PORT variables set them.

    Where neither variable is set and the services run, on the ports on which they run: they may have been
    started in another shell, which has the variables, and may be at work.

    Raises:
        UserError: a port variable is not a port, or both ports are the same.
    """
    project = configuration.project
    root = configuration.root / ".local"
    sagemaker_port, aws_port = _ports(project, root)
    return Settings(
        root=root,
        region=project.SMP_REGION,
        account=project.SMP_ACCOUNTID,
        bucket=project.bucket,
        sagemaker_port=sagemaker_port,
        aws_port=aws_port,
    )


def _ports(project: Project, root: Path) -> tuple[int, int]:
    if not any(variable in os.environ for variable in _PORTS):
        running = stack.running_ports(root)
        if running:
            return running
    sagemaker, aws = (port(name, getattr(project.local, key)) for name, key in _PORTS.items())
    if sagemaker == aws:
        raise UserError(
            f"LOCAL_SAGEMAKER_PORT and LOCAL_AWS_PORT, or local.sagemaker_port and local.aws_port in "
            f"conf/project.yaml where they are not set, are both {aws}: give them different ports"
        )
    return sagemaker, aws


def local_status(configuration: Configuration) -> dict[str, Any]:
    """``{"running": bool, "services": [{"name", "url", "pid", "healthy"}], "root": folder}``."""
    return _said_to_users(stack.status, configuration)


def stop_local(configuration: Configuration) -> bool:
    """Stop the local services; True where some ran."""
    return _said_to_users(stack.down, configuration)


def reset_local(configuration: Configuration) -> None:
    """Stop the local services and remove what they hold."""
    _said_to_users(stack.reset, configuration)


def _said_to_users(action: Callable[[Settings], _Result], configuration: Configuration) -> _Result:
    try:
        return action(local_settings(configuration))
    except PortsInUse:
        raise
    except LocalError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"the local services' folder .local cannot be used: {error}") from None


def port(variable: str, default: int) -> int:
    """A port from the environment, where it is set there."""
    text = os.environ.get(variable)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{4,5}", text) or not 1024 <= int(text) <= 65535:
        raise UserError(
            f"environment variable {variable}: a port from 1024 to 65535 is expected, not {text!r}"
        )
    return int(text)


def mlflow_port(configuration: Configuration) -> int:
    """The port of MLflow's pages.

    Raises:
        UserError: the variable is not a port, or the port is in use.
    """
    found = port("LOCAL_MLFLOW_PORT", configuration.project.local.mlflow_port)
    taken = stack.in_use(found, "mlflow_port")
    if taken is not None:
        raise UserError(taken)
    return found


def prepare(name: PlaceName, configuration: Configuration, on_progress: Callable[[str], None]) -> None:
    """Start what the place needs running; may be called from another thread than `enter`.

    Raises:
        UserError: the local services cannot start.
    """
    if name != "local":
        return
    try:
        _said_to_users(lambda settings: stack.up(settings, on_progress), configuration)
    except PortsInUse as error:
        # Who has to choose ports wants to know at once that the third is taken as well.
        mlflow = port("LOCAL_MLFLOW_PORT", configuration.project.local.mlflow_port)
        taken = stack.in_use(mlflow, "mlflow_port")
        raise UserError("\n".join(filter(None, [str(error), taken]))) from None


def enter(name: PlaceName, configuration: Configuration, on_progress: Callable[[str], None]) -> Place:
    """Make boto3, the SDK and MLflow of this process talk to the place; local services are started.

    Raises:
        UserError: the local services cannot start, or the AWS credentials are missing or another account's.
    """
    return {"local": _enter_local, "aws": _enter_aws}[name](configuration, on_progress)


def _enter_local(configuration: Configuration, on_progress: Callable[[str], None]) -> Place:
    prepare("local", configuration, on_progress)
    settings = local_settings(configuration)
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        os.environ.pop(variable, None)
    os.environ.update(settings.environment())
    return Place("local", lambda kind, job: str(settings.job_log(job)), settings.file_of)


def _enter_aws(configuration: Configuration, on_progress: Callable[[str], None]) -> Place:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    project = configuration.project
    os.environ["AWS_DEFAULT_REGION"] = project.SMP_REGION
    os.environ.pop("AWS_REGION", None)
    if project.mlflow_tracking_uri:
        os.environ["MLFLOW_TRACKING_URI"] = project.mlflow_tracking_uri
    on_progress("asking AWS who you are")
    try:
        account = boto3.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"AWS: {error}: set AWS_PROFILE to a profile with access to account {project.SMP_ACCOUNTID}"
        ) from None
    if account != project.SMP_ACCOUNTID:
        raise UserError(
            f"AWS: your credentials are of account {account}, but conf/project.yaml says SMP_ACCOUNTID "
            f"{project.SMP_ACCOUNTID}: set AWS_PROFILE, or SMP_ACCOUNTID, SMP_ROLE and SMP_S3BUCKETNAME"
        )
    return Place("aws", lambda kind, job: f"CloudWatch /aws/sagemaker/{kind}Jobs {job}", lambda uri: uri)
