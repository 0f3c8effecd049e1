"""Batch transform, asked for by an unmodified boto3 and run for real."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jobs_to_run import beside
from models_to_serve import REGISTRY, SKLEARN, SUMS, Transforming, archive, sums

from local_sagemaker.container import sandbox
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.registry.models import Models
from local_sagemaker.serving.batch.job import PLAN


@pytest.fixture
def transforming(local: Settings, sagemaker: Any, s3: Any) -> Transforming:
    return Transforming(local, sagemaker, s3)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        action()
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def test_objects_become_objects(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/a.csv", b"1,2\n3,4\n")
    transforming.put(f"{name}/in/deep/er/b c.csv", b"5,6")
    arn = transforming.start(name)
    description = transforming.wait(name)
    assert description["TransformJobStatus"] == "Completed", transforming.log(name)
    assert (
        description["TransformJobArn"]
        == arn
        == f"arn:aws:sagemaker:eu-west-1:123456789012:transform-job/{name}"
    )
    assert transforming.outputs(name) == {"a.csv.out": b"3.5\n7.5\n", "deep/er/b c.csv.out": b"11.5\n"}
    times = [description[key] for key in ("CreationTime", "TransformStartTime", "TransformEndTime")]
    assert times == sorted(times)
    assert "FailureReason" not in description
    assert description["ModelName"] == name
    assert "Container" not in description
    listed = transforming.sagemaker.list_transform_jobs(NameContains=name)["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in listed] == [name]
    assert "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in transforming.log(name)


def test_what_the_model_is_told(transforming: Transforming, name: str) -> None:
    code = (
        SUMS + "print(*sorted(f'{k}={v}' for k, v in os.environ.items() if k.startswith(('SAGE', 'MY_'))))\n"
    )
    environment = {"MY_MODEL": "m", "MY_BOTH": "model"}
    transforming.model(name, sums(code), PrimaryContainer={"Environment": environment})
    transforming.put(f"{name}/in/a.csv", b"1,2\n")
    job = transforming.run(
        name,
        Environment={"MY_BOTH": "job"},
        MaxPayloadInMB=2,
        MaxConcurrentTransforms=3,
        BatchStrategy="SingleRecord",
    )
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    told = "MY_BOTH=job MY_MODEL=m SAGEMAKER_BATCH=true SAGEMAKER_BATCH_STRATEGY=SINGLE_RECORD"
    told += " SAGEMAKER_MAX_CONCURRENT_TRANSFORMS=3 SAGEMAKER_MAX_PAYLOAD_IN_MB=2"
    assert told in transforming.log(name).splitlines()


@pytest.mark.parametrize(
    ("strategy", "calls"), [("SingleRecord", ["rows 1"] * 3), ("MultiRecord", ["rows 3"])]
)
def test_strategies(transforming: Transforming, name: str, strategy: str, calls: list[str]) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/a.csv", b"1\n2\n\n3")
    assert transforming.run(name, BatchStrategy=strategy)["TransformJobStatus"] == "Completed"
    assert [line for line in transforming.log(name).splitlines() if line.startswith("rows")] == calls
    assert transforming.outputs(name) == {"a.csv.out": b"1.5\n2.5\n3.5\n"}


def test_concurrent_requests_keep_the_order(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    for index in range(3):
        rows = "".join(f"{index},{row}\n" for row in range(200))
        transforming.put(f"{name}/in/{index}.csv", rows.encode())
    job = transforming.run(name, MaxConcurrentTransforms=8, BatchStrategy="SingleRecord")
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    for index in range(3):
        expected = "".join(f"{index + row + 0.5}\n" for row in range(200))
        assert transforming.outputs(name)[f"{index}.csv.out"].decode() == expected


def test_whole_and_compressed_objects(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/a.csv.gz", gzip.compress(b"1,2\n3,4\n"))
    job = transforming.run(name, TransformInput={"CompressionType": "Gzip", "SplitType": "None"})
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    assert transforming.outputs(name) == {"a.csv.gz.out": b"3.5\n7.5\n"}


def test_one_object_by_its_own_name(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/b.csv", b"7\n")
    uri = transforming.put(f"{name}/in/a.csv", b"1\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    assert transforming.run(name, TransformInput={"DataSource": source})["TransformJobStatus"] == "Completed"
    assert transforming.outputs(name) == {"a.csv.out": b"1.5\n"}


def test_a_manifest_lists_the_objects(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    for key in ("a.csv", "deep/b.csv", "c.csv"):
        transforming.put(f"{name}/data/{key}", b"1\n")
    content = [{"prefix": transforming.uri(f"{name}/data/")}, "a.csv", "deep/b.csv"]
    uri = transforming.put(f"{name}/list.manifest", json.dumps(content).encode())
    source = {"DataSource": {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": uri}}}
    assert transforming.run(name, TransformInput=source)["TransformJobStatus"] == "Completed"
    assert sorted(transforming.outputs(name)) == ["a.csv.out", "deep/b.csv.out"]


def test_results_joined_to_rows(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/a.csv", b'"id, 1",1,2\nid2,3,4\n')
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    job = transforming.run(name, DataProcessing=processing)
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    assert transforming.outputs(name) == {"a.csv.out": b'"id, 1",3.5\nid2,7.5\n'}


def test_a_bad_record_fails_its_object_and_the_job(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/bad.csv", b"1,2\n3,x\n4,5\n")
    transforming.put(f"{name}/in/good.csv", b"1,2\n")
    job = transforming.run(name, BatchStrategy="SingleRecord")
    assert job["TransformJobStatus"] == "Failed"
    where = f"{transforming.settings.bucket}/{name}/in/bad.csv"
    said = "Bad HTTP status received from algorithm: 500: could not convert string to float: 'x'"
    assert job["FailureReason"] == (
        f"AlgorithmError: See job logs for more information: {where}: {said} (1 of 2 objects failed)"
    )
    assert f"[sagemaker logs]: {where}: {said}" in transforming.log(name)
    assert "ValueError" in transforming.log(name)
    assert transforming.outputs(name) == {"good.csv.out": b"3.5\n"}


def test_a_record_larger_than_the_payload(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    transforming.put(f"{name}/in/a.csv", b"1\n" + b"0" * 1_100_000 + b"\n")
    job = transforming.run(name, MaxPayloadInMB=1)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: See job logs for more information: ")
    assert "Too much data for max payload size" in job["FailureReason"]
    assert transforming.outputs(name) == {}


def test_results_that_do_not_line_up(transforming: Transforming, name: str) -> None:
    code = SUMS + "\ndef predict_fn(rows, constant):\n    return [0.0]\n"
    transforming.model(name, sums(code))
    transforming.put(f"{name}/in/a.csv", b"1\n2\n")
    job = transforming.run(name, DataProcessing={"JoinSource": "Input"})
    assert "Fail to join data: mismatched line count between the input and the output" in job["FailureReason"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def predict_fn(rows, model): pass", "Please provide a model_fn implementation"),
        (SUMS.replace("constant.txt", "absent.txt"), "No such file or directory: '/opt/ml/model/absent.txt'"),
        ("import absent_package", "No module named 'absent_package'"),
        (SUMS + "\ndef transform_fn(*_): pass", "Cannot use transform_fn implementation in conjunction"),
    ],
    ids=["no model_fn", "model_fn fails", "import fails", "both contracts"],
)
def test_a_model_that_cannot_be_loaded(transforming: Transforming, name: str, code: str, reason: str) -> None:
    transforming.model(name, sums(code))
    transforming.put(f"{name}/in/a.csv", b"1\n")
    job = transforming.run(name)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert reason in job["FailureReason"], transforming.log(name)


def test_no_code_at_all(transforming: Transforming, name: str) -> None:
    transforming.model(name, archive({"constant.txt": "1"}))
    transforming.put(f"{name}/in/a.csv", b"1\n")
    reason = transforming.run(name)["FailureReason"]
    assert "no inference code: the scikit-learn image needs one" in reason
    assert "/opt/ml/model/code" in reason


def test_requirements_of_the_model(transforming: Transforming, name: str) -> None:
    files = {"constant.txt": "1", "code/inference.py": SUMS}
    for wanted, status in (("numpy\n", "Completed"), ("--no-index\nabsent-package==1\n", "Failed")):
        job = f"{name}-{status.lower()}"
        transforming.model(job, archive({**files, "code/requirements.txt": wanted}))
        transforming.put(f"{job}/in/a.csv", b"1\n")
        description = transforming.run(job)
        assert description["TransformJobStatus"] == status, transforming.log(job)
    assert "the job's requirements cannot be installed" in description["FailureReason"]
    assert "absent-package" in description["FailureReason"]


def test_a_server_that_dies(transforming: Transforming, name: str) -> None:
    code = SUMS + "\ndef predict_fn(rows, constant):\n    os._exit(3)\n"
    transforming.model(name, sums(code))
    transforming.put(f"{name}/in/a.csv", b"1\n")
    reason = transforming.run(name)["FailureReason"]
    assert "Unable to get response from algorithm: the model server ended, exit code 3" in reason


def test_a_model_that_never_loads(tmp_path: Path) -> None:
    """The limit is minutes; here it is less."""
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text("import time\ndef model_fn(folder):\n    time.sleep(300)\n")
    plan = tmp_path / PLAN
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({"request": {}, "objects": [], "kind": "pytorch", "isolated": False}))
    (tmp_path / "output").mkdir()
    script = "import sys; from local_sagemaker.serving.batch import job as it; it.LOADING_TIMEOUT = 0.5; "
    done = subprocess.run(
        [sys.executable, "-c", f"{script} sys.exit(it.main(sys.argv[1:]))", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("the model server did not answer GET /ping within ")


def test_an_invocation_that_takes_too_long(transforming: Transforming, name: str) -> None:
    code = SUMS + "\ndef predict_fn(rows, constant):\n    import time\n    time.sleep(60)\n"
    transforming.model(name, sums(code))
    transforming.put(f"{name}/in/a.csv", b"1\n")
    limits = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 1}
    reason = transforming.run(name, ModelClientConfig=limits)["FailureReason"]
    assert "no answer within InvocationsTimeoutInSeconds (1 s)" in reason


def test_missing_inputs_and_model_data(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums())
    job = transforming.run(name)
    assert job["FailureReason"] == (
        f"ClientError: Data download failed: no objects at {transforming.uri(f'{name}/in/')} (TransformInput)"
    )
    transforming.put(f"{name}/in/a.csv", b"1\n")
    transforming.s3.delete_object(Bucket=transforming.settings.bucket, Key=f"{name}/model.tar.gz")
    job = transforming.run(f"{name}-2", ModelName=name)
    assert "no objects at" in job["FailureReason"]
    assert "(model data)" in job["FailureReason"]
    transforming.put(f"{name}/model.tar.gz", b"no archive")
    job = transforming.run(f"{name}-3", ModelName=name)
    assert "is not a gzipped tar file" in job["FailureReason"]


def test_a_job_is_stopped(transforming: Transforming, name: str) -> None:
    code = (
        SUMS
        + "\ndef predict_fn(rows, constant):\n    import time\n    print('asleep')\n    time.sleep(600)\n"
    )
    transforming.model(name, sums(code))
    transforming.put(f"{name}/in/a.csv", b"1\n")
    transforming.start(name)
    deadline = time.monotonic() + 60
    log = transforming.settings.job_log(name)
    while not (log.exists() and "asleep" in log.read_text()):
        assert time.monotonic() < deadline, "the model is not asked"
        time.sleep(0.05)
    transforming.sagemaker.stop_transform_job(TransformJobName=name)
    assert transforming.wait(name)["TransformJobStatus"] == "Stopped"
    assert transforming.outputs(name) == {}
    message = refused(lambda: transforming.sagemaker.stop_transform_job(TransformJobName=name))
    assert "is in status Stopped" in message


@pytest.mark.skipif(not sandbox.detect().isolates, reason="needs a sandbox with a network of its own")
def test_without_network(transforming: Transforming, name: str) -> None:
    code = SUMS + (
        "\nimport socket\ntry:\n    socket.create_connection(('127.0.0.1',"
        f" {transforming.settings.aws_port}), 2)\nexcept OSError:\n    print('nothing there')\n"
    )
    transforming.model(name, sums(code), EnableNetworkIsolation=True)
    transforming.put(f"{name}/in/a.csv", b"1,2\n")
    job = transforming.run(name)
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    assert transforming.outputs(name) == {"a.csv.out": b"3.5\n"}
    assert "nothing there" in transforming.log(name).splitlines()


REQUESTS: list[tuple[dict[str, Any], str]] = [
    (
        {"ModelName": "absent"},
        "Could not find model 'arn:aws:sagemaker:eu-west-1:123456789012:model/absent'.",
    ),
    ({"TransformInput": {"SplitType": "RecordIO"}}, "TransformInput.SplitType 'RecordIO' is not supported"),
    ({"TransformInput": {"SplitType": "TFRecord"}}, "TransformInput.SplitType 'TFRecord' is not supported"),
    ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/c"}}, "DataCaptureConfig is not supported"),
    ({"TransformOutput": {"S3OutputPath": "https://b/c"}}, "use an s3:// URI"),
    ({"MaxPayloadInMB": 101}, "MaxPayloadInMB 101 must not exceed 100"),
    ({"MaxPayloadInMB": 20, "MaxConcurrentTransforms": 6}, "must not exceed 100 MB; it is 120 MB"),
    ({"DataProcessing": {"InputFilter": "$.a"}}, "only positions such as $[0] and $[1:] can be applied"),
    ({"DataProcessing": {"OutputFilter": "$[0:2,4:]"}}, "Format [0:2,4:] is not supported"),
    ({"DataProcessing": {"OutputFilter": "$[?(@.a)]"}}, "'[?(@.a)]' is not supported"),
    (
        {"DataProcessing": {"JoinSource": "Input"}, "TransformOutput": {"AssembleWith": "None"}},
        "CSV needs TransformOutput.AssembleWith Line",
    ),
    (
        {"DataProcessing": {"InputFilter": "$[1:]"}, "TransformOutput": {"AssembleWith": "None"}},
        "CSV needs TransformOutput.AssembleWith Line",
    ),
    (
        {"DataProcessing": {"InputFilter": "$[1:]"}, "TransformInput": {"SplitType": "None"}},
        "CSV needs TransformInput.SplitType Line",
    ),
    (
        {"DataProcessing": {"JoinSource": "Input"}, "TransformOutput": {"Accept": "application/json"}},
        "JoinSource Input needs the same TransformInput.ContentType and TransformOutput.Accept",
    ),
    (
        {
            "DataProcessing": {"JoinSource": "Input"},
            "TransformInput": {"ContentType": "application/json"},
            "TransformOutput": {"Accept": "application/json", "AssembleWith": "None"},
        },
        "JoinSource Input needs the same TransformInput.SplitType and TransformOutput.AssembleWith",
    ),
    (
        {"DataProcessing": {"OutputFilter": "$[0]"}, "TransformOutput": {"Accept": "application/json"}},
        "TransformInput.ContentType and TransformOutput.Accept must both be CSV or both JSON",
    ),
    (
        {"DataProcessing": {"InputFilter": "$[0]"}, "TransformOutput": {"Accept": "image/png"}},
        "TransformOutput.Accept must be one of text/csv, application/json, application/jsonlines",
    ),
    (
        {"DataProcessing": {"JoinSource": "Input"}, "TransformInput": {"ContentType": "image/png"}},
        "TransformInput.ContentType must be one of text/csv, application/json, application/jsonlines",
    ),
]


@pytest.mark.parametrize(("request_", "message"), REQUESTS, ids=[message[:30] for _, message in REQUESTS])
def test_what_is_refused(
    transforming: Transforming, name: str, request_: dict[str, Any], message: str
) -> None:
    transforming.model(name, sums())
    assert message in refused(lambda: transforming.start(name, **request_))


def test_an_image_that_is_not_emulated(transforming: Transforming, name: str) -> None:
    image = f"{REGISTRY}/my-own-model:7"
    transforming.model(name, sums(), image)
    message = refused(lambda: transforming.start(name))
    assert message.startswith(
        f"the image {image} of model {name} is not run by local-sagemaker; it emulates: "
    )
    assert "sagemaker-scikit-learn" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "box", [sandbox.Bubblewrap(), sandbox.UtilLinux(), sandbox.Rewriting()], ids=lambda b: b.name
)
@pytest.mark.parametrize("isolated", [False, True])
def test_every_sandbox(
    transforming: Transforming,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    box: sandbox.Sandbox,
    isolated: bool,
) -> None:
    if box.isolates and not sandbox.works(box):
        pytest.skip(f"{box.name} is not installed here, or may not make namespaces")
    monkeypatch.setattr(sandbox, "detect", lambda: box)
    settings = beside(transforming.settings, tmp_path / "a {root}")
    store = Store(settings.database)
    data = transforming.put(f"{name}/model.tar.gz", sums())
    source = transforming.put(f"{name}/in/a.csv", b"1,2\n")
    container = {"Image": SKLEARN, "ModelDataUrl": data}
    Models(settings, store, Tags(store)).create(
        {"ModelName": name, "PrimaryContainer": container, "EnableNetworkIsolation": isolated}
    )
    jobs = Jobs(settings, store)
    request = {
        "TransformJobName": name,
        "ModelName": name,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": "text/csv",
        },
        "TransformOutput": {"S3OutputPath": transforming.uri(f"{name}/out")},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    jobs.create("transform-job", request)
    job = jobs.wait("transform-job", name)
    assert job["TransformJobStatus"] == "Completed", settings.job_log(name).read_text()
    assert transforming.outputs(name) == {"a.csv.out": b"3.5\n"}
    jobs.close()
    store.close()
