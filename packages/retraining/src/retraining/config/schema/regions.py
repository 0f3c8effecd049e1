"""The regions of AWS, as far as the installed SDK knows them."""

import json
from importlib.util import find_spec
from pathlib import Path


def known() -> list[str]:
    """Names such as ``eu-west-1``, of all partitions; read from botocore's data, without loading botocore."""
    found = find_spec("botocore")
    if found is None or found.origin is None:
        return []
    text = (Path(found.origin).parent / "data" / "partitions.json").read_text(encoding="utf-8")
    partitions = json.loads(text)["partitions"]
    return [name for partition in partitions for name in partition["regions"] if not name.endswith("-global")]
