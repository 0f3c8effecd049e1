"""What the keys of a batch transform must keep together.

Source of the rules for filters and joins: the Amazon SageMaker documentation, "Associate Prediction
Results with Input Records".
"""

import re
from collections.abc import Iterator
from typing import Any

from retraining.config.files.yaml_file import Location
from retraining.config.schema.job import TransformJob
from retraining.config.schema.model import Unit
from retraining.config.schema.parameter import default_of

_CSV = "text/csv"
_PROCESSED = (_CSV, "application/json", "application/jsonlines")
# A row of CSV is a list: of the JSONPath operators, those with positions.
_POSITIONS = re.compile(r"\$(\.?\[[-0-9:,*\s]+\]|\.\*)?")

Found = Iterator[tuple[Location, str]]


def check(unit: Unit) -> Found:
    """Places below the unit, and what is wrong there."""
    job = unit.transform
    if job is None:
        return
    if job.strategy == "MultiRecord" and job.split_type in (None, "None"):
        yield ("transform", "strategy"), "MultiRecord needs a split_type such as Line"
    payload, jobs = (default_of(value) for value in (job.max_payload, job.max_concurrent_transforms))
    if payload and jobs and payload * jobs > 100:
        words = f"{payload} MB x {jobs} concurrent requests: SageMaker allows 100 MB in all"
        yield ("transform", "max_payload"), words
    yield from _check_processing(job)


def _check_processing(job: TransformJob) -> Found:
    """At most one line: what one key needs, the others need as well."""
    keys = ("join_source", "input_filter", "output_filter")
    used = [key for key in keys if default_of(getattr(job, key)) not in (None, "None", "$")]
    if not used:
        return
    here: Location = ("transform", used[0])
    content = _mime_type(job.content_type)
    accept = _mime_type(job.accept or job.content_type)
    split, assembled = (default_of(value) or "None" for value in (job.split_type, job.assemble_with))
    joins = used[0] == "join_source"
    unknown = [kind for kind in (content, accept) if kind not in _PROCESSED]
    by_line = {"split_type": split} | ({"assemble_with": assembled} if accept == _CSV else {})
    missing = [f"{key}: Line" for key, value in by_line.items() if value != "Line"]
    if unknown:
        yield here, f"only CSV and JSON can be {'joined' if joins else 'filtered'}, not {unknown[0]}"
    elif joins and content != accept:
        yield here, f"joining needs the same content_type and accept, not {content} and {accept}"
    elif "output_filter" in used and (content == _CSV) != (accept == _CSV):
        words = f"content_type and accept must both be CSV or both JSON, not {content} and {accept}"
        yield ("transform", "output_filter"), words
    elif content == _CSV and missing:
        yield here, f"CSV is filtered and joined line by line: it needs {' and '.join(missing)}"
    elif joins and split != assembled:
        yield here, f"joining needs the same split_type and assemble_with, not {split} and {assembled}"
    elif content == _CSV:
        yield from _check_positions(job)


def _check_positions(job: TransformJob) -> Found:
    for key in ("input_filter", "output_filter"):
        path = default_of(getattr(job, key))
        if path and not _POSITIONS.fullmatch(path):
            words = f"a row of CSV has no names, only positions such as $[0] and $[1:], and not {path!r}"
            yield ("transform", key), words


def _mime_type(value: Any) -> str:
    return str(default_of(value)).partition(";")[0].strip().lower()
