"""Where the local services keep things, and what a client needs to find them.

Everything lives under one root, the project's ``.local/`` folder, marked by the file
``LOCAL_SAGEMAKER``: a folder without that mark is never written to, let alone removed.
"""

import functools
import os
import sqlite3
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_sagemaker.core.errors import LocalError

FORMAT = "1"
MARKER = "LOCAL_SAGEMAKER"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """The local services of one project.

    `root` is the ``.local/`` folder, `account` 12 digits, `bucket` the default bucket (made at
    start), `sagemaker_port` and `aws_port` TCP ports on 127.0.0.1, `python` the interpreter jobs
    run with (its packages are what a job sees before its own requirements).
    """

    root: Path
    region: str
    account: str
    bucket: str
    sagemaker_port: int
    aws_port: int
    python: Path = field(default_factory=lambda: Path(sys.executable))

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
    def sagemaker_url(self) -> str:
        return f"http://{HOST}:{self.sagemaker_port}"

    @property
    def aws_url(self) -> str:
        return f"http://{HOST}:{self.aws_port}"

    def job_log(self, name: str) -> Path:
        """Everything the job `name` printed, and what was done around it."""
        return self.jobs / name / "log.txt"

    def file_of(self, uri: str) -> str:
        """The file that holds an S3 object, or the URI itself where there is none."""
        file = self.s3 / self.account / uri.removeprefix("s3://")
        return str(file) if file.is_file() else uri

    def environment(self) -> dict[str, str]:
        """Variables that point boto3, the SDK and MLflow at these services, and at nothing else.

        The access key id is the account: ministack takes a 12-digit key id as the account.
        """
        return _proxy_exception() | {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ENDPOINT_URL_SAGEMAKER": self.sagemaker_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.sagemaker_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.root / 'mlflow.db'}",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of these services, whatever the caller's own environment says.

        One per service, for all threads.
        """
        with _client_lock:
            return _client(self, service)


def _proxy_exception() -> dict[str, str]:
    """Where the user has a proxy: keep it away from this machine's own services."""
    names = ("http_proxy", "https_proxy", "all_proxy")
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in names):
        return {}
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys([*filter(None, known.split(",")), HOST, "localhost"]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


_client_lock = threading.Lock()


@functools.cache
def _client(settings: Settings, service: str) -> Any:
    ours = service in ("sagemaker", "sagemaker-runtime")
    return boto3.session.Session(
        aws_access_key_id=settings.account, aws_secret_access_key="local", region_name=settings.region
    ).client(
        service,
        endpoint_url=settings.sagemaker_url if ours else settings.aws_url,
        config=Config(max_pool_connections=32, proxies={}, s3={"addressing_style": "path"}),
    )


def arn(settings: Settings, resource: str) -> str:
    """``arn:aws:sagemaker:<region>:<account>:<resource>``."""
    return f"arn:aws:sagemaker:{settings.region}:{settings.account}:{resource}"


def prepare(settings: Settings) -> None:
    """Make the root and its folders, or accept those that are there.

    Raises LocalError when the root is a foreign folder or what it holds cannot be read.
    """
    check(settings)
    make_root(settings.root)
    marker = settings.root / MARKER
    if not marker.exists():  # first of all: a start that is cut off leaves a folder that is ours
        marker.write_text(FORMAT + "\n")
    folders = (settings.jobs, settings.environments, settings.logs, settings.s3, settings.ministack_state)
    for folder in folders:
        folder.mkdir(exist_ok=True)


def make_root(root: Path) -> None:
    """Make the folder if it is not there. Raises LocalError when that, or writing to it, is forbidden."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"{root} cannot be made: {error.strerror}; the local services need it") from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise LocalError(f"{root} cannot be written: make it yours (chown), or move it away")


def check(settings: Settings) -> None:
    """Raise LocalError unless the root is absent, empty, or ours and readable. Changes nothing."""
    if is_ours(settings.root):
        _check_version(settings.root)
        _check_database(settings)


def is_ours(root: Path) -> bool:
    """True when `root` carries our mark, False when it is absent or empty.

    Raises LocalError for a folder that holds something else.
    """
    if root.is_symlink() and not root.exists():
        raise LocalError(f"{root} is a link to a folder that is not there: remove the link")
    if not root.exists():
        return False
    if not root.is_dir():
        raise LocalError(f"{root} is a file, and the local services need a folder there: move it away")
    if (root / MARKER).is_file():
        return True
    if any(root.iterdir()):
        raise LocalError(
            f"{root} holds files that the local services did not write (no file {MARKER} in it):"
            " move the folder away; nothing was touched"
        )
    return False


def _check_version(root: Path) -> None:
    version = (root / MARKER).read_text(errors="replace").strip()
    if version != FORMAT:
        raise LocalError(
            f"{root} was written by another version of the local services (format {version!r}, this one"
            f" reads {FORMAT!r}): run `retrain local reset` to start afresh (its contents are removed)"
        )


def _check_database(settings: Settings) -> None:
    if not settings.database.exists():
        return
    try:
        # Not read-only: after a kill the write-ahead log has to be replayed before reading.
        connection = sqlite3.connect(settings.database, timeout=10)
        try:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise LocalError(
            f"{settings.database} cannot be read ({verdict}):"
            " run `retrain local reset` to start afresh (its contents are removed)"
        )
