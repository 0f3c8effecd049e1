"""One instance of a job, and what all kinds of jobs have in common."""

import contextlib
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from local_sagemaker.container import archives
from local_sagemaker.container.cluster import Cluster
from local_sagemaker.container.sandbox import CONTAINER_ROOT
from local_sagemaker.core import s3
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.log import JobLog

SHARDED = "ShardedByS3Key"
LONGEST_REASON = 1024  # characters, as the API has it

# How the drivers of SageMaker's SDK name the requirements file that they are about to install.
_REQUIREMENTS = re.compile(r"install_requirements\.py[ \t]+['\"]?([^\s'\"]+)")


class JobError(Exception):
    """The job cannot go on; the text is its FailureReason."""


@dataclass
class Instance:
    """One instance of a running job: the job's request, and the folder that it sees as ``/opt/ml``.

    It is the instance number `rank`, from 0, of `cluster`.
    """

    settings: Settings
    name: str
    arn: str
    request: Document
    folder: Path
    log: JobLog
    cluster: Cluster
    rank: int = 0
    network: bool = True
    # What Describe shows in addition to the status: the facts of the first instance.
    facts: Document = field(default_factory=dict)
    # Files as they came from S3, by time of change and size: who did not change them does not send them back.
    unchanged: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.cluster.hosts[self.rank]

    @property
    def hosts(self) -> list[str]:
        return list(self.cluster.hosts)

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
        path.write_text(json.dumps(content, allow_nan=False))

    def read(self, container_path: str) -> str:
        """What the job wrote there, stripped; "" when nothing."""
        try:
            text = self.inside(container_path).read_text(errors="replace")
        except OSError:
            return ""
        return text.strip()

    def fetch(self, uri: str, container_path: str, what: str, distribution: str | None = None) -> None:
        """Download `uri`, of a `distribution` ShardedByS3Key this instance's part.

        Raises JobError as SageMaker words it; `what` names the input.
        """
        sharded = distribution == SHARDED
        part = (self.rank, len(self.hosts)) if sharded else (0, 1)
        try:
            download = s3.download(self.settings.client("s3"), uri, self.inside(container_path), *part)
        except s3.TransferError as error:
            raise JobError(f"ClientError: Data download failed: {error} ({what})") from error
        if not download.objects:
            raise JobError(f"ClientError: Data download failed: no objects at {uri} ({what})")
        share = f"{download.copied} of " if sharded else ""
        self.log.note(f"{what}: {share}{download.objects} object{'s' * (download.objects > 1)} from {uri}")
        if download.neighbours:
            self.log.note(
                f"{what}: left out {len(download.neighbours)} whose key only starts alike, such as"
                f" {download.neighbours[0]}; SageMaker may take them as well: end the URI with /"
            )

    def fetch_state(self, uri: str, container_path: str) -> int:
        """Download what `uri` has, if anything, and remember it as unchanged; how many objects.

        Raises TransferError.
        """
        folder = self.inside(container_path)
        download = s3.download(self.settings.client("s3"), uri, folder)
        self.unchanged |= {path: _state(path) for path in s3.files(folder)}
        return download.copied

    def files(self, container_path: str) -> list[Path]:
        """The files of a folder that the instance made or changed. Raises OSError."""
        paths = s3.files(self.inside(container_path))
        return [path for path in paths if self.unchanged.get(path) != _state(path)]


def upload(instances: Sequence[Instance], container_path: str, uri: str, what: str) -> None:
    """Upload a folder of all instances of a job, in their order, to one prefix. Raises JobError."""
    seen: dict[str, Instance] = {}
    for instance in instances:
        folder = instance.inside(container_path)
        try:
            files = instance.files(container_path)
            warn_of_clashes(instance, seen, [path.relative_to(folder).as_posix() for path in files], what)
            s3.upload(instance.settings.client("s3"), folder, files, uri)
        except (s3.TransferError, OSError) as error:
            raise JobError(f"ClientError: Data upload failed: {error} ({what})") from error
        instance.log.note(f"{what}: {len(files)} file{'s' * (len(files) != 1)} to {uri}")


