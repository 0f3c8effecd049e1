"""Transform jobs: CreateTransformJob's request as a model, its input objects and a command.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html. The job is a process
that starts a model server (`model_server`) and calls it (`batch_transform`).
"""

import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_sagemaker import serving
from local_sagemaker.container import archives, cluster
from local_sagemaker.core import s3
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.instance import SHARDED, Instance, JobError, refuse, refuse_values, upload
from local_sagemaker.registry.models import Models
from local_sagemaker.serving.batch import data_processing
from local_sagemaker.serving.batch.job import (
    CODE,
    DEFAULT_PAYLOAD,
    FAILURE,
    INPUTS,
    OUTPUTS,
    PART,
    PLAN,
    STRATEGIES,
)
from local_sagemaker.serving.inference_images import EMULATED, kind_of

KIND = "transform-job"
CONTAINER = "Container"

_MODEL = "/opt/ml/model"
_CODE = f"{_MODEL}/code"
_SUBMITTED = f"/opt/ml/{CODE}"
_SUBMIT_DIRECTORY = "SAGEMAKER_SUBMIT_DIRECTORY"
_MOST_MEGABYTES = 100  # of MaxPayloadInMB, and of it times MaxConcurrentTransforms
REFUSED = {"DataCaptureConfig": "nothing is captured here"}


def with_container(request: Document, models: Models) -> Document:
    """The request with what its model consists of and its role, so that the model may go while the job runs.

    Raises ValidationError for a model that does not exist or whose image is not emulated here.
    """
    name = request["ModelName"]
    model = models.find(name)
    container = models.container(model)
    kind = kind_of(container.image)
    if kind is None:
        raise ValidationError(
            f"the image {container.image} of model {name} is not run by local-sagemaker; it emulates:"
            f" {EMULATED}"
        )
    known = {
        "Kind": kind,
        "Data": container.data,
        "IsArchive": container.is_archive,
        "Environment": container.environment,
        "Isolated": model.get("EnableNetworkIsolation", False),
    }
    return {**request, CONTAINER: known, "RoleArn": model.get("ExecutionRoleArn", "")}


class Transform:
    """The work of a transform job; its request is one of `with_container`."""

    def check(self, request: Document) -> None:
        refuse(request, REFUSED)
        self.instances(request)
        source = request["TransformInput"]
        refuse_values("TransformInput", source, {"SplitType": ("None", "Line")})
        where = "TransformInput.DataSource.S3DataSource"
        allowed = {"S3DataType": ("S3Prefix", "ManifestFile")}
        refuse_values(where, source["DataSource"]["S3DataSource"], allowed)
        for member, uri in (
            (f"{where}.S3Uri", source["DataSource"]["S3DataSource"]["S3Uri"]),
            ("TransformOutput.S3OutputPath", request["TransformOutput"]["S3OutputPath"]),
        ):
            if not uri.startswith("s3://"):
                raise ValidationError(
                    f"{member} {uri!r} is not supported by local-sagemaker: use an s3:// URI"
                )
        megabytes = request.get("MaxPayloadInMB", DEFAULT_PAYLOAD)
        if megabytes > _MOST_MEGABYTES:
            raise ValidationError(f"MaxPayloadInMB {megabytes} must not exceed {_MOST_MEGABYTES}")
        if (product := megabytes * request.get("MaxConcurrentTransforms", 1)) > _MOST_MEGABYTES:
            raise ValidationError(
                f"MaxConcurrentTransforms * MaxPayloadInMB must not exceed {_MOST_MEGABYTES} MB; it is"
                f" {product} MB"
            )
        try:
            data_processing.parse(request)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def instances(self, request: Document) -> int:
        return cluster.count("TransformResources", request["TransformResources"])

    def download(self, instance: Instance) -> None:
        """As SageMaker does it, each instance gets whole objects: a part of them, by key."""
        container = instance.request[CONTAINER]
        instance.network = not container["Isolated"]
        _fetch_model(instance, container)
        _fetch_code(instance, container)
        source = instance.request["TransformInput"]["DataSource"]["S3DataSource"]
        fetch = _fetch_listed if source["S3DataType"] == "ManifestFile" else _fetch_prefix
        objects = fetch(instance, source["S3Uri"])
        instance.inside(f"/opt/ml/{OUTPUTS}").mkdir(parents=True, exist_ok=True)
        request = {key: value for key, value in instance.request.items() if key != CONTAINER}
        plan = {
            "request": request,
            "objects": objects,
            "kind": container["Kind"],
            "isolated": container["Isolated"],
        }
        instance.write(f"/opt/ml/{PLAN}", plan)
        # In the job's working folder, where `python -m` finds it. A copy: jobs may write where they run.
        package = instance.inside("/opt/ml/code") / "local_sagemaker"
        package.mkdir()
        (package / "__init__.py").touch()
        source = Path(serving.__file__).parent
        shutil.copytree(source, package / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        _note_ranges(instance)

    def command(self, request: Document) -> list[str]:
        return ["python3", "-m", "local_sagemaker.serving.batch.job", "/opt/ml"]

    def environment(self, instance: Instance) -> dict[str, str]:
        """The model's variables, then those of batch transform that the request gives values for."""
        request, container = instance.request, instance.request[CONTAINER]
        own = {"SAGEMAKER_BATCH": "true", "SM_MODEL_DIR": _MODEL}
        for name, member in (
            ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "MaxPayloadInMB"),
            ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "MaxConcurrentTransforms"),
        ):
            if member in request:
                own[name] = str(request[member])
        if "BatchStrategy" in request:
            own["SAGEMAKER_BATCH_STRATEGY"] = STRATEGIES[request["BatchStrategy"]]
        variables: dict[str, str] = container["Environment"]
        return own | variables

    def requirements(self, instance: Instance) -> str | None:
        for folder in (_SUBMITTED, _CODE):
            if instance.inside(f"{folder}/requirements.txt").is_file():
                return instance.read(f"{folder}/requirements.txt")
        return None

    def upload(self, instances: Sequence[Instance], status: str) -> None:
        """The output of every object that was transformed as a whole; nothing of a stopped job."""
        if status == "Stopped":
            return
        outputs = f"/opt/ml/{OUTPUTS}"
        for instance in instances:
            for part in instance.inside(outputs).rglob(f"*{PART}"):
                part.unlink()  # of a job that was cut off
        upload(instances, outputs, instances[0].request["TransformOutput"]["S3OutputPath"], "output")
        for instance in instances:
            if reason := instance.read(f"/opt/ml/{FAILURE}"):
                raise JobError(reason)

    def last_words(self, instance: Instance) -> str:
        return ""


