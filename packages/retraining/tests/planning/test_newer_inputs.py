"""What came into the inputs of a reused step since is told, by the plan and by the run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber
from tiny_project import CHAIN, MODEL, STEPS, Tiny, retrain, running, step

from retraining.compile.compiled import Run, read
from retraining.planning import history, newer_inputs

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

    def put(self, name: str) -> None:
        boto3.client("s3").put_object(Bucket=self.bucket, Key=f"{self.prefix}{name}", Body=b"1")


def test_new_files_under_the_prefix_of_a_reused_step(tiny: Tiny) -> None:
    rows = read_rows(tiny)
    rows.put("1.csv")
    tiny.run()
    assert tiny.plan().newer_inputs == ()
    assert step(tiny.plan(), "Preprocess").cache == "hit"
    for name in ("2.csv", "3.csv", "folder/"):
        rows.put(name)
    (newer,) = tiny.plan().newer_inputs
    assert (newer.step, newer.uri, newer.parameter) == ("Preprocess", rows.uri, "RowsData")
    assert (newer.count, newer.all_seen) == (2, True)
    line = f"Preprocess: 2 objects below {rows.uri} are newer than the result that is reused"
    assert f"! {line}" in retrain(tiny, "plan").stdout
    assert tiny.plan("Rows=8").newer_inputs == ()
    done = retrain(tiny, "run")
    assert done.returncode == 0, done.stderr
    assert [said.startswith(line) for said in done.stderr.splitlines()].count(True) == 1
    assert "--param RowsData=s3://..." in done.stderr
    # The result is still that of the first run.
    assert [item.count for item in tiny.plan().newer_inputs] == [2]


def reused(uri: str) -> tuple[list[history.Past], list[tuple[Run, str]]]:
    """An execution of yesterday whose one step reads `uri`, and that step."""
    data = {"InputName": "a", "S3Input": {"S3Uri": uri}}
    job = {"Name": "Read", "Type": "Processing", "Arguments": {"ProcessingInputs": [data]}}
    run = Run(read(json.dumps({"Steps": [job]})), {}, "arn", "p")
    return [history.Past(run, {"Read": history.PastStep(NOW, started=NOW - timedelta(1))})], [(run, "Read")]


@pytest.mark.parametrize("uri", ["s3://no-such-bucket-here/a/", "s3://", "s3://b/p/code/0123/", "a file"])
def test_a_prefix_that_cannot_be_listed_and_code_are_silence(tiny: Tiny, uri: str) -> None:
    assert newer_inputs.find(*reused(uri)) == []


@pytest.mark.parametrize(("counts", "expected"), [((1,), "1 object"), ((1, 0, 2, 5), "at least 3 objects")])
def test_a_large_prefix_is_looked_at_in_part(
    counts: tuple[int, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = boto3.client("s3", region_name="eu-west-1")
    with Stubber(client) as stubber:
        for page, count in enumerate(counts[:3]):
            more = {"IsTruncated": True, "NextContinuationToken": str(page)} if page + 1 < len(counts) else {}
            new = [{"Key": f"a/{number}", "LastModified": NOW} for number in range(count)]
            old = {"Key": "a/old", "LastModified": NOW - timedelta(9)}
            stubber.add_response("list_objects_v2", {"Contents": [old, *new], **more})
        monkeypatch.setattr(boto3, "client", lambda *_: client)
        (newer,) = newer_inputs.find(*reused("s3://b/a/"))
        stubber.assert_no_pending_responses()
    assert str(newer).startswith(f"Read: {expected} below s3://b/a/ ")
    assert "name it in conf.yaml" in str(newer)