def warn_of_clashes(instance: Instance, seen: dict[str, Instance], names: Sequence[str], what: str) -> None:
    """Log which of the files of `instance` earlier ones, in `seen`, have as well; add its own to `seen`."""
    if both := [name for name in names if name in seen]:
        instance.log.note(
            f"WARNING {what}: {seen[both[0]].host} has {len(both)} of the same names, such as {both[0]}: the"
            f" last one stays, here {instance.host}'s; let each instance write names of its own"
        )
    seen |= dict.fromkeys(names, instance)


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


class Work(Protocol):
    """A kind of job. Its functions know the request and the folder; `Jobs` knows the states."""

    def check(self, request: Document) -> None:
        """Raise ValidationError for what cannot be done here, naming the member."""

    def instances(self, request: Document) -> int:
        """How many the request asks for."""

    def download(self, instance: Instance) -> None:
        """Fill the folder of one instance: inputs, configuration. Raises JobError."""

    def command(self, request: Document) -> list[str]:
        """Entrypoint and arguments."""

    def environment(self, instance: Instance) -> dict[str, str]:
        """Variables that SageMaker sets for such a job, in addition to those of every job."""

    def requirements(self, instance: Instance) -> str | None:
        """The text of the requirements file that the SDK's driver will install, if any."""

    def upload(self, instances: Sequence[Instance], status: str) -> None:
        """Upload what all made before the job became Completed, Failed or Stopped. Raises JobError."""

    def last_words(self, instance: Instance) -> str:
        """The reason for its failure that the instance left in a file; "" when none."""


def refuse(request: Mapping[str, Any], members: Mapping[str, str]) -> None:
    """Raise ValidationError for the first of the dotted `members` that `request` has.

    The value says why it is refused. Empty values count as absent.
    """
    for member, why in members.items():
        value: Any = request
        for part in member.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value:
            raise ValidationError(f"{member} is not supported by local-sagemaker: {why}")


def refuse_values(where: str, source: Mapping[str, Any], allowed: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ValidationError for a member of `source` that has none of its `allowed` values."""
    for member, values in allowed.items():
        value = source.get(member)
        if value is not None and value not in values:
            raise ValidationError(
                f"{where}.{member} {value!r} is not supported by local-sagemaker: use {' or '.join(values)}"
            )


def check_local_path(where: str, path: str) -> None:
    """Raise ValidationError unless `path` is a folder below /opt/ml."""
    parts = path.rstrip("/").split("/")
    if not path.startswith(CONTAINER_ROOT + "/") or ".." in parts or "" in parts[1:]:
        raise ValidationError(f"{where} {path!r} has to be an absolute path below {CONTAINER_ROOT}/")


def check_apart(folders: Mapping[str, str], others: Mapping[str, str]) -> None:
    """Raise ValidationError when one of `folders` (member: path) is one of `others`, in it or around it.

    SageMaker would upload what it downloaded, as a result.
    """
    for member, path in folders.items():
        for other, taken in others.items():
            own, foreign = path.rstrip("/") + "/", taken.rstrip("/") + "/"
            if own.startswith(foreign) or foreign.startswith(own):
                raise ValidationError(
                    f"{member} {path!r} and {other} {taken!r} overlap: neither may be in the other"
                )


def check_isolation(member: str, isolated: bool, count: int) -> None:
    """Raise ValidationError for several instances without a network: they could not reach each other."""
    if isolated and count > 1:
        raise ValidationError(
            f"{member} with InstanceCount {count} is not supported by local-sagemaker: without a network"
            " the instances of a local job do not reach each other; leave one of the two out"
        )


def driver_requirements(instance: Instance, script: str, code: str) -> str | None:
    """The requirements that the driver `script` installs from the folder `code` or a tarball in it."""
    named = _REQUIREMENTS.search(instance.read(script))
    if not named:
        return None
    name = named[1].removeprefix(code.rstrip("/") + "/").removeprefix("./")
    folder = instance.inside(code)
    if (folder / name).is_file():
        return (folder / name).read_text(errors="replace")
    for archive in sorted(folder.glob("*.tar.gz")):
        # What is wrong with an archive, the driver will say better.
        with contextlib.suppress(tarfile.TarError, OSError):
            if (content := archives.read(archive, name)) is not None:
                return content.decode(errors="replace")
    return None
