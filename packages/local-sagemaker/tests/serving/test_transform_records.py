"""Splitting, batching, joining and assembling, for any input."""

import json
import string
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.serving.batch import data_processing, json_path, records
from local_sagemaker.serving.batch.job import Limits, Plan, Transformation
from local_sagemaker.serving.batch.json_path import PathError
from local_sagemaker.serving.batch.records import Record, RecordError

MANY_FILES = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=30)
CELL = st.text(st.sampled_from(string.ascii_letters + string.digits + ' ,"é.-'), max_size=8)


def run(folder: Path, content: bytes, answer: Callable[[bytes], bytes], **request: Any) -> bytes:
    """The output of a transform job over one object that holds `content`; `answer` is the model."""
    limits = request.pop("limits", Limits(True, 6, 1))
    request = {"TransformInput": {"SplitType": "Line"}, "TransformOutput": {"AssembleWith": "Line"}} | request
    for name in ("input/data", "output/data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "input/data/x").write_bytes(content)
    plan = Plan(folder, request, [("bucket/x", "x")], "scikit-learn", False)
    transformation = Transformation(plan, limits, answer)
    transformation.run()
    assert transformation.failures == []
    return (folder / "output/data/x.out").read_bytes()


@given(st.lists(LINE), st.booleans(), st.integers(1, 5), st.booleans())
@MANY_FILES
def test_one_output_line_per_input_line_in_order(
    tmp_path: Path, lines: list[str], many: bool, concurrent: int, ends: bool
) -> None:
    content = "\n".join(lines) + ("\n" if ends and lines else "")
    limits = Limits(many, 6, concurrent)
    output = run(tmp_path, content.encode(), lambda body: b"<" + body.replace(b"\n", b"\n<"), limits=limits)
    # The end of a line in the middle of a request begins the next record's answer.
    got = [line for line in output.decode().split("\n") if line not in ("", "<")]
    assert got == [f"<{line}" for line in lines]


@given(st.lists(st.binary(min_size=1, max_size=20)), st.integers(20, 50), st.booleans())
def test_batches_hold_every_record_once_and_keep_the_limit(
    payloads: list[bytes], limit: int, many: bool
) -> None:
    made = list(records.batches(map(Record, payloads), many=many, limit=limit))
    assert [record.payload for batch in made for record in batch] == payloads
    assert all(len(records.payload(batch)) <= limit for batch in made)
    if many:  # as many as fit: no batch could have taken the next one's first record
        for batch, after in pairwise(made):
            assert len(records.payload(batch)) + len(after[0].payload) > limit
    else:
        assert all(len(batch) == 1 for batch in made)


@given(st.lists(st.binary(max_size=9), max_size=4), st.binary(min_size=10, max_size=20))
def test_a_record_over_the_limit_ends_the_batches(before: list[bytes], large: bytes) -> None:
    made = records.batches(map(Record, [*before, large]), many=True, limit=9)
    with pytest.raises(RecordError, match="Too much data for max payload size"):
        list(made)


ROWS = st.lists(st.lists(CELL, min_size=3, max_size=3).filter(lambda row: row != [""] * 3), max_size=12)


@given(ROWS, st.booleans(), st.integers(1, 4))
@MANY_FILES
def test_joined_rows_line_up(tmp_path: Path, rows: list[list[str]], many: bool, concurrent: int) -> None:
    form = data_processing.Csv()
    content = b"".join(form.write(row) for row in rows)

    def last_cell(body: bytes) -> bytes:
        return b"".join(form.write([f"<{row[-1]}>"]) for row in form.results(body, None))

    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,2,3]"}
    output = run(
        tmp_path,
        content,
        last_cell,
        limits=Limits(many, 6, concurrent),
        TransformInput={"ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"Accept": "text/csv", "AssembleWith": "Line"},
        DataProcessing=processing,
    )
    assert form.results(output, None) == [[row[0], row[2], f"<{row[2]}>"] for row in rows]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(JSON, max_size=8), st.booleans())
