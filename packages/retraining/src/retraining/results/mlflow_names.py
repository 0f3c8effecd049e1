"""Names of metrics and tags as MLflow takes them; SageMaker takes any, such as ``MAP@10``."""

import re

_REFUSED = re.compile(r"[^/\w.\- :]")  # by mlflow.utils.validation
_LENGTH = 240  # characters, of 250


def accepted(name: str) -> str:
    """The name, or the nearest one that MLflow takes: it is a path, of certain characters."""
    parts = _REFUSED.sub("_", name).split("/")
    whole = "/".join("_" if part in (".", "..") else part for part in parts if part)
    return whole[:_LENGTH].rstrip("/") or "_"


def distinct(names: list[str], taken: dict[str, str]) -> dict[str, str]:
    """By name what MLflow gets, different for different names.

    Args:
        taken: by what MLflow has got before, the name; what is new is added.
    """
    chosen: dict[str, str] = {}
    for name in sorted(dict.fromkeys(names), key=lambda name: accepted(name) != name):  # those that may stay
        nearest = candidate = accepted(name)
        number = 1
        while taken.setdefault(candidate, name) != name:
            number += 1
            candidate = f"{nearest}_{number}"
        chosen[name] = candidate
    return chosen
