"""Checks of how the keys of a batch transform go together.

Source of the rules for filters and joins: the Amazon SageMaker documentation, "Associate Prediction
Results with Input Records".
"""

import re
from typing import Any

from retraining.config.files.problems import Problems
from retraining.config.schema.job import TransformJob
from retraining.config.schema.parameter import default_of

_CSV = "text/csv"
_PROCESSED = (_CSV, "application/json", "application/jsonlines")
# A row of CSV is a list: of the JSONPath operators, those with positions.
_POSITIONS = re.compile(r"\$(\.?\[[-0-9:,*\s]+\]|\.\*)?")


def check_transform(problems: Problems, job: TransformJob) -> None:
    """Check the section transform; `problems` collects below it."""
    if job.strategy == "MultiRecord" and job.split_type in (None, "None"):
        problems.add(("strategy",), "MultiRecord needs a split_type such as Line", ("split_type",))
    payload, jobs = (default_of(value) for value in (job.max_payload, job.max_concurrent_transforms))
    if payload and jobs and payload * jobs > 100:
        words = f"{payload} MB x {jobs} concurrent requests: SageMaker allows 100 MB in all"
        problems.add(("max_payload",), words, ("max_concurrent_transforms",))
    _check_processing(problems, job)


def _check_processing(problems: Problems, job: TransformJob) -> None:
    """Add at most one problem: what one key needs, the others need as well."""
    keys = ("join_source", "input_filter", "output_filter")
    used = [key for key in keys if default_of(getattr(job, key)) not in (None, "None", "$")]
    if not used:
        return
    content = _mime_type(job.content_type)
    accept = _mime_type(job.accept or job.content_type)
    split, assembled = (default_of(value) or "None" for value in (job.split_type, job.assemble_with))
    joins = used[0] == "join_source"
    unknown = [kind for kind in (content, accept) if kind not in _PROCESSED]
    by_line = {"split_type": split} | ({"assemble_with": assembled} if accept == _CSV else {})
    missing = [f"{key}: Line" for key, value in by_line.items() if value != "Line"]
    key, words = used[0], ""
    if unknown:
        words = f"only CSV and JSON can be {'joined' if joins else 'filtered'}, not {unknown[0]}"
    elif joins and content != accept:
        words = f"joining needs the same content_type and accept, not {content} and {accept}"
    elif "output_filter" in used and (content == _CSV) != (accept == _CSV):
        key = "output_filter"
        words = f"content_type and accept must both be CSV or both JSON, not {content} and {accept}"
    elif content == _CSV and missing:
        words = f"CSV is filtered and joined line by line: it needs {' and '.join(missing)}"
    elif joins and split != assembled:
        words = f"joining needs the same split_type and assemble_with, not {split} and {assembled}"
    if words:
        problems.add((key,), words, ("content_type",), ("accept",), ("split_type",), ("assemble_with",))
    elif content == _CSV:
        _check_positions(problems, job)


def _check_positions(problems: Problems, job: TransformJob) -> None:
    for key in ("input_filter", "output_filter"):
        path = default_of(getattr(job, key))
        if path and not _POSITIONS.fullmatch(path):
            words = f"a row of CSV has no names, only positions such as $[0] and $[1:], and not {path!r}"
            problems.add((key,), words, ("content_type",))


def _mime_type(value: Any) -> str:
    return str(default_of(value)).partition(";")[0].strip().lower()
