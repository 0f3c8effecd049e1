"""Where the local services keep things, and what a client needs to find them."""

import functools
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_sagemaker.core import tokens

HOST = "127.0.0.1"

_ENDPOINT = "AWS_ENDPOINT_URL"
_IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


@dataclass(frozen=True)
class Settings:
    """The local services of one folder, `root`.

    `account` is 12 digits, `bucket` the default bucket, made at the start; `sagemaker_port` and `aws_port`
    are TCP ports on 127.0.0.1. `python` is the interpreter that jobs run with: they see its packages, except
    the distributions `hidden` and local-sagemaker itself. `variables` are given to clients and jobs in
    addition to those of AWS. `pip_variables` are the environment in which jobs' requirements are installed:
    the user's settings of indexes and proxies, which no job sees.

    The rest are words for messages: `command` is what users type before ``down``, ``reset`` and so on;
    `port_advice` says how to choose another port, with the fields ``{key}`` (such as sagemaker_port) and
    ``{variable}``.
    """

    root: Path
    region: str
    account: str
    bucket: str
    sagemaker_port: int
    aws_port: int
    python: Path = field(default_factory=lambda: Path(sys.executable))
    hidden: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    pip_variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    command: str = field(default="local-sagemaker", compare=False)
    port_advice: str = field(default="set the variable {variable}", compare=False)

    def __post_init__(self) -> None:
        # Not resolved: the link in a virtual environment is what makes it one.
        object.__setattr__(self, "root", self.root.absolute())
        object.__setattr__(self, "python", self.python.absolute())

    @property
    def database(self) -> Path:
        return self.root / "sagemaker.db"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def environments(self) -> Path:
        return self.root / "envs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def s3(self) -> Path:
        return self.root / "s3"

    @property
    def ministack_state(self) -> Path:
        return self.root / "ministack"

    @property
    def aws_config(self) -> Path:
        """A configuration file of AWS with nothing but an empty default profile."""
        return self.root / "aws-config"

    @property
    def sagemaker_url(self) -> str:
        return f"http://{HOST}:{self.sagemaker_port}"

    @property
    def aws_url(self) -> str:
        return f"http://{HOST}:{self.aws_port}"

    @property
    def session_token(self) -> str:
        """What clients send as AWS_SESSION_TOKEN: a secret of `root`, made when services first start in it.

        Raises LocalError when they never did.
        """
        return tokens.read(self.root)

    def job_log(self, name: str) -> Path:
        """Everything the job `name` printed, and what was done around it."""
        return self.jobs / name / "log.txt"

    def file_of(self, uri: str) -> str:
        """The file that holds an S3 object, or the URI itself where there is none."""
        file = self.s3 / self.account / uri.removeprefix("s3://")
        return str(file) if file.is_file() else uri

    def environment(self, shell: Mapping[str, str] | None = None, role: str | None = None) -> dict[str, str]:
        """Variables that point boto3, the SDK and other AWS clients at these services, and at nothing else.

        `shell` is the environment to which they are added: they override what would lead its clients
        elsewhere (a profile, endpoints of single services, a proxy). `role` is the name or ARN of the role
        whose credentials they hold, None for the root's own.

        The access key id is the account: ministack takes a 12-digit key id as the account.
        """
        shell = shell or {}
        token = self.session_token
        variables = {
            _ENDPOINT: self.aws_url,
            f"{_ENDPOINT}_SAGEMAKER": self.sagemaker_url,
            f"{_ENDPOINT}_SAGEMAKER_RUNTIME": self.sagemaker_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": token if role is None else tokens.of_role(token, role),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        for name in shell:
            if name in _PROFILES:
                variables |= {name: "default", "AWS_CONFIG_FILE": str(self.aws_config)}
            elif name == _IGNORE_ENDPOINTS:
                variables[name] = "false"
            elif name.startswith(f"{_ENDPOINT}_"):
                variables.setdefault(name, self.aws_url)
        return {**variables, **_proxy_exception(shell), **self.variables}

    def client(self, service: str) -> Any:
        """A boto3 client of these services, whatever the caller's own environment says.

        One per service, for all threads.
        """
        token = self.session_token  # another one after `root` was removed and made again
        with _client_lock:
            return _client(self, service, token)


def _proxy_exception(shell: Mapping[str, str]) -> dict[str, str]:
    """Keep a proxy away from this machine's own services. Programs prefer the name in small letters."""
    known = shell.get("no_proxy") or shell.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys([*filter(None, known.split(",")), HOST, "localhost"]))
    return {"NO_PROXY": hosts} | ({"no_proxy": hosts} if "no_proxy" in shell else {})


_client_lock = threading.Lock()


@functools.cache
def _client(settings: Settings, service: str, _token: str) -> Any:
    from botocore.config import Config

    ours = service in ("sagemaker", "sagemaker-runtime")
    return session(settings).client(
        service,
        endpoint_url=settings.sagemaker_url if ours else settings.aws_url,
        config=Config(max_pool_connections=32, proxies={}, s3={"addressing_style": "path"}),
    )


def session(settings: Settings) -> Any:
    """A boto3 session with the credentials of these services; no profile or configuration file counts."""
    import boto3
    import botocore.session

    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return boto3.session.Session(
        aws_access_key_id=settings.account,
        aws_secret_access_key="local",
        aws_session_token=settings.session_token,
        region_name=settings.region,
        botocore_session=botocore.session.Session({"profile": (None, None, None, None), **files}),
    )


def arn(settings: Settings, resource: str) -> str:
    """``arn:aws:sagemaker:<region>:<account>:<resource>``."""
    return f"arn:aws:sagemaker:{settings.region}:{settings.account}:{resource}"
