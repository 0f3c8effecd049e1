"""Which inference images can be emulated here, known by the name of their repository."""

import re

_REGISTRY = re.compile(r"[^/]*[.:][^/]*/")
# The kinds of `serving.toolkit.server`, and the repositories whose containers behave like them.
_KINDS = {
    "scikit-learn": r"(?:.+-)?scikit-learn",
    "xgboost": r"(?:.+-)?xgboost",
    "huggingface": r"(?:.+-)?huggingface-pytorch-inference",
    "pytorch": r"(?:.+-)?pytorch-inference(?:-graviton|-arm64)?",
    "mxnet": r"(?:.+-)?mxnet-inference",
    "tensorflow": r"(?:.+-)?tensorflow-inference(?:-graviton|-arm64)?",
}
EMULATED = (
    "sagemaker-scikit-learn, sagemaker-xgboost, pytorch-inference, huggingface-pytorch-inference,"
    " mxnet-inference, tensorflow-inference"
)


def repository(image: str) -> str:
    """The repository's own name in an image URI: without registry, folders, tag and digest."""
    name = _REGISTRY.sub("", image, count=1) if image.count("/") else image
    return name.partition("@")[0].partition(":")[0].rpartition("/")[2]


def kind_of(image: str) -> str | None:
    """The kind of model server that emulates `image`; None when there is none."""
    name = repository(image)
    if "huggingface-tensorflow" in name:
        return None
    return next((kind for kind, pattern in _KINDS.items() if re.fullmatch(pattern, name)), None)
