"""Models: CreateModel and its relatives, and what a model consists of when it is served."""

from dataclasses import dataclass
from typing import Any

from local_sagemaker.core import clock, paging, s3
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags

REFUSED = {
    "AdditionalModelDataSources": "put everything into the model's own data",
    "MultiModelConfig": "multi-model containers are not run here",
    "InferenceSpecificationName": "the package's InferenceSpecification is taken",
}
_SOURCE_REFUSED = ("HubAccessConfig", "ManifestS3Uri")


@dataclass(frozen=True)
class Container:
    """One container of a model, resolved: what it runs, from where its ``/opt/ml/model`` is filled.

    `data` is the S3 URI of model data, None when there is none; `is_archive` says that it is one
    gzipped tar file, otherwise it is an object or, ending in ``/``, a prefix.
    """

    image: str
    data: str | None
    is_archive: bool
    environment: dict[str, str]


class Models:
    """Models are kept under their name."""

    def __init__(self, settings: Settings, store: Store, tags: Tags) -> None:
        self._settings = settings
        self._store = store
        self._tags = tags

    def create(self, request: Document) -> Document:
        """CreateModel. Raises ValidationError for a name in use, or what cannot be served here."""
        name = request["ModelName"]
        model_arn = arn(self._settings, f"model/{name}")
        body = {key: value for key, value in request.items() if key != "Tags"}
        body |= {"ModelArn": model_arn, "CreationTime": clock.now()}
        body.setdefault("EnableNetworkIsolation", False)
        self._check_data(self.container(body))
        if not self._store.create("model", name, body):
            raise ValidationError(f"Cannot create already existing model {model_arn!r}: it already exists")
        self._tags.put(model_arn, request.get("Tags", []))
        return {"ModelArn": model_arn}

    def describe(self, request: Document) -> Document:
        """DescribeModel. Raises ValidationError, as SageMaker does, for a model that does not exist."""
        return self.find(request["ModelName"])

    def list(self, request: Document) -> Document:
        """ListModels, newest first."""
        keys = {"Name": "ModelName"}
        models = paging.select(self._store.list("model"), request, name="ModelName", sort_keys=keys)
        return paging.page(models, request, "Models", lambda model: str(model["ModelName"]))

    def delete(self, request: Document) -> Document:
        """DeleteModel; its data in S3 stays."""
        model = self.find(request["ModelName"])
        self._store.delete("model", model["ModelName"])
        self._tags.forget(model["ModelArn"])
        return {}

    def find(self, name: str) -> Document:
        """The description of a model. Raises ValidationError."""
        model = self._store.get("model", name)
        if model is None:
            raise ValidationError(f"Could not find model {arn(self._settings, f'model/{name}')!r}.")
        return model

    def container(self, model: Document) -> Container:
        """The one container of a described model; a model package's when it names one.

        Raises ValidationError for what cannot be served here, naming it.
        """
        where, given = _only_container(model)
        for member, why in REFUSED.items():
            if given.get(member):
                raise ValidationError(f"{where}.{member} is not supported by local-sagemaker: {why}")
        if given.get("Mode", "SingleModel") != "SingleModel":
            raise ValidationError(
                f"{where}.Mode {given['Mode']!r} is not supported by local-sagemaker: use SingleModel"
            )
        source = given
        if package := given.get("ModelPackageName"):
            if "Image" in given or "ModelDataUrl" in given or "ModelDataSource" in given:
                raise ValidationError(f"{where}: a model package brings its own image and model data")
            source = self._packaged(where, package)
        elif "Image" not in given:
            raise ValidationError(f"{where} needs Image or ModelPackageName")
        data, is_archive = _data(where, source)
        environment = source.get("Environment", {}) | given.get("Environment", {})
        return Container(source["Image"], data, is_archive, environment)

    def _packaged(self, where: str, name: str) -> Document:
        key = name.partition(":model-package/")[2] if name.startswith("arn:") else name
        package = self._store.get("model-package", key)
        if package is None:
            raise ValidationError(f"{where}: Model Package does not exist: {name}")
        containers = package.get("InferenceSpecification", {}).get("Containers", [])
        if len(containers) != 1:
            raise ValidationError(
                f"{where}: model package {name} has {len(containers)} containers in its"
                " InferenceSpecification; one is needed here"
            )
        if "Image" not in containers[0]:
            raise ValidationError(f"{where}: the container of model package {name} has no Image")
        container: Document = containers[0]
        return container

    def _check_data(self, container: Container) -> None:
        if container.data is None:
            return
        try:
            if not s3.exists(self._settings.client("s3"), container.data):
                raise ValidationError(f"Could not find model data at {container.data}.")
        except s3.TransferError as error:
            raise ValidationError(f"Could not find model data: {error}") from error


def _only_container(model: Document) -> tuple[str, Document]:
    containers = model.get("Containers", [])
    if "PrimaryContainer" in model and containers:
        raise ValidationError("PrimaryContainer and Containers cannot both be given")
    if "PrimaryContainer" in model:
        return "PrimaryContainer", model["PrimaryContainer"]
    if len(containers) != 1:
        raise ValidationError(
            f"Containers: {len(containers)} containers are not supported by local-sagemaker: serial inference"
            " pipelines are not run here, a model has one container"
        )
    return "Containers[0]", containers[0]


def _data(where: str, source: Document) -> tuple[str | None, bool]:
    if "ModelDataUrl" in source and "ModelDataSource" in source:
        raise ValidationError(f"{where}: ModelDataUrl and ModelDataSource cannot both be given")
    if "ModelDataUrl" in source:
        return _s3(f"{where}.ModelDataUrl", source["ModelDataUrl"]), True
    given: Any = source.get("ModelDataSource", {}).get("S3DataSource")
    if not given:
        return None, False
    where = f"{where}.ModelDataSource.S3DataSource"
    for member in _SOURCE_REFUSED:
        if given.get(member):
            raise ValidationError(f"{where}.{member} is not supported by local-sagemaker")
    uri, is_archive = _s3(f"{where}.S3Uri", given["S3Uri"]), given["CompressionType"] == "Gzip"
    if given["S3DataType"] == "S3Prefix" and not uri.endswith("/"):
        raise ValidationError(f"{where}.S3Uri {uri!r}: a prefix has to end with /")
    if given["S3DataType"] == "S3Prefix" and is_archive:
        raise ValidationError(f"{where}: CompressionType Gzip needs S3DataType S3Object")
    return uri, is_archive


def _s3(where: str, uri: str) -> str:
    if not uri.startswith("s3://"):
        raise ValidationError(f"{where} {uri!r} is not supported by local-sagemaker: use an s3:// URI")
    return uri
