"""Where a pipeline runs: on this machine, or in AWS.

Both are boto3 with other endpoint variables; after `enter` no code knows the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

# Its names are imported when they are used: every command imports this module.
import local_sagemaker
from retraining.config.configuration import AnyConfiguration
from retraining.config.schema.project import Project
from retraining.errors import UserError

if TYPE_CHECKING:
    from local_sagemaker import Settings as Settings

PlaceName = Literal["local", "aws"]  # in the words of the option --on

_Result = TypeVar("_Result")

FOLDER = ".local"
_PORTS = {"LOCAL_SAGEMAKER_PORT": "sagemaker_port", "LOCAL_AWS_PORT": "aws_port"}
# What a job must not see: in AWS its image has none of it.
_HIDDEN = ("retraining", "job-toolkit")


@dataclass(frozen=True)
class Place:
    """An entered place: `log_of(job kind, job name)` says where a job's log is, `file_of(S3 URI)` where an
    object can be opened."""

    name: PlaceName
    log_of: Callable[[str, str], str]
    file_of: Callable[[str], str]


def local_settings(configuration: AnyConfiguration) -> local_sagemaker.Settings:
    """The local services of this project, as conf/project.yaml and LOCAL_*_PORT variables set them.

    Where no variable is set and the services run, on the ports on which they run: they may have been
    started in another shell, which has the variables, and may be at work.

    Raises:
        UserError: a port variable is not a port, or both ports are the same.
    """
    project = configuration.project
    root = configuration.root / FOLDER
    sagemaker_port, aws_port = _ports(project, root)
    return local_sagemaker.Settings(
        root=root,
        region=project.SMP_REGION,
        account=project.SMP_ACCOUNTID,
        bucket=project.bucket,
        sagemaker_port=sagemaker_port,
        aws_port=aws_port,
        hidden=_HIDDEN,
        variables={
            **dict.fromkeys(
                ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"), f"sqlite:///{root / 'mlflow.db'}"
            ),
            "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{aws_port}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        command="retrain local",
        port_advice="set local.{key} in conf/project.yaml or the variable {variable}",
    )


def _ports(project: Project, root: Path) -> tuple[int, int]:
    if not any(variable in os.environ for variable in _PORTS):
        running = local_sagemaker.stack.running(root)
        if running:
            return running.sagemaker_port, running.aws_port
    sagemaker, aws = (_port(variable, getattr(project.local, key)) for variable, key in _PORTS.items())
    if sagemaker == aws:
        raise UserError(
            f"LOCAL_SAGEMAKER_PORT and LOCAL_AWS_PORT, or local.sagemaker_port and local.aws_port in "
            f"conf/project.yaml where they are not set, are both {aws}: give them different ports"
        )
    return sagemaker, aws


def recorded_settings(root: Path) -> local_sagemaker.Settings:
    """Those with which the services of the project in `root` were started; where none run, good to empty
    their folder only."""
    return local_sagemaker.stack.recorded(root / FOLDER, "retrain local")


def local_status(settings: local_sagemaker.Settings) -> dict[str, Any]:
    """``{"running": bool, "services": [{"name", "url", "pid", "healthy"}], "root": folder}``."""
    return _said_to_users(local_sagemaker.stack.status, settings)


def local_environment(settings: local_sagemaker.Settings) -> dict[str, str | None]:
    """The variables with which other programs use the local services; None for those to be unset.

    Raises:
        UserError: the services do not run.
    """
    return _said_to_users(local_sagemaker.programs.environment, settings)


def service_environment(configuration: AnyConfiguration) -> dict[str, str]:
    """The variables of a process that stays in the background and uses the local services.

    Any process of the user can read them: nothing of the shell is among them that may be secret.
    """
    wanted = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SERVER_")
    chosen = {name: value for name, value in os.environ.items() if name.startswith(wanted)}
    shell = local_sagemaker.shell.for_services(os.environ)
    return shell | chosen | local_settings(configuration).environment()


def own_pages(app: Any, port: int) -> Any:
    """The ASGI application `app` on `port` of this machine, closed to the pages of other sites."""
    return local_sagemaker.OwnPages(app, port)


def local_exports(variables: Mapping[str, str | None]) -> str:
    """The same as lines for a shell."""
    return local_sagemaker.programs.exports(variables)


def run_local(
    settings: local_sagemaker.Settings, words: list[str], on_progress: Callable[[str], None]
) -> int:
    """Run a program with these variables; start the services when they are down. Its exit code."""
    return _said_to_users(
        lambda settings: local_sagemaker.programs.run(settings, words, on_progress), settings
    )


def stop_local(settings: local_sagemaker.Settings) -> bool:
    """Stop the local services; True where some ran."""
    return _said_to_users(local_sagemaker.stack.down, settings)


def reset_local(settings: local_sagemaker.Settings) -> None:
    """Stop the local services and remove what they hold."""
    _said_to_users(local_sagemaker.stack.reset, settings)


def _said_to_users(
    action: Callable[[local_sagemaker.Settings], _Result], settings: local_sagemaker.Settings
) -> _Result:
    try:
        return action(settings)
    except local_sagemaker.PortsInUse:
        raise
    except local_sagemaker.LocalError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"the local services' folder .local cannot be used: {error}") from None


def _port(variable: str, default: int) -> int:
    try:
        return local_sagemaker.stack.port(variable, default)
    except local_sagemaker.LocalError as error:
        raise UserError(str(error)) from None


def mlflow_port(configuration: AnyConfiguration) -> int:
    """The port of MLflow's pages.

    Raises:
        UserError: the variable is not a port, or the port is in use.
    """
    port = _port("LOCAL_MLFLOW_PORT", configuration.project.local.mlflow_port)
    taken = local_sagemaker.stack.in_use(local_settings(configuration), port, "mlflow_port")
    if taken is not None:
        raise UserError(taken)
    return port


def prepare(
    name: PlaceName,
    configuration: AnyConfiguration,
    on_progress: Callable[[str], None],
    shell: Mapping[str, str] = os.environ,
) -> None:
    """Start what the place needs running; may be called from another thread than `enter`.

    `shell` is the user's environment; another thread needs a copy, for compiling changes os.environ.

    Raises:
        UserError: the local services cannot start.
    """
    if name != "local":
        return
    try:
        _said_to_users(
            lambda settings: local_sagemaker.stack.up(settings, on_progress, shell),
            local_settings(configuration),
        )
    except local_sagemaker.PortsInUse as error:
        # Who has to choose ports wants to know at once that the third is taken as well.
        mlflow = _port("LOCAL_MLFLOW_PORT", configuration.project.local.mlflow_port)
        taken = local_sagemaker.stack.in_use(local_settings(configuration), mlflow, "mlflow_port")
        raise UserError("\n".join(filter(None, [str(error), taken]))) from None


def enter(name: PlaceName, configuration: AnyConfiguration, on_progress: Callable[[str], None]) -> Place:
    """Make boto3, the SDK and MLflow of this process talk to the place; local services are started.

    Raises:
        UserError: the local services cannot start, or the AWS credentials are missing or another account's.
    """
    return {"local": _enter_local, "aws": _enter_aws}[name](configuration, on_progress)


def _enter_local(configuration: AnyConfiguration, on_progress: Callable[[str], None]) -> Place:
    prepare("local", configuration, on_progress)
    settings = local_settings(configuration)
    for name, value in settings.changes(os.environ).items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    return Place("local", lambda kind, job: str(settings.job_log(job)), settings.file_of)


def file_of(name: PlaceName, configuration: AnyConfiguration) -> Callable[[str], str]:
    """Where an object of S3 can be opened in this place: locally, the path of its file."""
    return local_settings(configuration).file_of if name == "local" else lambda uri: uri


def _enter_aws(configuration: AnyConfiguration, on_progress: Callable[[str], None]) -> Place:
    import boto3
    import botocore.session
    from botocore.exceptions import BotoCoreError, ClientError

    project = configuration.project
    _leave_local(local_settings(configuration))
    os.environ["AWS_DEFAULT_REGION"] = project.SMP_REGION
    os.environ.pop("AWS_REGION", None)
    if project.mlflow_tracking_uri:
        os.environ["MLFLOW_TRACKING_URI"] = project.mlflow_tracking_uri
    on_progress("asking AWS who you are")
    try:
        core = botocore.session.Session()
        core.register("before-send", _refuse_local)
        boto3.setup_default_session(botocore_session=core)
        account = boto3.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError, ValueError) as error:
        raise UserError(
            f"AWS: {error}: set AWS_PROFILE to a profile with access to account {project.SMP_ACCOUNTID}"
        ) from None
    if account != project.SMP_ACCOUNTID:
        raise UserError(
            f"AWS: your credentials are of account {account}, but conf/project.yaml says SMP_ACCOUNTID "
            f"{project.SMP_ACCOUNTID}: set AWS_PROFILE, or SMP_ACCOUNTID, SMP_ROLE and SMP_S3BUCKETNAME"
        )
    return Place("aws", lambda kind, job: f"CloudWatch /aws/sagemaker/{kind}Jobs {job}", lambda uri: uri)


def _leave_local(settings: local_sagemaker.Settings) -> None:
    """Take back what `retrain local env` set in this shell."""
    if os.environ.get("AWS_ENDPOINT_URL") == settings.aws_url:
        try:
            ours = settings.environment()
        except local_sagemaker.LocalError:
            return  # without a token there is nothing that could answer
        for name, value in ours.items():
            if os.environ.get(name) == value:
                del os.environ[name]


def _refuse_local(request: Any, **_: Any) -> None:
    """Called by botocore before it sends: a variable or a profile may still lead to local services.

    Raises:
        UserError: it does.
    """
    url = urlsplit(request.url)
    server = f"{url.scheme}://{url.netloc}"
    if local_sagemaker.stack.is_local(server):
        raise UserError(
            f"--on aws: {server} is no AWS but local services: unset AWS_ENDPOINT_URL and the others of "
            "`retrain local env`, and take endpoint_url out of your profile in ~/.aws/config"
        )
