"""Container images, by URI or by name and tag of an AWS Deep Learning Container."""

from functools import cache

from retraining.errors import UserError


def uri(image: str, region: str) -> str:
    """``tensorflow-training:2.21.0-cpu-...`` becomes the URI in `region`'s registry; a URI stays as it is.

    The registry's account per region is read from the SDK; the tag is not looked up there, because the
    SDK's list lags the published images.

    Raises:
        UserError: the framework is not one of the SDK's, or has no registry in `region`.
    """
    if "/" in image:
        return image
    from sagemaker.core.common_utils import _botocore_resolver

    framework = image.split(":")[0].removesuffix("-training").removesuffix("-inference")
    registries = _registries(framework)
    if region not in registries:
        raise UserError(
            f"image_uri: no registry of {framework!r} images in {region}: give the image's whole URI"
        )
    host = _botocore_resolver().construct_endpoint("ecr", region)["hostname"]
    return f"{registries[region]}.dkr.{host}/{image}".replace("api.ecr", "ecr")


@cache
def _registries(framework: str) -> dict[str, str]:
    from sagemaker.core import image_uris

    try:
        configuration = image_uris.config_for_framework(framework)
    except (FileNotFoundError, ValueError):
        raise UserError(f"image_uri: no framework {framework!r}: give the image's whole URI") from None
    found: dict[str, str] = {}
    for scope in (configuration, *(configuration.get(name, {}) for name in ("training", "inference"))):
        for version in scope.get("versions", {}).values():
            found |= version.get("registries", {})
    return found