@MANY_FILES
def test_joined_json_lines_line_up(tmp_path: Path, values: list[Any], many: bool) -> None:
    content = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    output = run(
        tmp_path,
        content,
        lambda body: b"\n".join(json.dumps({"of": json.loads(line)}).encode() for line in body.splitlines()),
        limits=Limits(many, 6, 2),
        TransformInput={"ContentType": "application/jsonlines", "SplitType": "Line"},
        TransformOutput={"Accept": "application/jsonlines", "AssembleWith": "Line"},
        DataProcessing={"JoinSource": "Input"},
    )
    joined = [json.loads(line) for line in output.splitlines()]
    assert [value.pop("SageMakerOutput") for value in joined] == [{"of": value} for value in values]
    kept = [value if isinstance(value, dict) else {"SageMakerInput": value} for value in values]
    assert joined == [{k: v for k, v in value.items() if k != "SageMakerOutput"} for value in kept]


@pytest.mark.parametrize("answer", [b'{"score": NaN}', b"[1e999]", b"-Infinity"])
def test_a_result_that_is_no_json_is_not_joined(answer: bytes) -> None:
    whole = json_path.parse("$")
    processing = data_processing.DataProcessing(data_processing.Json(), whole, whole, joins=True)
    with pytest.raises(RecordError, match=r"^Failed to parse output from the algorithm as JSON: .* is no f"):
        processing.result([Record(b"{}", {})], answer)


@pytest.mark.parametrize("form", [data_processing.Csv(), data_processing.Json()])
def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path, form: Any) -> None:
    first = b'"a, b",1' if isinstance(form, data_processing.Csv) else b'["a, b", 1]'
    second = json_path.parse("$[1]")
    processing = data_processing.DataProcessing(form, second, json_path.parse("$"), joins=False)
    payload = processing.record(b"\xef\xbb\xbf" + first + b"\n").payload
    assert payload.strip() == b"1"


def test_a_document_is_one_record(tmp_path: Path) -> None:
    document = {"features": [1, 2], "id": 7, "x": {"y": 1}}
    output = run(
        tmp_path,
        json.dumps(document, indent=1).encode(),
        lambda body: json.dumps({"sum": sum(json.loads(body))}, indent=2).encode(),
        TransformInput={"ContentType": "application/json"},
        TransformOutput={"Accept": "application/json"},
        DataProcessing={
            "InputFilter": "$.features",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    assert json.loads(output) == {"id": 7, "SageMakerOutput": {"sum": 3}}


def test_results_that_nobody_reads_need_no_format(tmp_path: Path) -> None:
    output = run(
        tmp_path,
        b"7,1\n8,2\n",
        lambda body: body.upper(),
        TransformInput={"ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={},
        DataProcessing={"InputFilter": "$[1:]"},
    )
    assert output == b"1\n2\n"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", list("abcdef")),
        ("$[1]", "b"),
        ("$[-1]", "f"),
        ("$[1,3,5]", ["b", "d", "f"]),
        ("$[0,4:]", ["a", "e", "f"]),
        ("$[2:4]", ["c", "d", "e"]),
        ("$[:1]", ["a", "b"]),
        ("$[4:]", ["e", "f"]),
        ("$[:-2]", ["a", "b", "c", "d", "e"]),
        ("$[*]", list("abcdef")),
    ],
)
def test_paths_in_lists(path: str, expected: Any) -> None:
    assert json_path.parse(path).select(list("abcdef")) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a.b", 1),
        ("$['a']['b']", 1),
        ("$.a.*", [1, 2]),
        ("$.a.['b','c']", {"b": 1, "c": 2}),
        ("$.list[0].x", 3),
    ],
)
def test_paths_in_objects(path: str, expected: Any) -> None:
    document = {"a": {"b": 1, "c": 2}, "list": [{"x": 3}]}
    assert json_path.parse(path).select(document) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a", "it has to begin with"),
        ("$..a", "is not supported"),
        ("$[?(@.x)]", "is not supported"),
        ("$[1:2:3]", "neither an index nor a range"),
        ("$[0:1,3:]", "only single range filters"),
        ("$[1:].a", "nothing may follow"),
        ("$['a','b'].c", "nothing may follow"),
    ],
)
def test_paths_that_are_refused(path: str, message: str) -> None:
    with pytest.raises(PathError, match=message):
        json_path.parse(path)


@pytest.mark.parametrize("path", ["$[9]", "$[-9]", "$[9:]", "$.a", "$[0].a"])
def test_paths_to_nothing(path: str) -> None:
    with pytest.raises(PathError):
        json_path.parse(path).select(["x", "y"])
