"""`Jobs` itself, without the API around it: restarts, shutdown, machines without namespaces."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jobs_to_run import ROLE, beside

from local_sagemaker.container import sandbox
from local_sagemaker.core.errors import LimitExceeded, ValidationError
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Document, Store
from local_sagemaker.definition import retrying
from local_sagemaker.jobs import course, metrics, registry
from local_sagemaker.jobs.registry import Jobs

KIND = "processing-job"


def make_request(settings: Settings, name: str, *words: str, **more: Any) -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": list(words)},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        **more,
    }


@pytest.fixture
def settings(local: Settings, tmp_path: Path) -> Settings:
    """A root of its own beside the running services."""
    return beside(local, tmp_path / "a {root}")


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    store = Store(settings.database)
    jobs = Jobs(settings, store)
    yield jobs
    jobs.close()
    store.close()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)


def test_create_returns_before_the_job_ends(jobs: Jobs, settings: Settings) -> None:
    arn = jobs.create(KIND, make_request(settings, "a", "sleep", "1"), [{"Key": "k", "Value": "v"}])
    assert arn == f"arn:aws:sagemaker:eu-west-1:{settings.account}:processing-job/a"
    assert jobs.describe(KIND, "a")["ProcessingJobStatus"] == "InProgress"
    assert jobs.wait(KIND, "a")["ProcessingJobStatus"] == "Completed"
    assert jobs.wait(KIND, "a") == jobs.describe(KIND, "a")


def test_list_is_oldest_first(jobs: Jobs, settings: Settings) -> None:
    for name in ("b", "a", "c"):
        jobs.create(KIND, make_request(settings, name, "true"))
    assert [job["ProcessingJobName"] for job in jobs.list(KIND)] == ["b", "a", "c"]
    assert jobs.list("training-job") == []


@pytest.mark.parametrize("action", ["describe", "wait", "stop"])
def test_an_unknown_job_is_named(jobs: Jobs, action: str) -> None:
    with pytest.raises(ValidationError, match="Could not find requested job with name: nobody"):
        getattr(jobs, action)(KIND, "nobody")


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".", "", "x" * 64])
def test_a_name_that_is_a_path_is_refused(jobs: Jobs, settings: Settings, name: str) -> None:
    with pytest.raises(ValidationError):
        jobs.create(KIND, make_request(settings, name, "true"))


def test_close_ends_running_jobs_and_says_so(jobs: Jobs, settings: Settings) -> None:
    jobs.create(KIND, make_request(settings, "long", "/bin/sh", "-c", "touch /opt/ml/ready; sleep 300"))
    wait_for(settings.jobs / "long" / "ml" / "ready")
    jobs.close()
    job = jobs.describe(KIND, "long")
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError: the local services were stopped")
    with pytest.raises(ValidationError, match="are stopping"):
        jobs.create(KIND, make_request(settings, "late", "true"))


def test_stop_kills_what_does_not_listen(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "STOP_GRACE", 0.3)
    script = "trap '' TERM; touch /opt/ml/ready; while :; do sleep 0.05; done"
    jobs.create(KIND, make_request(settings, "deaf", "/bin/sh", "-c", script))
    wait_for(settings.jobs / "deaf" / "ml" / "ready")
    jobs.stop(KIND, "deaf")
    assert jobs.describe(KIND, "deaf")["ProcessingJobStatus"] in ("Stopping", "Stopped")
    assert jobs.wait(KIND, "deaf")["ProcessingJobStatus"] == "Stopped"


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_stop_is_heard_at_any_moment_of_the_start(jobs: Jobs, settings: Settings, pause: float) -> None:
    jobs.create(KIND, make_request(settings, "early", "sleep", "300"))
    time.sleep(pause)
    jobs.stop(KIND, "early")
    assert jobs.wait(KIND, "early")["ProcessingJobStatus"] == "Stopped"


def test_a_limit_beyond_what_a_clock_can_wait(jobs: Jobs, settings: Settings) -> None:
    limit = {"MaxRuntimeInSeconds": 10**400}
    jobs.create(KIND, make_request(settings, "endless", "true", StoppingCondition=limit))
    assert jobs.wait(KIND, "endless")["ProcessingJobStatus"] == "Completed"


def test_a_word_that_no_process_can_get_is_named(jobs: Jobs, settings: Settings) -> None:
    jobs.create(KIND, make_request(settings, "nul", "echo", "a\0b"))
    reason = jobs.wait(KIND, "nul")["FailureReason"]
    assert reason == "ClientError: the job cannot be started: embedded null byte"


def test_a_metric_that_takes_for_ever_holds_up_nothing(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "PATIENCE", 1.0)
    words = ["/bin/sh", "-c", f"echo {'a' * 60}!"]
    definitions = [{"Name": "slow", "Regex": "(a+)+$"}]
    specification = {"TrainingInputMode": "File", "ContainerEntrypoint": words}
    request = {
        "TrainingJobName": "slow",
        "RoleArn": ROLE,
        "AlgorithmSpecification": specification | {"MetricDefinitions": definitions},
        "OutputDataConfig": {"S3OutputPath": f"s3://{settings.bucket}/slow"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
    }
    jobs.create("training-job", request)
    assert jobs.wait("training-job", "slow")["TrainingJobStatus"] == "Completed"
    assert "a Regex takes longer than 1 s" in settings.job_log("slow").read_text()


def test_stop_is_told_once(jobs: Jobs, settings: Settings) -> None:
    """What a job starts while it ends itself, to save its state, is not interrupted."""
    script = """
        trap 'echo told; sleep 0.5; echo saved; exit 0' TERM
        touch /opt/ml/ready
        while :; do sleep 0.05; done
    """
    jobs.create(KIND, make_request(settings, "saves", "/bin/sh", "-c", textwrap.dedent(script)))
    wait_for(settings.jobs / "saves" / "ml" / "ready")
    jobs.stop(KIND, "saves")
    assert jobs.wait(KIND, "saves")["ProcessingJobStatus"] == "Stopped"
    said = settings.job_log("saves").read_text().split()
    assert said.count("told") == said.count("saved") == 1


def test_a_folder_that_cannot_be_made_fails_the_job(jobs: Jobs, settings: Settings) -> None:
    (settings.jobs / "blocked").write_text("a file where the job's folder goes")
    jobs.create(KIND, make_request(settings, "blocked", "true"))
    job = jobs.wait(KIND, "blocked")
    assert job["ProcessingJobStatus"] == "Failed"
    assert "jobs/blocked" in job["FailureReason"]


def test_a_folder_that_is_replaced_while_the_job_runs_fails_it(jobs: Jobs, settings: Settings) -> None:
    jobs.create(KIND, make_request(settings, "moved", "/bin/sh", "-c", "touch /opt/ml/ready; sleep 300"))
    folder = settings.jobs / "moved"
    wait_for(folder / "ml" / "ready")
    folder.rename(settings.root / "elsewhere")
    folder.write_text("no folder any more")
    jobs.stop(KIND, "moved")
    assert jobs.wait(KIND, "moved")["ProcessingJobStatus"] in ("Failed", "Stopped")


def test_a_full_disk_under_the_log_does_not_block_the_job(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job prints far more than a pipe holds; its log is on a device that is always full."""
    monkeypatch.setattr(Settings, "job_log", lambda *_: Path("/dev/full"))
    script = "i=0; while [ $i -lt 5000 ]; do echo a line that is long enough to fill a pipe; i=$((i+1)); done"
    jobs.create(KIND, make_request(settings, "loud", "/bin/sh", "-c", script))
    assert jobs.wait(KIND, "loud")["ProcessingJobStatus"] == "Completed"


