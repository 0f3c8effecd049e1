"""Container images, by URI or by name and version of an AWS Deep Learning Container."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from retraining.config.schema import regions
from retraining.config.schema.job import TransformJob
from retraining.config.schema.model import Model, Registry
from retraining.config.schema.parameter import Parameter
from retraining.errors import Location

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


class NoRegistry(Exception):
    """AWS publishes no image of this name in the region; the message says what to do."""


GivenImage = tuple[tuple[str, ...], str | Parameter, str | None]


def given(model: Model) -> Iterator[GivenImage]:
    """The images of a model: the section that names each, the image, and its framework_version."""
    for section in ("preprocess", "train", "transform", "evaluate"):
        job = getattr(model, section)
        if job is not None and job.image_uri is not None and not is_placeholder(job.image_uri):
            yield (section,), job.image_uri, job.framework_version
    if model.registry is not None:
        serving = model.registry.InferenceSpecification
        yield ("registry", "InferenceSpecification"), serving.image_uri, serving.framework_version


def is_placeholder(image: str | Parameter) -> bool:
    """Words instead of an image, or a path without a registry: SageMaker can pull neither.

    Examples of AWS's framework have such a `transform.image_uri`, where the key has no effect.
    """
    if isinstance(image, Parameter):
        return False
    return " " in image or ("/" in image and "." not in image.partition("/")[0])


def served(transform: TransformJob | None, registry: Registry) -> tuple[str | Parameter, str | None]:
    """The image that CreateModel steps serve a model with, and its framework_version."""
    if transform is not None and transform.image_uri is not None and not is_placeholder(transform.image_uri):
        return transform.image_uri, transform.framework_version
    return registry.InferenceSpecification.image_uri, registry.InferenceSpecification.framework_version


def keys_of(models: Mapping[str, Model], image: str) -> Iterator[Location]:
    """The keys that name an image, also as the value of a parameter."""
    for name, model in models.items():
        for section, named, _ in given(model):
            if image == named or (
                isinstance(named, Parameter) and image in (named.default, *(named.choices or ()))
            ):
                yield ("conf", "models", name, *section, "image_uri")


def parameters(models: Iterable[Model]) -> set[str]:
    """Names of the pipeline parameters that choose an image: SageMaker is given URIs for them."""
    return {
        image.parameter for model in models for _, image, _ in given(model) if isinstance(image, Parameter)
    }


def uri(image: str, region: str, version: str | None = None) -> str:
    """``tensorflow-training:2.21.0-cpu-...`` as the URI in `region`'s registry; a URI stays as it is.

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
        raise NoRegistry(f"no registry of {repository!r} images in {region}: give the image's full URI")
    host = f"{registries[region]}.dkr.ecr.{region}.{regions.dns_suffix(region)}"
    return f"{host}/{repository}:{tag or version}"


@cache
def _registries(repository: str) -> dict[str, str]:
    from sagemaker.core import image_uris

    framework = _FRAMEWORKS.get(repository) or repository.removesuffix("-training").removesuffix("-inference")
    if framework.startswith("huggingface-"):
        framework = "huggingface"
    try:
        configuration = image_uris.config_for_framework(framework)
    except (FileNotFoundError, ValueError):
        raise NoRegistry(f"no framework {framework!r}: give the image's full URI") from None
    registries: dict[str, str] = {}
    for entry in _entries(configuration):
        registries |= entry["registries"]
    return registries


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """The versions of a framework, however deep the SDK's file nests them."""
    if isinstance(value, dict):
        if "registries" in value:
            yield value
        for item in value.values():
            yield from _entries(item)
