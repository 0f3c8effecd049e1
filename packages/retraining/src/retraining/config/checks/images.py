"""What a unit's images must keep: names that are known, one version, one framework."""

from collections.abc import Iterator

from retraining.config.flow import images
from retraining.config.schema.model import Unit
from retraining.config.schema.parameter import Parameter
from retraining.nearest import suggestion

# Repository names of images -> the framework whose models they train or serve.
_FRAMEWORKS = ("tensorflow", "pytorch", "scikit-learn", "xgboost", "mxnet", "autogluon")

Found = Iterator[tuple[tuple[str, ...], str]]


def check(unit: Unit) -> Found:
    """Places below the unit, and what is wrong there."""
    for place, image, version in images.given(unit):
        if isinstance(image, Parameter):
            yield from _check_parameter(place, image, version)
        elif words := problem(image, version):
            yield (*place, "image_uri"), words
        else:
            yield from _check_tag(place, image, version)
    yield from _check_frameworks(unit)
    if unit.transform and unit.transform.image_uri is None and unit.transform.framework_version is not None:
        words = "it belongs to an image: add image_uri, or leave it out"
        yield ("transform", "framework_version"), words


def _check_parameter(place: tuple[str, ...], image: Parameter, version: str | None) -> Found:
    for name in dict.fromkeys([str(image.default), *(image.choices or ())]):
        if words := problem(name, None):
            yield (*place, "image_uri"), words
    if version not in (None, "0"):
        words = "beside an image that is a parameter: write the version into its default, name:tag"
        yield (*place, "framework_version"), words


def problem(image: str, version: str | None) -> str | None:
    """What is wrong with an image by name; a URI is taken as it is."""
    if "/" in image:
        return None
    repository, _, tag = image.partition(":")
    if repository not in images.REPOSITORIES:
        hint = suggestion(repository, images.REPOSITORIES)
        return f"no AWS image {repository!r}{hint}; or give its whole URI"
    if not tag and version is None:
        return f"{image!r} names no version: write {image}:<tag>, add framework_version, or give its URI"
    return None


def _check_tag(place: tuple[str, ...], image: str, version: str | None) -> Found:
    """`framework_version` chooses the tag of an image given by name; beside a tag it must agree with it."""
    tag = image.rpartition("/")[2].partition(":")[2]
    if tag and version not in (None, "0") and not tag.startswith(str(version)):
        words = f"{version!r} contradicts the image's tag {tag!r}: leave it out"
        yield (*place, "framework_version"), words


def _check_frameworks(unit: Unit) -> Found:
    trained = framework_of(unit.train.image_uri)
    for place, image, _ in images.given(unit):
        served = framework_of(image)
        if place[0] in ("transform", "registry") and trained and served and trained != served:
            words = f"train.image_uri makes {trained} models, but this image serves {served}"
            yield (*place, "image_uri"), words


def framework_of(image: object) -> str | None:
    """The framework that an image's repository names; None where it names none that is known."""
    if not isinstance(image, str):
        return None
    repository = image.rpartition("/")[2].partition(":")[0]
    return next((name for name in _FRAMEWORKS if name in repository), None)