def test_a_log_that_cannot_be_sent_does_not_change_the_outcome(
    local: Settings, settings: Settings, tmp_path: Path
) -> None:
    """Nothing listens on the port of the AWS services."""
    deaf = beside(local, tmp_path / "deaf", aws_port=9)
    store = Store(deaf.database)
    jobs = Jobs(deaf, store)
    jobs.create(KIND, make_request(deaf, "alone", "echo", "hello"))
    assert jobs.wait(KIND, "alone")["ProcessingJobStatus"] == "Completed"
    store.close()


def test_recover_survives_what_others_left_in_the_folders(settings: Settings) -> None:
    store = Store(settings.database)
    for name in ("file", "garbage"):
        store.create(KIND, name, {"ProcessingJobName": name, "ProcessingJobStatus": "InProgress"})
    (settings.jobs / "file").write_text("no folder")
    (settings.jobs / "garbage").mkdir()
    (settings.jobs / "garbage" / "process.json").write_text("[]")
    jobs = Jobs(settings, store)
    jobs.recover()
    assert [job["ProcessingJobStatus"] for job in jobs.list(KIND)] == ["Failed", "Failed"]
    store.close()


@pytest.mark.parametrize(
    "box", [sandbox.Bubblewrap(), sandbox.UtilLinux(), sandbox.Rewriting()], ids=lambda b: b.name
)
def test_every_sandbox_runs_drivers_in_a_folder_with_blanks(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch, box: sandbox.Sandbox, s3: Any, name: str
) -> None:
    if box.isolates and not sandbox.works(box):
        pytest.skip(f"{box.name} is not installed here, or may not make namespaces")
    monkeypatch.setattr(sandbox, "detect", lambda: box)
    driver = """
        set -e
        cd /opt/ml/processing/input/code/
        PYTHON=$(command -v python3)
        $PYTHON -m pip install -r requirements.txt
        $PYTHON main.py "$@"
    """
    main = "import pathlib, sys; pathlib.Path(sys.argv[1], 'made').write_text(' '.join(sys.argv[1:]))"
    for key, body in (
        ("entrypoint/run.sh", textwrap.dedent(driver)),
        ("code/main.py", main),
        ("code/requirements.txt", "boto3\n"),
    ):
        s3.put_object(Bucket=settings.bucket, Key=f"{name}/{key}", Body=body.encode())
    inputs = [
        {
            "InputName": part,
            "S3Input": {
                "S3Uri": f"s3://{settings.bucket}/{name}/{part}",
                "LocalPath": f"/opt/ml/processing/input/{part}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        for part in ("code", "entrypoint")
    ]
    output = {"S3Uri": f"s3://{settings.bucket}/{name}/out", "LocalPath": "/opt/ml/processing/output"}
    request = make_request(
        settings,
        name,
        *(
            "/bin/bash",
            "/opt/ml/processing/input/entrypoint/run.sh",
            "/opt/ml/processing/output",
            "two words",
        ),
        ProcessingInputs=inputs,
        ProcessingOutputConfig={
            "Outputs": [{"OutputName": "out", "S3Output": output | {"S3UploadMode": "EndOfJob"}}]
        },
    )
    jobs.create(KIND, request)
    log = settings.job_log(name)
    assert jobs.wait(KIND, name)["ProcessingJobStatus"] == "Completed", log.read_text()
    made = s3.get_object(Bucket=settings.bucket, Key=f"{name}/out/made")["Body"].read().decode()
    assert made.endswith("/processing/output two words")
    assert ("rewritten paths" in log.read_text()) == (not box.isolates)


def test_a_requirement_that_does_not_exist_is_named(
    jobs: Jobs, settings: Settings, s3: Any, name: str
) -> None:
    wanted = "--no-index\nno-such-package-at-all==1.0\n"
    s3.put_object(Bucket=settings.bucket, Key=f"{name}/requirements.txt", Body=wanted.encode())
    script = "python3 install_requirements.py requirements.txt"
    s3.put_object(Bucket=settings.bucket, Key=f"{name}/run.sh", Body=script.encode())
    folder = "/opt/ml/processing/input/code"
    source = {
        "S3Uri": f"s3://{settings.bucket}/{name}/",
        "LocalPath": folder,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    inputs = [{"InputName": "code", "S3Input": source}]
    jobs.create(KIND, make_request(settings, name, "/bin/sh", f"{folder}/run.sh", ProcessingInputs=inputs))
    reason = jobs.wait(KIND, name)["FailureReason"]
    assert reason.startswith("ClientError: the job's requirements cannot be installed: ")
    assert "no-such-package-at-all==1.0" in reason


def test_recover_ends_what_a_killed_server_left_without_namespaces(settings: Settings) -> None:
    """The one case in which a process survives its server."""
    request = make_request(settings, "left", "/bin/sh", "-c", "touch /opt/ml/ready; sleep 300")
    program = f"""
        import sys, time
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        from local_sagemaker.container import sandbox
        from local_sagemaker.jobs.registry import Jobs
        from local_sagemaker.core.settings import Settings
        from local_sagemaker.core.store import Document, Store
        sandbox.detect = lambda: sandbox.Rewriting()
        settings = Settings(Path({str(settings.root)!r}), "eu-west-1", {settings.account!r}, "bucket", 1, 2)
        Jobs(settings, Store(settings.database)).create("processing-job", {request!r})
        time.sleep(300)
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    wait_for(settings.jobs / "left" / "ml" / "ready")
    wait_for(settings.jobs / "left" / "process.json")
    record = json.loads((settings.jobs / "left" / "process.json").read_text())
    server.kill()
    server.wait()
    os.kill(record["pid"], 0)

    store = Store(settings.database)
    jobs = Jobs(settings, store)
    assert jobs.describe(KIND, "left")["ProcessingJobStatus"] == "InProgress"
    jobs.recover()
    job = jobs.describe(KIND, "left")
    store.close()
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].endswith("were stopped while the job ran; run again")
    assert not Path(record["link"]).parent.exists()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{record['pid']}/cmdline").exists() and time.monotonic() < deadline:
        if not Path(f"/proc/{record['pid']}/cmdline").read_bytes():
            break  # ended; whoever adopted it has not noticed yet
        time.sleep(0.01)
    else:
        assert not Path(f"/proc/{record['pid']}").exists()


def test_a_defect_is_not_tried_again(jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine does may pass; what is wrong with us does not."""

    def broken(_: object) -> None:
        raise TypeError("of ours")

    monkeypatch.setattr(course.JobRun, "run", broken)
    jobs.create(KIND, make_request(settings, "odd", "true"))
    reason = jobs.wait(KIND, "odd")["FailureReason"]
    assert reason == "LocalServiceError: TypeError: of ours"
    assert retrying.kind_of(reason) is None
    assert retrying.kind_of(retrying.reason_of(OSError("no space"))) == retrying.INTERNAL_ERROR


@pytest.mark.parametrize(("status", "kind"), [(403, None), (404, None), (503, retrying.INTERNAL_ERROR)])
def test_what_a_service_refuses_for_good_is_not_tried_again(status: int, kind: str | None) -> None:
    said = {"Error": {"Code": "NoSuchKey", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    reason = retrying.reason_of(ClientError(said, "GetObject"))  # type: ignore[arg-type]
    assert retrying.kind_of(reason) == kind
    assert "NoSuchKey" in reason


def test_a_job_whose_thread_cannot_start_is_not_there(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(LimitExceeded, match="a was not started: can't start new thread"):
            jobs.create(KIND, make_request(settings, "a", "true"), [{"Key": "k", "Value": "v"}])
    assert jobs.list(KIND) == []
    jobs.create(KIND, make_request(settings, "a", "true"))
    assert jobs.wait(KIND, "a")["ProcessingJobStatus"] == "Completed"


def test_a_job_whose_process_cannot_be_read_fails(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def start_only_the_job(thread: threading.Thread) -> None:
        if thread.name != "a":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_only_the_job)
    jobs.create(KIND, make_request(settings, "a", "sleep", "300"))
    job = jobs.wait(KIND, "a")
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "InternalServerError: the job was not started: can't start new thread"


def test_the_end_of_a_job_is_noted_when_the_database_can_be_written_again(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, refused = Store.update, []

    def refuse_the_end(store: Store, kind: str, name: str, change: Callable[[Document], None]) -> Document:
        def checked(body: Document) -> None:
            change(body)
            if body["ProcessingJobStatus"] == "Completed" and len(refused) < 2:
                refused.append(name)
                raise sqlite3.OperationalError("database or disk is full")

        return update(store, kind, name, checked)

    monkeypatch.setattr(Store, "update", refuse_the_end)
    jobs.create(KIND, make_request(settings, "a", "true"))
    assert jobs.wait(KIND, "a")["ProcessingJobStatus"] == "Completed"
    assert refused == ["a", "a"]