def _fetch_model(instance: Instance, container: Document) -> None:
    folder = instance.inside(_MODEL)
    folder.mkdir(parents=True)
    if container["Data"] is None:
        return
    if not container["IsArchive"]:
        instance.fetch(container["Data"], _MODEL, "model data")
        return
    _unpack(instance, container["Data"], _MODEL, "model data")


def _fetch_code(instance: Instance, container: Document) -> None:
    """The user's code where it does not come with the model: SAGEMAKER_SUBMIT_DIRECTORY is an S3 URI."""
    variables = container["Environment"] | instance.request.get("Environment", {})
    if (uri := variables.get(_SUBMIT_DIRECTORY, "")).startswith("s3://"):
        _unpack(instance, uri, _SUBMITTED, _SUBMIT_DIRECTORY)


def _unpack(instance: Instance, uri: str, container_path: str, what: str) -> None:
    instance.fetch(uri, "/opt/ml/archive", what)
    archive = instance.inside("/opt/ml/archive") / uri.rpartition("/")[2]
    try:
        instance.inside(container_path).mkdir(parents=True, exist_ok=True)
        archives.unpack(archive, instance.inside(container_path))
    except (tarfile.TarError, OSError) as error:
        raise JobError(f"ClientError: {uri} is not a gzipped tar file of files: {error} ({what})") from error
    archive.unlink()


def _fetch_prefix(instance: Instance, uri: str) -> list[tuple[str, str]]:
    container_path = f"/opt/ml/{INPUTS}"
    instance.fetch(uri, container_path, "TransformInput", SHARDED if len(instance.hosts) > 1 else None)
    folder = instance.inside(container_path)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    name = uri.removeprefix("s3://")
    if len(paths) == 1 and name.endswith("/" + paths[0]):
        return [(name, paths[0])]
    return [(f"{name.rstrip('/')}/{path}", path) for path in paths]


def _fetch_listed(instance: Instance, uri: str) -> list[tuple[str, str]]:
    """What a manifest lists: a list of one ``{"prefix": s3 uri}`` and paths below it."""
    try:
        prefix, paths = _manifest(json.loads(s3.read(instance.settings.client("s3"), uri)))
    except (s3.TransferError, ValueError) as error:
        raise JobError(f"ClientError: Data download failed: manifest {uri}: {error}") from error
    inputs = f"/opt/ml/{INPUTS}"
    paths = paths[instance.rank :: len(instance.hosts)]
    for path in paths:
        instance.fetch(prefix + path, f"{inputs}/{path.rpartition('/')[0]}", f"TransformInput '{path}'")
    return [(f"{prefix.removeprefix('s3://')}{path}", path) for path in paths]


def _manifest(content: Any) -> tuple[str, list[str]]:
    head, paths = (content[0], content[1:]) if isinstance(content, list) and content else (None, [])
    if not isinstance(head, dict) or not isinstance(head.get("prefix"), str) or not paths:
        raise ValueError('it has to be a list of {"prefix": "s3://..."} and at least one path')
    for path in paths:
        if not isinstance(path, str) or path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path!r} is not a path below the prefix")
    return head["prefix"], paths


def _note_ranges(instance: Instance) -> None:
    processing = data_processing.parse(instance.request)
    for path in (processing.input_filter, processing.output_filter) if processing else ():
        if path.has_end:
            instance.log.note(f"{path.text}: the end of the range is included, as SageMaker documents it")
