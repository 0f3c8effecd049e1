"""What came into the inputs of a reused step since is told, by the plan and by the run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber
from tiny_project import CHAIN, MODEL, STEPS, Tiny, retrain, running, step

from retraining.cli import run
from retraining.compile.compiled import Run, read
from retraining.planning import changed_inputs, history, input_manifest
from retraining.planning.input_manifest import Content

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("tiny")) as project:
        yield project


def read_rows(tiny: Tiny) -> "S3Prefix":
    """Let the first step read a prefix that a parameter names; one object lies there."""
    bucket = tiny.configuration.project.bucket
    prefix = S3Prefix(bucket, "data/rows/")
    files = [{"sourceName": "rows", "fileName": {"parameter": "RowsData", "default": prefix.uri}}]
    preprocess = MODEL["preprocess"] | {"channels": {"rows": {"dataFiles": files}}}  # type: ignore[operator]
    tiny.configure(MODEL | {"preprocess": preprocess}, STEPS, CHAIN)
    return prefix


@dataclass(frozen=True)
class S3Prefix:
    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def put(self, name: str, content: bytes = b"1") -> None:
        boto3.client("s3").put_object(Bucket=self.bucket, Key=f"{self.prefix}{name}", Body=content)

    def remove(self, name: str) -> None:
        boto3.client("s3").delete_object(Bucket=self.bucket, Key=f"{self.prefix}{name}")


def test_new_files_under_the_prefix_of_a_result_without_a_manifest(tiny: Tiny) -> None:
    """An execution that a schedule has started."""
    rows = read_rows(tiny)
    rows.put("1.csv")
    tiny.run("Rows=5")
    assert tiny.plan("Rows=5").changed_inputs == ()
    assert step(tiny.plan("Rows=5"), "Preprocess").cache == "hit"
    for name in ("2.csv", "3.csv", "folder/"):
        rows.put(name)
    (changed,) = tiny.plan("Rows=5").changed_inputs
    assert (changed.step, changed.uri, changed.parameter) == ("Preprocess", rows.uri, "RowsData")
    assert changed.changes == {"newer": ("data/rows/2.csv", "data/rows/3.csv")}
    assert changed.all_seen
    assert "2 objects newer (2.csv, 3.csv)" in str(changed)
    assert tiny.plan("Rows=8").changed_inputs == ()


def test_what_was_added_replaced_and_removed_is_named_by_the_plan_and_the_run(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_rows(tiny)
    for name in ("old/1.csv", "old/2.csv", "old/3.csv", "old/4.csv", "old/same.csv"):
        rows.put(name)
    run.run_pipeline(tiny.configuration, "local", ["Rows=6"])
    assert tiny.plan("Rows=6").changed_inputs == ()
    rows.put("old/same.csv")  # the same content: the same data
    rows.put("old/1.csv", b"another")
    for name in ("old/2.csv", "old/3.csv"):
        rows.remove(name)
    for name in ("5.csv", "6.csv", "7.csv", "8.csv", "folder/"):
        rows.put(name)
    (changed,) = tiny.plan("Rows=6").changed_inputs
    assert (changed.step, changed.uri, changed.parameter) == ("Preprocess", rows.uri, "RowsData")
    assert changed.changes == {
        "added": tuple(f"data/rows/{number}.csv" for number in (5, 6, 7, 8)),
        "replaced": ("data/rows/old/1.csv",),
        "removed": ("data/rows/old/2.csv", "data/rows/old/3.csv"),
    }
    line = (
        f"Preprocess: the result that is reused was made of other data than is below {rows.uri} now: "
        "4 objects added (5.csv, 6.csv, 7.csv, and 1 more); 1 object replaced (old/1.csv); "
        "2 objects removed (old/2.csv, old/3.csv): put new data under a new prefix and pass it with "
        "--param RowsData=s3://..."
    )
    assert f"! {line}" in retrain(tiny, "plan", "--param", "Rows=6").stdout
    assert changed.as_json()["removed"] == ["data/rows/old/2.csv", "data/rows/old/3.csv"]
    capsys.readouterr()
    run.run_pipeline(tiny.configuration, "local", ["Rows=6"])
    assert [said.startswith(line) for said in capsys.readouterr().err.splitlines()].count(True) == 1
    # The result is still that of the first run.
    assert [item.changes for item in tiny.plan("Rows=6").changed_inputs] == [changed.changes]


def test_a_file_that_is_removed_from_the_disk_is_removed(tiny: Tiny) -> None:
    rows = read_rows(tiny)
    rows.put("disk.csv")
    run.run_pipeline(tiny.configuration, "local", ["Rows=7"])
    place = tiny.root / ".local" / "s3" / tiny.configuration.project.SMP_ACCOUNTID / rows.bucket / rows.prefix
    (place / "disk.csv").unlink()
    (changed,) = tiny.plan("Rows=7").changed_inputs
    assert changed.changes == {"removed": ("data/rows/disk.csv",)}


def reused(uri: str) -> tuple[list[history.Past], list[tuple[Run, str]]]:
    """An execution of yesterday whose one step reads `uri`, and that step."""
    data = {"InputName": "a", "S3Input": {"S3Uri": uri}}
    job = {"Name": "Read", "Type": "Processing", "Arguments": {"ProcessingInputs": [data]}}
    ended = Run(read(json.dumps({"Steps": [job]})), {}, "arn", "p")
    return [history.Past(ended, {"Read": history.PastStep(NOW, started=NOW - timedelta(1))})], [
        (ended, "Read")
    ]


@pytest.mark.parametrize("uri", ["s3://no-such-bucket-here/a/", "s3://", "s3://b/p/code/0123/", "a file"])
def test_a_prefix_that_cannot_be_listed_and_code_are_silence(tiny: Tiny, uri: str) -> None:
    assert changed_inputs.find("b", *reused(uri)) == []


@pytest.mark.parametrize(("counts", "expected"), [((1,), "1 object"), ((1, 0, 2, 5), "at least 3 objects")])
def test_a_large_prefix_is_looked_at_in_part(
    counts: tuple[int, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = boto3.client("s3", region_name="eu-west-1")
    with Stubber(client) as stubber:
        for page, count in enumerate(counts[:3]):
            more = {"IsTruncated": True, "NextContinuationToken": str(page)} if page + 1 < len(counts) else {}
            new = [_item(f"a/{page}-{number}", NOW) for number in range(count)]
            old = _item("a/old", NOW - timedelta(9))
            stubber.add_response("list_objects_v2", {"Contents": [old, *new], **more})
        stubber.add_client_error("get_object", "NoSuchKey")
        monkeypatch.setattr(boto3, "client", lambda *_: client)
        monkeypatch.setattr(input_manifest, "_PAGES", 3)
        (changed,) = changed_inputs.find("b", *reused("s3://b/a/"))
        stubber.assert_no_pending_responses()
    assert f"below s3://b/a/ now: {expected}" in str(changed)
    assert "name it in conf.yaml" in str(changed)


def _item(key: str, modified: datetime) -> dict[str, object]:
    return {"Key": key, "LastModified": modified, "Size": 1, "ETag": '"0"'}


def test_of_a_large_prefix_only_what_both_looks_saw_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def content(keys: str, *, is_complete: bool) -> Content:
        return Content(dict.fromkeys(keys, (1, "e")), {}, is_complete)

    before, now = content("abcd", is_complete=False), content("acdefg", is_complete=True)
    monkeypatch.setattr(input_manifest, "load", lambda *_: {"s3://b/a/": before})
    monkeypatch.setattr(input_manifest, "look", lambda _: {"s3://b/a/": now})
    (changed,) = changed_inputs.find("b", *reused("s3://b/a/"))
    assert changed.changes == {"removed": ("b",)}
    assert "now: at least 1 object removed (b):" in str(changed)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"version": 2}', b'{"version": 1, "inputs": {"a": {}}}'])
def test_a_manifest_of_another_form_is_none(body: bytes, tiny: Tiny) -> None:
    bucket = tiny.configuration.project.bucket
    boto3.client("s3").put_object(Bucket=bucket, Key="p/manifests/x.json", Body=body)
    assert input_manifest.load(bucket, "p", "arn/x") == {}
