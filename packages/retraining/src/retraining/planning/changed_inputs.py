"""Inputs of a reused step whose objects are others than those that its result was made of.

SageMaker's cache key has an input's URI, never its content, so a step is reused whatever was added, replaced
or removed since. What was there is in the manifest of the execution that made the result; without one,
objects that are newer than the result are told.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from retraining.compile.compiled import Made, Run
from retraining.planning import history, input_manifest
from retraining.planning.history import Past
from retraining.planning.input_manifest import Content

_SECTIONS = ("ProcessingInputs", "InputDataConfig", "TransformInput")
_NAMED = 3  # objects of each kind


@dataclass(frozen=True)
class ChangedInput:
    """An input of a reused step, and the keys below it that changed; `newer` where there is no manifest.

    `all_seen` is whether all objects were looked at; `parameter` is the pipeline parameter whose value the
    URI is, if there is one.
    """

    step: str
    uri: str
    parameter: str | None
    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    all_seen: bool = True

    @property
    def changes(self) -> dict[str, tuple[str, ...]]:
        """Those keys by what happened to them."""
        kinds = {"added": self.added, "replaced": self.replaced, "removed": self.removed}
        return {kind: keys for kind, keys in {**kinds, "newer": self.newer}.items() if keys}

    def __str__(self) -> str:
        listed = "; ".join(self._words(kind, keys) for kind, keys in self.changes.items())
        least = "" if self.all_seen else "at least "
        give = f"pass it with --param {self.parameter}=s3://..." if self.parameter else "name it in conf.yaml"
        return (
            f"{self.step}: the result that is reused was made of other data than is below {self.uri} now: "
            f"{least}{listed}: put new data under a new prefix and {give}, or set "
            "enable_cache: false or a shorter cache_expires_after for the step"
        )

    def _words(self, kind: str, keys: tuple[str, ...]) -> str:
        """Such as ``2 objects added (a.csv, b.csv)``."""
        folder = self.uri.removeprefix("s3://").partition("/")[2].rpartition("/")[0]
        names = [key.removeprefix(f"{folder}/") for key in keys[:_NAMED]]
        more = [f"and {len(keys) - _NAMED} more"] if len(keys) > _NAMED else []
        return f"{len(keys)} object{'s' * (len(keys) != 1)} {kind} ({', '.join(names + more)})"

    def as_json(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "uri": self.uri,
            "parameter": self.parameter,
            "added": list(self.added),
            "replaced": list(self.replaced),
            "removed": list(self.removed),
            "newer": list(self.newer),
            "all_seen": self.all_seen,
        }


def find(bucket: str, past: list[Past], results: Iterable[tuple[Run, str]]) -> list[ChangedInput]:
    """The changed inputs of `results` (the run in which a step really ran, and the step).

    Inputs that other steps write are left out. Where a prefix may not be listed, or it is not known when a
    step began, nothing is found.

    Args:
        bucket: the project's, which has the manifests.
    """
    known = {item.run.arn: item.steps for item in past}
    inputs = [
        (run, name, uri, parameter)
        for run, name in results
        if run.arn in known and name in known[run.arn]
        for uri, parameter in _inputs(run, name).items()
    ]
    now = input_manifest.look(dict.fromkeys(uri for _, _, uri, _ in inputs))
    arns = {run.arn: run.pipeline for run, *_ in inputs if run.arn is not None}
    manifests = {arn: input_manifest.load(bucket, pipeline, arn) for arn, pipeline in arns.items()}
    changed = (
        _compare(
            ChangedInput(name, uri, parameter),
            now[uri],
            manifests.get(run.arn or "", {}).get(uri),
            known[run.arn][name].started,
        )
        for run, name, uri, parameter in inputs
        if uri in now
    )
    return [item for item in changed if item.changes]


def find_in_execution(bucket: str, pipeline: str, arn: str, steps: Collection[str]) -> list[ChangedInput]:
    """The same for those of `steps` that an execution has reused."""
    past = history.past_of(pipeline, [arn])
    origins = next(item.run.origins for item in past if item.run.arn == arn)
    return find(bucket, past, [(run, name) for name, run in origins.items() if name in steps])


def uris_of(run: Run) -> list[str]:
    """The S3 URIs of all data that the steps of a run read and none of them writes."""
    return list(dict.fromkeys(uri for name in run.definition.steps for uri in _inputs(run, name)))


def _compare(
    item: ChangedInput, now: Content, before: Content | None, started: datetime | None
) -> ChangedInput:
    """With what changed since the manifest `before`, or else since the step began."""
    if before is None:
        keys = sorted(key for key, when in now.modified.items() if started is not None and when > started)
        return replace(item, newer=tuple(keys), all_seen=now.is_complete)
    ends = [content.last for content in (before, now) if content.last is not None]

    def seen(keys: Iterable[str]) -> tuple[str, ...]:
        """Of a prefix that was looked at in part, the keys that both times would have been."""
        return tuple(sorted(key for key in keys if all(key <= end for end in ends)))

    both = before.objects.keys() & now.objects.keys()
    return replace(
        item,
        added=seen(now.objects.keys() - both),
        replaced=seen(key for key in both if now.objects[key] != before.objects[key]),
        removed=seen(before.objects.keys() - both),
        all_seen=not ends,
    )


def _inputs(run: Run, name: str) -> dict[str, str | None]:
    """The S3 URIs that a step reads and no step writes, each with the parameter whose value it is."""
    arguments = run.definition.steps[name].arguments
    tuned = arguments.get("TrainingJobDefinition")
    jobs = [arguments, *([tuned] if tuned else []), *(arguments.get("TrainingJobDefinitions") or [])]
    parameters: dict[str, str | None] = {}
    for raw in itertools.chain.from_iterable(_uris(job.get(part)) for job in jobs for part in _SECTIONS):
        uri = run.value(raw)
        is_made = not isinstance(uri, str) or isinstance(uri, Made)
        if not is_made and uri.startswith("s3://") and not _is_code(uri, run.pipeline):
            parameters.setdefault(uri, _parameter(raw))
    return parameters


def _uris(value: Any) -> Iterator[Any]:
    """Every S3Uri in a part of a job's arguments."""
    if isinstance(value, list):
        for item in value:
            yield from _uris(item)
    elif isinstance(value, dict):
        if "S3Uri" in value:
            yield value["S3Uri"]
        for item in value.values():
            yield from _uris(item)


def _is_code(uri: str, pipeline: str) -> bool:
    """Code is stored under the hash of its content: it cannot change."""
    return uri.removeprefix("s3://").partition("/")[2].startswith(f"{pipeline}/code/")


def _parameter(raw: Any) -> str | None:
    reference = raw.get("Get", "") if isinstance(raw, dict) else ""
    return reference.removeprefix("Parameters.") if reference.startswith("Parameters.") else None
