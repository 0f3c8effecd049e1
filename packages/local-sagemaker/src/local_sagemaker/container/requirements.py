"""Does an environment have what a requirements file asks for?

Needs the standard library and `packaging` alone: a copy of this file also runs inside jobs.
"""

import importlib.metadata
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# Options that say where packages come from: they change nothing when all packages are there.
_HARMLESS = re.compile(
    r"(-i|--index-url|--extra-index-url|-f|--find-links|--no-index|--prefer-binary|--trusted-host"
    r"|--only-binary|--no-binary)\b"
)
_HASH = re.compile(r"\s--hash[= ]\S+")
_COMMENT = re.compile(r"(^|\s)#.*$")


def lines(text: str) -> list[str]:
    """The lines that say something: continued lines joined, comments and hashes removed."""
    joined = re.sub(r"\\\r?\n", " ", text)
    stripped = (_HASH.sub("", _COMMENT.sub("", line)).strip() for line in joined.splitlines())
    return [line for line in stripped if line]


def satisfied(text: str, paths: Sequence[str] | None = None) -> list[str] | None:
    """``name version`` of what the requirements `text` asks for, when all of it is there; else None.

    Looks in the folders `paths`, or in this very interpreter's. None also for what only an
    installer can tell: other files, URLs, editable packages.
    """
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return None
    present: list[str] = []
    for line in lines(text):
        if _HARMLESS.match(line):
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            return None
        if not _has(requirement, paths, present, ""):
            return None
    return present


def installed(name: str, paths: Sequence[str] | None = None) -> str | None:
    """The version of the package `name`; None when it is not there."""
    distribution = _find(name, paths)
    return distribution.version if distribution else None


def _find(name: str, paths: Sequence[str] | None) -> importlib.metadata.Distribution | None:
    path = sys.path if paths is None else list(paths)
    return next(iter(importlib.metadata.distributions(name=name, path=path)), None)


def _has(requirement: "Requirement", paths: Sequence[str] | None, present: list[str], extra: str) -> bool:
    from packaging.requirements import Requirement

    if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
        return True
    if requirement.url:
        return False
    distribution = _find(requirement.name, paths)
    if distribution is None or not requirement.specifier.contains(distribution.version, prereleases=True):
        return False
    present.append(f"{requirement.name} {distribution.version}")
    return all(
        _has(Requirement(text), paths, present, name)
        for name in requirement.extras
        for text in distribution.requires or []
        if re.search(r"\bextra\s*==", text)
    )
