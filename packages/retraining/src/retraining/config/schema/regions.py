"""The regions of AWS, as far as the installed SDK knows them."""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def known() -> list[str]:
    """Names such as ``eu-west-1``, of all partitions."""
    return [
        name for partition in _partitions() for name in partition["regions"] if not name.endswith("-global")
    ]


def dns_suffix(region: str) -> str:
    """What the names of the region's services end with: ``amazonaws.com``, in China ``amazonaws.com.cn``."""
    for partition in _partitions():
        if re.fullmatch(partition["regionRegex"], region):
            return str(partition["outputs"]["dnsSuffix"])
    return "amazonaws.com"


@cache
def _partitions() -> list[dict[str, Any]]:
    """botocore's data, read without loading botocore."""
    package = find_spec("botocore")
    if package is None or package.origin is None:
        return []
    text = (Path(package.origin).parent / "data" / "partitions.json").read_text(encoding="utf-8")
    partitions: list[dict[str, Any]] = json.loads(text)["partitions"]
    return partitions
