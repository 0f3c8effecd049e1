"""DataProcessing of a transform job: what of a record is sent, and what of the result is kept.

Source: the Amazon SageMaker documentation, "Associate Prediction Results with Input Records". Rows
of CSV are lists of texts, joined by appending; JSON values are objects, joined under the name
``SageMakerOutput`` (and ``SageMakerInput``, where the record is no object).
"""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local_sagemaker.serving.batch import json_path
from local_sagemaker.serving.batch.json_path import JsonPath, PathError
from local_sagemaker.serving.batch.records import Record, RecordError

_CSV = "text/csv"
CONTENT_TYPES = (_CSV, "application/json", "application/jsonlines")
_CONTENT_TYPE, _ACCEPT = "TransformInput.ContentType", "TransformOutput.Accept"
_SPLIT, _ASSEMBLE = "TransformInput.SplitType", "TransformOutput.AssembleWith"
_MISMATCH = "Fail to join data: mismatched line count between the input and the output"


class Format(Protocol):
    """How records and results are written."""

    def read(self, text: bytes) -> Any: ...

    def write(self, value: Any) -> bytes: ...

    def results(self, body: bytes, count: int | None) -> list[Any]:
        """The results in a response; RecordError unless they are `count`, when that is given."""

    def pick(self, path: JsonPath, value: Any) -> Any: ...

    def join(self, record: Any, result: Any) -> Any: ...


class Csv:
    """Rows of texts (RFC 4180, without line ends inside)."""

    def read(self, text: bytes) -> list[str]:
        rows = _rows(text, "input")
        if len(rows) != 1:
            raise RecordError(
                "Failed to parse the input as CSV: a quoted value goes over the end of its line"
            )
        return rows[0]

    def write(self, value: list[str]) -> bytes:
        target = io.StringIO()
        csv.writer(target, lineterminator="\n").writerow(value)
        return target.getvalue().encode("utf-8", "surrogateescape")

    def results(self, body: bytes, count: int | None) -> list[list[str]]:
        rows = _rows(body, "output from the algorithm")
        if count is not None and len(rows) != count:
            raise RecordError(f"{_MISMATCH} ({count} and {len(rows)})")
        return rows

    def pick(self, path: JsonPath, value: list[str]) -> list[str]:
        return path.row(value)

    def join(self, record: list[str], result: list[str]) -> list[str]:
        return [*record, *result]


