"""Reuse of earlier steps (CacheConfig).

What counts as the same step is what the Amazon SageMaker documentation ("Caching pipeline steps",
default cache key attributes) lists: the same step of the same pipeline with equal values of
`ATTRIBUTES`. Only steps that succeeded, no longer ago than ExpireAfter, are reused.
"""

import hashlib
import json
import re
import time
from datetime import timedelta
from typing import Any

from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document, Store

ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges",
        "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters",
        "TrainingJobDefinition.TuningObjective",
        "TrainingJobDefinitions",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    "Lambda": ("FunctionArn", "OutputParameters", "Arguments"),
}
_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30}


def check(config: Any) -> None:
    """Raise ValidationError unless `config` is a CacheConfig."""
    if not isinstance(config, dict) or not isinstance(config.get("Enabled"), bool):
        raise ValidationError(f"CacheConfig needs Enabled, true or false; it is {config!r}")
    if unknown := set(config) - {"Enabled", "ExpireAfter"}:
        raise ValidationError(f"CacheConfig has no member {', '.join(sorted(unknown))}")
    if "ExpireAfter" in config:
        duration(config["ExpireAfter"])


def duration(text: Any) -> timedelta:
    """An ISO 8601 duration, also without its P and in lower case (``30d``, ``T16m``); ValidationError."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise ValidationError(f"ExpireAfter must be a duration such as 'P30D' or 'PT12H', not {text!r}")
    parts = {name: int(value) for name, value in match.groupdict(default="0").items()}
    days = sum(parts.pop(name) * length for name, length in _DAYS.items())
    return timedelta(days=days) + timedelta(**parts)


def key(kind: str, request: Document) -> str:
    """What must be equal for two runs of a step of type `kind` to be the same, as a hash."""
    attributes = {name: _attribute(request, name) for name in ATTRIBUTES[kind]}
    return hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()


def _attribute(request: Document, name: str) -> Any:
    value: Any = request
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


class Cache:
    """The latest successful run of each step of each pipeline, by what went into it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def remember(self, pipeline_arn: str, step: str, key: str, found: Document) -> None:
        """`found` is the ended step's document: its EndTime, Metadata, results and execution are kept."""
        name = f"{pipeline_arn}/{step}/{key}"
        body = {
            member: found.get(member)
            for member in ("PipelineExecutionArn", "EndTime", "Metadata", "Outputs", "Artifacts")
        }
        if not self._store.create("cache", name, body, parent=pipeline_arn):
            self._store.update("cache", name, lambda old: old.update(body))

    def find(self, pipeline_arn: str, step: str, key: str, config: Document) -> Document | None:
        """What `remember` kept, when `config` lets it be reused now."""
        if not config.get("Enabled"):
            return None
        found = self._store.get("cache", f"{pipeline_arn}/{step}/{key}")
        if found is None or "ExpireAfter" not in config:
            return found
        age = time.time() - found["EndTime"]
        return found if age <= duration(config["ExpireAfter"]).total_seconds() else None

    def forget(self, pipeline_arn: str) -> None:
        """Drop what is known of a pipeline that is deleted."""
        self._store.delete_children("cache", pipeline_arn)
