"""Training jobs: CreateTrainingJob's request as a folder, a command and artifacts.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

import gzip
import re
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from local_sagemaker.container import cluster
from local_sagemaker.core import s3, wire
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.jobs import script_mode
from local_sagemaker.jobs.instance import (
    SHARDED,
    Instance,
    JobError,
    check_apart,
    check_isolation,
    check_local_path,
    driver_requirements,
    refuse,
    refuse_values,
    upload,
    warn_of_clashes,
)
from local_sagemaker.jobs.metrics import Metrics

_CONFIG = "/opt/ml/input/config"
_DATA = "/opt/ml/input/data"
_FILLED = {"the inputs' folder": "/opt/ml/input", "the model's folder": "/opt/ml/model"}
_CODE = f"{_DATA}/code"
REFUSED = {
    "AlgorithmSpecification.AlgorithmName": "marketplace algorithms run on AWS only",
    "ResourceConfig.InstanceGroups": "all instances of a local job are this machine; give InstanceCount",
    "DebugRuleConfigurations": "debugger rules run on AWS only",
    "ProfilerRuleConfigurations": "profiler rules run on AWS only",
    "ServerlessJobConfig": "serverless jobs run on AWS only",
}
# What the SDK's drivers write into the failure file when the script itself wrote nothing.
_DRIVER_FAILURE = re.compile(
    r"Training Execution failed\.|Traceback .*subprocess\.CalledProcessError", re.DOTALL
)


class Training:
    """The work of a training job."""

    def check(self, request: Document) -> None:
        refuse(request, REFUSED)
        wire.require(request, "AlgorithmSpecification", "ResourceConfig")
        specification = request["AlgorithmSpecification"]
        if not specification.get("ContainerEntrypoint") and not script_mode.is_asked_for(request):
            raise ValidationError(
                "AlgorithmSpecification.ContainerEntrypoint is needed by local-sagemaker: images are not run"
                " here, so the command that the image would start has to be in the request, or the"
                f" hyperparameters {script_mode.PROGRAM} and {script_mode.SOURCE} of a framework image"
            )
        isolated = request.get("EnableNetworkIsolation", False)
        check_isolation("EnableNetworkIsolation", isolated, self.instances(request))
        refuse_values("AlgorithmSpecification", specification, {"TrainingInputMode": ("File", "FastFile")})
        Metrics(specification.get("MetricDefinitions", []))
        for channel in request.get("InputDataConfig", []):
            self._check_channel(channel)
        for member in ("CheckpointConfig", "TensorBoardOutputConfig"):
            if path := request.get(member, {}).get("LocalPath"):
                check_local_path(f"{member}.LocalPath", path)
                check_apart({f"{member}.LocalPath": path}, _FILLED)

    def _check_channel(self, channel: Document) -> None:
        where = f"InputDataConfig[{channel['ChannelName']}]"
        why = "use S3DataSource"
        source = f"{where}.DataSource"
        for member in ("FileSystemDataSource", "DatasetSource"):
            if channel["DataSource"].get(member):
                raise ValidationError(f"{source}.{member} is not supported by local-sagemaker: {why}")
        if "S3DataSource" not in channel["DataSource"]:
            raise ValidationError(f"{source}.S3DataSource is missing")
        if channel.get("ShuffleConfig"):
            raise ValidationError(
                f"{where}.ShuffleConfig is not supported by local-sagemaker: objects are not shuffled"
            )
        allowed = {
            "InputMode": ("File", "FastFile"),
            "CompressionType": ("None",),
            "RecordWrapperType": ("None",),
        }
        refuse_values(where, channel, allowed)
        allowed = {"S3DataType": ("S3Prefix",), "S3DataDistributionType": ("FullyReplicated", SHARDED)}
        refuse_values(f"{source}.S3DataSource", channel["DataSource"]["S3DataSource"], allowed)

    def instances(self, request: Document) -> int:
        return cluster.count("ResourceConfig", request["ResourceConfig"])

    def download(self, instance: Instance) -> None:
        request = instance.request
        instance.network = not request.get("EnableNetworkIsolation", False)
        for path in ("/opt/ml/model", "/opt/ml/output/data", _DATA):
            instance.inside(path).mkdir(parents=True, exist_ok=True)
        for channel in request.get("InputDataConfig", []):
            name, source = channel["ChannelName"], channel["DataSource"]["S3DataSource"]
            distribution = source.get("S3DataDistributionType")
            instance.fetch(source["S3Uri"], f"{_DATA}/{name}", f"channel '{name}'", distribution)
        if checkpoints := request.get("CheckpointConfig"):
            try:
                count = instance.fetch_state(checkpoints["S3Uri"], _checkpoints(checkpoints))
            except s3.TransferError as error:
                raise JobError(f"ClientError: Data download failed: {error} (CheckpointConfig)") from error
            instance.log.note(f"checkpoints: {count} from {checkpoints['S3Uri']}")
        if script_mode.is_asked_for(request):
            script_mode.download(instance)
        self._configure(instance)

    def _configure(self, instance: Instance) -> None:
        request = instance.request
        mode = request["AlgorithmSpecification"].get("TrainingInputMode", "File")
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": channel.get("InputMode", mode),
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": "None",
            }
            | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})
            for channel in request.get("InputDataConfig", [])
        }
        instance_type = request["ResourceConfig"].get("InstanceType", "ml.m5.large")
        hosts = {
            "current_host": instance.host,
            "current_instance_type": instance_type,
            "current_group_name": cluster.GROUP,
            "hosts": instance.hosts,
            "instance_groups": [
                {
                    "instance_group_name": cluster.GROUP,
                    "instance_type": instance_type,
                    "hosts": instance.hosts,
                }
            ],
            "network_interface_name": cluster.INTERFACE,
        }
        instance.write(f"{_CONFIG}/inputdataconfig.json", channels)
        instance.write(f"{_CONFIG}/hyperparameters.json", request.get("HyperParameters", {}))
        instance.write(f"{_CONFIG}/resourceconfig.json", hosts)

    def command(self, request: Document) -> list[str]:
        if script_mode.is_asked_for(request):
            return script_mode.command(request)
        specification = request["AlgorithmSpecification"]
        return [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]

    def environment(self, instance: Instance) -> dict[str, str]:
        own = {"TRAINING_JOB_NAME": instance.name, "TRAINING_JOB_ARN": instance.arn}
        return own | (script_mode.environment(instance) if script_mode.is_asked_for(instance.request) else {})

    def requirements(self, instance: Instance) -> str | None:
        if script_mode.is_asked_for(instance.request):
            return script_mode.requirements(instance)
        return driver_requirements(instance, f"{_DATA}/sm_drivers/sm_train.sh", _CODE)

    def upload(self, instances: Sequence[Instance], status: str) -> None:
        """Checkpoints always; the rest unless the job failed (a stopped job keeps its model)."""
        first, request = instances[0], instances[0].request
        if checkpoints := request.get("CheckpointConfig"):
            upload(instances, _checkpoints(checkpoints), checkpoints["S3Uri"], "checkpoints")
        if board := request.get("TensorBoardOutputConfig"):
            path = board.get("LocalPath", "/opt/ml/output/tensorboard")
            target = f"{board['S3OutputPath'].rstrip('/')}/{first.name}/tensorboard-output"
            upload(instances, path, target, "TensorBoard data")
        if status == "Failed":
            return
        config = request["OutputDataConfig"]
        base = f"{config['S3OutputPath'].rstrip('/')}/{first.name}/output"
        packed = config.get("CompressionType", "GZIP") == "GZIP"
        first.facts["ModelArtifacts"] = {
            "S3ModelArtifacts": f"{base}/model.tar.gz" if packed else f"{base}/model/"
        }
        for name, path, always in (
            ("model", "/opt/ml/model", True),
            ("output", "/opt/ml/output/data", False),
        ):
            if not packed:
                upload(instances, path, f"{base}/{name}", name)
            elif always or any(any(instance.inside(path).iterdir()) for instance in instances):
                _pack(instances, path, f"{base}/{name}.tar.gz")

    def last_words(self, instance: Instance) -> str:
        text = instance.read("/opt/ml/output/failure")
        return "" if _DRIVER_FAILURE.match(text) else text


def _checkpoints(config: Document) -> str:
    return str(config.get("LocalPath", "/opt/ml/checkpoints"))


def _pack(instances: Sequence[Instance], container_path: str, uri: str) -> None:
    """One archive of a folder of all instances; of files with the same name the last instance's stays."""
    archive = instances[0].folder / uri.rsplit("/", 1)[1]
    started = time.monotonic()
    try:
        entries: dict[tuple[str, ...], Path] = {}
        seen: dict[str, Instance] = {}
        for instance in instances:
            folder = instance.inside(container_path)
            paths = {path.relative_to(folder).parts: path for path in folder.rglob("*")}
            files = ["/".join(parts) for parts, path in paths.items() if not path.is_dir()]
            warn_of_clashes(instance, seen, sorted(files), archive.name)
            entries |= paths
        # A fixed gzip header: the same files make the same archive.
        with (
            archive.open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w") as tar,
        ):
            for parts, path in sorted(entries.items()):
                tar.add(path, "/".join(parts), recursive=False, filter=_anonymous)
        s3.upload_file(instances[0].settings.client("s3"), archive, uri)
    except (s3.TransferError, OSError) as error:
        raise JobError(f"ClientError: Artifact upload failed: {error}") from error
    finally:
        archive.unlink(missing_ok=True)
    instances[0].log.note(f"{archive.name} to {uri} ({time.monotonic() - started:.1f} s)")


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