class Json:
    """JSON values, one a line or one for the whole object."""

    def read(self, text: bytes) -> Any:
        return _json(text, "input")

    def write(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()

    def results(self, body: bytes, count: int | None) -> list[Any]:
        what = "output from the algorithm"
        if count == 1:
            return [_json(body, what)]
        lines = [line for line in body.splitlines() if line.strip()]
        if count is not None and len(lines) != count:
            raise RecordError(f"{_MISMATCH} ({count} and {len(lines)})")
        return [_json(line, what) for line in lines]

    def pick(self, path: JsonPath, value: Any) -> Any:
        return path.select(value)

    def join(self, record: Any, result: Any) -> dict[str, Any]:
        base = record if isinstance(record, dict) else {"SageMakerInput": record}
        return {**base, "SageMakerOutput": result}


@dataclass(frozen=True)
class DataProcessing:
    """A DataProcessing that changes something."""

    format: Format
    input_filter: JsonPath
    output_filter: JsonPath
    joins: bool

    def record(self, text: bytes) -> Record:
        """The record `text` with what is to be sent of it. Raises RecordError."""
        if self.input_filter.takes_all and not self.joins:
            return Record(text)
        source = self.format.read(text)
        if self.input_filter.takes_all:
            return Record(text, source)
        payload = self.format.write(self._pick(self.input_filter, source))
        if text.endswith(b"\n") and not payload.endswith(b"\n"):
            payload += b"\n"
        return Record(payload, source)

    def result(self, batch: Sequence[Record], body: bytes) -> bytes:
        """What is kept of the response to `batch`. Raises RecordError."""
        if self.output_filter.takes_all and not self.joins:
            return body
        results = self.format.results(body, len(batch) if self.joins else 1 if len(batch) == 1 else None)
        if self.joins:
            results = [
                self.format.join(record.source, result) for record, result in zip(batch, results, strict=True)
            ]
        written = [self.format.write(self._pick(self.output_filter, result)) for result in results]
        return b"\n".join(line.removesuffix(b"\n") for line in written)

    def _pick(self, path: JsonPath, value: Any) -> Any:
        try:
            return self.format.pick(path, value)
        except PathError as error:
            raise RecordError(str(error)) from error


def parse(request: dict[str, Any]) -> DataProcessing | None:
    """The DataProcessing of a CreateTransformJob request; None where records and results stay as they are.

    Raises ValueError, naming the member, for what SageMaker refuses or does otherwise.
    """
    given = request.get("DataProcessing", {})
    joins = given.get("JoinSource", "None") == "Input"
    paths = {name: _path(given, name) for name in ("InputFilter", "OutputFilter")}
    if not joins and all(path.takes_all for path in paths.values()):
        return None
    source, target = request["TransformInput"], request["TransformOutput"]
    reads_results = joins or not paths["OutputFilter"].takes_all
    content, accept = _base(_CONTENT_TYPE, source.get("ContentType")), None
    if reads_results or "Accept" in target:
        accept = _base(_ACCEPT, target.get("Accept"))
    if joins and content != accept:
        raise ValueError(f"DataProcessing: JoinSource Input needs the same {_CONTENT_TYPE} and {_ACCEPT}")
    if reads_results and (content == _CSV) != (accept == _CSV):
        raise ValueError(f"DataProcessing: {_CONTENT_TYPE} and {_ACCEPT} must both be CSV or both JSON")
    _check_lines(request, content == _CSV, accept == _CSV, joins)
    if content == _CSV:
        _check_positions(paths)
    form = Csv() if content == _CSV else Json()
    return DataProcessing(form, paths["InputFilter"], paths["OutputFilter"], joins)


def _path(given: dict[str, Any], member: str) -> JsonPath:
    try:
        return json_path.parse(given.get(member, "$"))
    except PathError as error:
        raise ValueError(f"DataProcessing.{member}: {error}") from error


def _base(member: str, kind: str | None) -> str:
    base = (kind or "").partition(";")[0].strip().lower()
    if base not in CONTENT_TYPES:
        raise ValueError(
            f"DataProcessing: {member} must be one of {', '.join(CONTENT_TYPES)}, not {kind or 'absent'}"
        )
    return base


def _check_lines(request: dict[str, Any], reads_csv: bool, writes_csv: bool, joins: bool) -> None:
    split = request["TransformInput"].get("SplitType", "None")
    assembled = request["TransformOutput"].get("AssembleWith", "None")
    if reads_csv and split != "Line":
        raise ValueError(f"DataProcessing: CSV needs {_SPLIT} Line")
    if reads_csv and writes_csv and assembled != "Line":
        raise ValueError(f"DataProcessing: CSV needs {_ASSEMBLE} Line")
    if joins and split != assembled:
        raise ValueError(f"DataProcessing: JoinSource Input needs the same {_SPLIT} and {_ASSEMBLE}")


def _check_positions(paths: dict[str, JsonPath]) -> None:
    for member, path in paths.items():
        if not path.is_positional:
            raise ValueError(
                f"DataProcessing.{member} {path.text!r}: a row of CSV is a list, so only positions such as"
                " $[0] and $[1:] can be applied"
            )


def _rows(text: bytes, what: str) -> list[list[str]]:
    try:
        # A byte order mark is no part of the first value, which may be in quotes.
        decoded = text.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        lines = csv.reader(io.StringIO(decoded, newline=""), strict=True)
        return [row for row in lines if row]
    except csv.Error as error:
        raise RecordError(f"Failed to parse {what} as CSV: {error}") from error


def _json(text: bytes, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"Failed to parse {what} as JSON: {error}") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value
