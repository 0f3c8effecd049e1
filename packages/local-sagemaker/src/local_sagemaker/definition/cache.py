"""Reuse of earlier steps (CacheConfig).

What counts as the same step is what the Amazon SageMaker documentation ("Caching pipeline steps",
default cache key attributes) lists: the same step of the same pipeline with equal values of
`ATTRIBUTES`. Only steps that succeeded, no longer ago than ExpireAfter, are reused.
"""

import hashlib
import json
from typing import Any

from local_sagemaker.core import clock
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document, Store
from local_sagemaker.definition.durations import duration

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


def check(config: Any) -> None:
    """Raise ValidationError unless `config` is a CacheConfig."""
    if not isinstance(config, dict) or not isinstance(config.get("Enabled"), bool):
        raise ValidationError(f"CacheConfig needs Enabled, true or false; it is {config!r}")
    if unknown := set(config) - {"Enabled", "ExpireAfter"}:
        raise ValidationError(f"CacheConfig has no member {', '.join(sorted(unknown))}")
    if "ExpireAfter" in config:
        try:
            duration(str(config["ExpireAfter"]))
        except ValueError as error:
            raise ValidationError(f"ExpireAfter {error}") from None


def key(kind: str, request: Document) -> str:
    """What must be equal for two runs of a step of type `kind` to be the same, as a hash."""
    attributes = {name: _attribute(request, name) for name in ATTRIBUTES[kind]}
    return hashlib.sha256(json.dumps(attributes, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _attribute(request: Document, name: str) -> Any:
    value: Any = request
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


class Cache:
    """The latest successful run of each step of each pipeline, by what went into it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def remember(self, pipeline_arn: str, step: str, key: str, record: Document) -> None:
        """`record` is the ended step's document: its EndTime, Metadata, results and execution are kept."""
        name = f"{pipeline_arn}/{step}/{key}"
        body = {
            member: record.get(member)
            for member in ("PipelineExecutionArn", "EndTime", "Metadata", "Outputs", "Artifacts")
        }
        if not self._store.create("cache", name, body, parent=pipeline_arn):
            self._store.update("cache", name, lambda old: old.update(body))

    def find(self, pipeline_arn: str, step: str, key: str, config: Document) -> Document | None:
        """What `remember` kept, when `config` lets it be reused now."""
        if not config.get("Enabled"):
            return None
        earlier = self._store.get("cache", f"{pipeline_arn}/{step}/{key}")
        if earlier is None or "ExpireAfter" not in config:
            return earlier
        age = clock.now() - earlier["EndTime"]
        return earlier if age <= duration(config["ExpireAfter"]).total_seconds() else None
