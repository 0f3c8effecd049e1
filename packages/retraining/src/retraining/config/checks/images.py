"""Checks of a model's images: known names, one version, one framework."""

from retraining.config.files.problems import Problems
from retraining.config.flow import images
from retraining.config.schema.model import Model
from retraining.config.schema.parameter import Parameter
from retraining.errors import Location, suggestion

# Repository names of images -> the framework whose models they train or serve.
_FRAMEWORKS = ("tensorflow", "pytorch", "scikit-learn", "xgboost", "mxnet", "autogluon")


def check_images(problems: Problems, model: Model) -> None:
    for section, image, version in images.given(model):
        if isinstance(image, Parameter):
            _check_parameter(problems, section, image, version)
        elif words := image_problem(image, version):
            problems.add((*section, "image_uri"), words, (*section, "framework_version"))
        else:
            _check_tag(problems, section, image, version)
    _check_frameworks(problems, model)
    job = model.transform
    if job and job.image_uri is None and job.framework_version is not None:
        words = "it belongs to an image: add image_uri, or leave it out"
        problems.add(("transform", "framework_version"), words, ("transform", "image_uri"))


def _check_parameter(problems: Problems, section: Location, image: Parameter, version: str | None) -> None:
    for name in dict.fromkeys([str(image.default), *(image.choices or ())]):
        if words := image_problem(name, None):
            problems.add((*section, "image_uri"), words)
    if version not in (None, "0"):
        words = "the image is a parameter: write the version into its default, name:tag"
        problems.add((*section, "framework_version"), words)


def image_problem(image: str, version: str | None) -> str | None:
    """What is wrong with an image by name; a URI is taken as it is."""
    if "/" in image:
        return None
    repository, _, tag = image.partition(":")
    if repository not in images.REPOSITORIES:
        hint = suggestion(repository, images.REPOSITORIES)
        return f"no AWS image {repository!r}{hint}; or give its full URI"
    if not tag and version is None:
        return f"{image!r} names no version: write {image}:<tag>, add framework_version, or give its URI"
    return None


def _check_tag(problems: Problems, section: Location, image: str, version: str | None) -> None:
    """`framework_version` chooses the tag of an image given by name; it must agree with a tag."""
    tag = image.rpartition("/")[2].partition(":")[2]
    if tag and version not in (None, "0") and not tag.startswith(str(version)):
        words = f"{version!r} contradicts the image's tag {tag!r}: leave it out"
        problems.add((*section, "framework_version"), words, (*section, "image_uri"))


def _check_frameworks(problems: Problems, model: Model) -> None:
    trained = _framework_of(model.train.image_uri)
    for section, image, _ in images.given(model):
        served = _framework_of(image)
        if section[0] in ("transform", "registry") and trained and served and trained != served:
            words = f"train.image_uri makes {trained} models, but this image serves {served}"
            problems.add((*section, "image_uri"), words, ("train", "image_uri"))


def _framework_of(image: object) -> str | None:
    """The framework that an image's repository names; None where it names none that is known."""
    if not isinstance(image, str):
        return None
    repository = image.rpartition("/")[2].partition(":")[0]
    return next((name for name in _FRAMEWORKS if name in repository), None)
