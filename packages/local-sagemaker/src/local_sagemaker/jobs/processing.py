"""Processing jobs: CreateProcessingJob's request as a folder, a command and uploads.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

from collections.abc import Sequence

from local_sagemaker.container.cluster import INTERFACE, count
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.instance import (
    SHARDED,
    Instance,
    check_apart,
    check_isolation,
    check_local_path,
    driver_requirements,
    refuse_values,
    upload,
)

_CONFIG = "/opt/ml/config"
_CONFIG_MEMBERS = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingResources",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "StoppingCondition",
)


class Processing:
    """The work of a processing job."""

    def check(self, request: Document) -> None:
        if not request["AppSpecification"].get("ContainerEntrypoint"):
            raise ValidationError(
                "AppSpecification.ContainerEntrypoint is needed by local-sagemaker: images are not run here,"
                " so the command that the image would start has to be in the request"
            )
        isolated = request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
        check_isolation("NetworkConfig.EnableNetworkIsolation", isolated, self.instances(request))
        for entry in request.get("ProcessingInputs", []):
            self._check_input(entry)
        for entry in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            where = f"ProcessingOutputConfig.Outputs[{entry['OutputName']}]"
            if entry.get("FeatureStoreOutput"):
                raise ValidationError(
                    f"{where}.FeatureStoreOutput is not supported by local-sagemaker: use S3Output"
                )
            if "S3Output" not in entry:
                raise ValidationError(f"{where}.S3Output is missing")
            if path := entry["S3Output"].get("LocalPath"):
                check_local_path(f"{where}.S3Output.LocalPath", path)
        self._check_folders(request)

    def _check_folders(self, request: Document) -> None:
        """Every input has a folder of its own, and none is in an output's or around it."""
        inputs: dict[str, str] = {}
        for entry in request.get("ProcessingInputs", []):
            if path := entry["S3Input"].get("LocalPath"):
                where = f"ProcessingInputs[{entry['InputName']}].S3Input.LocalPath"
                for other, taken in inputs.items():
                    if path.rstrip("/") == taken.rstrip("/"):
                        raise ValidationError(f"{where} {path!r} is also {other}: each input needs its own")
                inputs[where] = path
        outputs = {
            f"ProcessingOutputConfig.Outputs[{entry['OutputName']}].S3Output.LocalPath": path
            for entry in request.get("ProcessingOutputConfig", {}).get("Outputs", [])
            if (path := entry["S3Output"].get("LocalPath"))
        }
        check_apart(inputs, outputs)

    def _check_input(self, entry: Document) -> None:
        where = f"ProcessingInputs[{entry['InputName']}]"
        if entry.get("DatasetDefinition"):
            raise ValidationError(
                f"{where}.DatasetDefinition is not supported by local-sagemaker: use S3Input"
            )
        if "S3Input" not in entry:
            raise ValidationError(f"{where}.S3Input is missing")
        allowed = {
            "S3DataType": ("S3Prefix",),
            "S3InputMode": ("File",),
            "S3CompressionType": ("None",),
            "S3DataDistributionType": ("FullyReplicated", SHARDED),
        }
        refuse_values(f"{where}.S3Input", entry["S3Input"], allowed)
        if not entry.get("AppManaged"):
            check_local_path(f"{where}.S3Input.LocalPath", entry["S3Input"].get("LocalPath", ""))

    def instances(self, request: Document) -> int:
        where = "ProcessingResources.ClusterConfig"
        return count(where, request["ProcessingResources"]["ClusterConfig"])

    def download(self, instance: Instance) -> None:
        request = instance.request
        instance.network = not request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
        for entry in request.get("ProcessingInputs", []):
            if not entry.get("AppManaged"):
                source, what = entry["S3Input"], f"input '{entry['InputName']}'"
                instance.fetch(
                    source["S3Uri"], source["LocalPath"], what, source.get("S3DataDistributionType")
                )
        for entry in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            if path := entry["S3Output"].get("LocalPath"):
                instance.inside(path).mkdir(parents=True, exist_ok=True)
        instance.inside("/opt/ml/output").mkdir(exist_ok=True)
        cluster = request["ProcessingResources"]["ClusterConfig"]
        config = {"ProcessingJobArn": instance.arn} | {
            key: request[key] for key in _CONFIG_MEMBERS if key in request
        }
        instance.write(f"{_CONFIG}/processingjobconfig.json", config)
        hosts = {
            "current_host": instance.host,
            "hosts": instance.hosts,
            "current_instance_type": cluster["InstanceType"],
            "network_interface_name": INTERFACE,
        }
        instance.write(f"{_CONFIG}/resourceconfig.json", hosts)

    def command(self, request: Document) -> list[str]:
        specification = request["AppSpecification"]
        return [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]

    def environment(self, instance: Instance) -> dict[str, str]:
        return {"PROCESSING_JOB_NAME": instance.name, "PROCESSING_JOB_ARN": instance.arn}

    def requirements(self, instance: Instance) -> str | None:
        script = next((word for word in self.command(instance.request) if word.endswith(".sh")), "")
        return driver_requirements(instance, script, "/opt/ml/processing/input/code") if script else None

    def upload(self, instances: Sequence[Instance], status: str) -> None:
        """All outputs after success; otherwise those that SageMaker uploads while a job runs."""
        for entry in instances[0].request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            target = entry["S3Output"]
            wanted = status == "Completed" or target.get("S3UploadMode") == "Continuous"
            if wanted and target.get("LocalPath") and not entry.get("AppManaged"):
                upload(instances, target["LocalPath"], target["S3Uri"], f"output '{entry['OutputName']}'")

    def last_words(self, instance: Instance) -> str:
        return instance.read("/opt/ml/output/message")
