"""What processing jobs and training jobs have in common."""

import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from local_sagemaker import s3
from local_sagemaker.errors import ValidationError
from local_sagemaker.joblog import JobLog
from local_sagemaker.layout import Settings
from local_sagemaker.sandbox import CONTAINER_ROOT

Document = dict[str, Any]
LONGEST_REASON = 1024  # characters, as the API has it

# How the drivers of SageMaker's SDK name the requirements file that they are about to install.
_REQUIREMENTS = re.compile(r"install_requirements\.py[ \t]+['\"]?([^\s'\"]+)")


class JobError(Exception):
    """The job cannot go on; the text is its FailureReason."""


@dataclass
class Job:
    """One job on its way: the request, and the folder that it sees as ``/opt/ml``."""

    settings: Settings
    name: str
    arn: str
    request: Document
    folder: Path
    log: JobLog
    network: bool = True
    # What the work found out and `describe` is to say, beside the status.
    facts: Document = field(default_factory=dict)

    @property
    def ml(self) -> Path:
        return self.folder / "ml"

    def inside(self, container_path: str) -> Path:
        """The path here of ``/opt/ml/...`` inside."""
        return self.ml / container_path.removeprefix(CONTAINER_ROOT).strip("/")

    def write(self, container_path: str, content: Any) -> None:
        """Put `content` as JSON where the container finds its configuration."""
        path = self.inside(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def read(self, container_path: str) -> str:
        """What the job wrote there, stripped; "" when nothing."""
        try:
            text = self.inside(container_path).read_text(errors="replace")
        except OSError:
            return ""
        return text.strip()

    def fetch(self, uri: str, container_path: str, what: str) -> None:
        """Download `uri`. Raises JobError as SageMaker words it; `what` names the input."""
        try:
            count, neighbours = s3.download(self.settings.client("s3"), uri, self.inside(container_path))
        except s3.TransferError as error:
            raise JobError(f"ClientError: Data download failed: {error} ({what})") from error
        if not count:
            raise JobError(f"ClientError: Data download failed: no objects at {uri} ({what})")
        self.log.note(f"{what}: {count} object{'s' * (count > 1)} from {uri}")
        if neighbours:
            self.log.note(
                f"{what}: left out {len(neighbours)} whose key only starts alike, such as {neighbours[0]};"
                " SageMaker may take them as well: end the URI with /"
            )

    def store(self, container_path: str, uri: str, what: str) -> None:
        """Upload a folder. Raises JobError."""
        try:
            count = s3.upload(self.settings.client("s3"), self.inside(container_path), uri)
        except (s3.TransferError, OSError) as error:
            raise JobError(f"ClientError: Data upload failed: {error} ({what})") from error
        self.log.note(f"{what}: {count} file{'s' * (count != 1)} to {uri}")


class Work(Protocol):
    """A kind of job. Its functions know the request and the folder; `Jobs` knows the states."""

    def check(self, request: Document) -> None:
        """Raise ValidationError for what cannot be done here, naming the member."""

    def download(self, job: Job) -> None:
        """Fill the folder: inputs, configuration. Raises JobError."""

    def command(self, request: Document) -> list[str]:
        """Entrypoint and arguments."""

    def environment(self, job: Job) -> dict[str, str]:
        """Variables that SageMaker sets for such a job, beside those of every job."""

    def requirements(self, job: Job) -> str | None:
        """The text of the requirements file that the SDK's driver will install, if any."""

    def upload(self, job: Job, status: str) -> None:
        """Store what the job made before it became Completed, Failed or Stopped. Raises JobError."""

    def last_words(self, job: Job) -> str:
        """The reason for its failure that the job left in a file; "" when none."""


def refuse(request: Mapping[str, Any], members: Mapping[str, str]) -> None:
    """Raise ValidationError for the first of the dotted `members` that `request` has.

    The value says why it is refused. Empty values count as absent.
    """
    for member, why in members.items():
        value: Any = request
        for part in member.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value:
            raise ValidationError(f"{member} is not supported by local_sagemaker: {why}")


def refuse_values(where: str, source: Mapping[str, Any], allowed: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ValidationError for a member of `source` that has none of its `allowed` values."""
    for member, values in allowed.items():
        value = source.get(member)
        if value is not None and value not in values:
            raise ValidationError(
                f"{where}.{member} {value!r} is not supported by local_sagemaker: use {' or '.join(values)}"
            )


def check_local_path(where: str, path: str) -> None:
    """Raise ValidationError unless `path` is a folder below /opt/ml."""
    parts = path.rstrip("/").split("/")
    if not path.startswith(CONTAINER_ROOT + "/") or ".." in parts or "" in parts[1:]:
        raise ValidationError(f"{where} {path!r} has to be an absolute path below {CONTAINER_ROOT}/")


def check_one_instance(where: str, resources: Mapping[str, Any]) -> None:
    """Raise ValidationError for more than one instance."""
    if resources.get("InstanceCount", 1) != 1:
        raise ValidationError(
            f"{where}.InstanceCount {resources['InstanceCount']} is not supported by local_sagemaker:"
            " a local job runs on one instance, this machine; set it to 1"
        )


def driver_requirements(job: Job, script: str, code: str) -> str | None:
    """The requirements that the driver `script` installs from the folder `code` or a tarball in it."""
    named = _REQUIREMENTS.search(job.read(script))
    if not named:
        return None
    name = named[1].removeprefix(code.rstrip("/") + "/").removeprefix("./")
    folder = job.inside(code)
    if (folder / name).is_file():
        return (folder / name).read_text(errors="replace")
    for archive in sorted(folder.glob("*.tar.gz")):
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    if member.name.removeprefix("./") == name and (file := tar.extractfile(member)):
                        return file.read().decode(errors="replace")
        except (tarfile.TarError, OSError):
            continue  # the driver will say it better
    return None
