"""Container images, by URI or by name and version of an AWS Deep Learning Container."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from retraining.config.files.yaml_file import Location
from retraining.config.schema.model import Unit
from retraining.config.schema.parameter import Parameter
from retraining.errors import UserError

# The SDK's names of frameworks, where an image's repository is called otherwise.
_FRAMEWORKS = {
    "sagemaker-scikit-learn": "sklearn",
    "sagemaker-xgboost": "xgboost",
    "djl-inference": "djl-lmi",
}
# Repositories that `uri` knows; checking a configuration does not load the SDK.
REPOSITORIES = (
    "autogluon-inference",
    "autogluon-training",
    "blazingtext",
    "djl-inference",
    "factorization-machines",
    "forecasting-deepar",
    "huggingface-llamacpp",
    "huggingface-pytorch-inference",
    "huggingface-pytorch-inference-neuron",
    "huggingface-pytorch-inference-neuronx",
    "huggingface-pytorch-tgi-inference",
    "huggingface-pytorch-training",
    "huggingface-pytorch-training-neuronx",
    "huggingface-pytorch-trcomp-training",
    "huggingface-sglang",
    "huggingface-tensorflow-inference",
    "huggingface-tensorflow-training",
    "huggingface-tensorflow-trcomp-training",
    "huggingface-vllm",
    "huggingface-vllm-inference-neuronx",
    "image-classification",
    "ipinsights",
    "kmeans",
    "knn",
    "lda",
    "linear-learner",
    "mxnet-inference",
    "mxnet-training",
    "ntm",
    "object-detection",
    "object2vec",
    "pca",
    "pytorch-inference",
    "pytorch-training",
    "randomcutforest",
    "sagemaker-base-python",
    "sagemaker-scikit-learn",
    "sagemaker-tritonserver",
    "sagemaker-xgboost",
    "semantic-segmentation",
    "seq2seq",
    "sglang",
    "tensorflow-inference",
    "tensorflow-training",
    "vllm",
    "xgboost",
)


class NoRegistry(UserError):
    """AWS publishes no image of this name in the region."""


Given = tuple[tuple[str, ...], str | Parameter, str | None]


def given(unit: Unit) -> Iterator[Given]:
    """The images of a unit: the place of each, the image, and the framework_version beside it."""
    for section in ("preprocess", "train", "transform", "evaluate"):
        job = getattr(unit, section)
        if job is not None and job.image_uri is not None and not is_placeholder(job.image_uri):
            yield (section,), job.image_uri, job.framework_version
    if unit.registry is not None:
        serving = unit.registry.InferenceSpecification
        yield ("registry", "InferenceSpecification"), serving.image_uri, serving.framework_version


def is_placeholder(image: str | Parameter) -> bool:
    """Words in the place of an image, or a path without a registry: SageMaker can pull neither.

    Examples of AWS's framework have such a `transform.image_uri`; there the key has no effect.
    """
    if isinstance(image, Parameter):
        return False
    return " " in image or ("/" in image and "." not in image.partition("/")[0])


def served(unit: Unit) -> tuple[str | Parameter, str | None]:
    """The image that CreateModel steps serve a unit's model with, and the framework_version beside it."""
    transform, registry = unit.transform, unit.registry
    if transform is not None and transform.image_uri is not None and not is_placeholder(transform.image_uri):
        return transform.image_uri, transform.framework_version
    assert registry is not None
    return registry.InferenceSpecification.image_uri, registry.InferenceSpecification.framework_version


def places(units: Mapping[str, Unit], image: str) -> Iterator[Location]:
    """Where in the models' files an image is named, also as the value of a parameter."""
    for model, unit in units.items():
        for place, named, _ in given(unit):
            if image == named or (
                isinstance(named, Parameter) and image in (named.default, *(named.choices or ()))
            ):
                yield ("conf", "models", model, *place, "image_uri")


def parameters(units: Iterable[Unit]) -> set[str]:
    """Names of the pipeline parameters that choose an image: SageMaker is given URIs for them."""
    return {image.parameter for unit in units for _, image, _ in given(unit) if isinstance(image, Parameter)}


def uri(image: str, region: str, version: str | None = None) -> str:
    """``tensorflow-training:2.21.0-cpu-...`` becomes the URI in `region`'s registry; a URI stays as it is.

    The registry's account per region is read from the SDK. A tag is not looked up there, because the
    SDK's list lags the published images. Where the image has no tag, `version` is the tag.

    Raises:
        NoRegistry: the framework is not one of the SDK's, or has no registry in `region`.
    """
    repository, _, tag = image.partition(":") if "/" not in image else (image, "", "")
    if "/" in image:
        name = image.rpartition("/")[2]
        return image if ":" in name or "@" in name or version in (None, "0") else f"{image}:{version}"
    registries = _registries(repository)
    if region not in registries:
        raise NoRegistry(f"no registry of {repository!r} images in {region}: give the image's whole URI")
    return f"{registries[region]}.dkr.{_host(region)}/{repository}:{tag or version}"


@cache
def _host(region: str) -> str:
    from sagemaker.core.common_utils import _botocore_resolver

    return str(_botocore_resolver().construct_endpoint("ecr", region)["hostname"]).removeprefix("api.")


@cache
def _registries(repository: str) -> dict[str, str]:
    from sagemaker.core import image_uris

    framework = _FRAMEWORKS.get(repository) or repository.removesuffix("-training").removesuffix("-inference")
    if framework.startswith("huggingface-"):
        framework = "huggingface"
    try:
        configuration = image_uris.config_for_framework(framework)
    except (FileNotFoundError, ValueError):
        raise NoRegistry(f"no framework {framework!r}: give the image's whole URI") from None
    found: dict[str, str] = {}
    for entry in _entries(configuration):
        found |= entry["registries"]
    return found


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """The versions of a framework, however deep the SDK's file nests them."""
    if isinstance(value, dict):
        if "registries" in value:
            yield value
        for item in value.values():
            yield from _entries(item)
