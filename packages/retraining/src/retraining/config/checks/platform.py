"""Which versions of the platform are installed, and whether the project takes them."""

from importlib import metadata

from retraining.config.files.problems import Problems

PACKAGES = ("retraining", "local-sagemaker", "job-toolkit")


def installed() -> dict[str, str]:
    """The version of each package of the platform; without those that are not installed."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def check_platform(problems: Problems) -> None:
    """The installed packages are in the range that the project's settings ask for, if it is one."""
    wanted = problems.document.content.get("platform")
    if not isinstance(wanted, str):
        return
    # Imported where a range is given: most projects have none.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        versions = SpecifierSet(wanted)
    except InvalidSpecifier:
        return
    others = [
        f"{name} {version}"
        for name, version in installed().items()
        if not versions.contains(version, prereleases=True)
    ]
    if others:
        words = f"{', '.join(others)} installed, but the project needs {wanted}"
        problems.add(("platform",), f"{words}: run `make install`, or change the range")
