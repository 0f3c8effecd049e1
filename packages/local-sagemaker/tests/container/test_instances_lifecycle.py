"""How jobs of several instances end, and the ways into the sandbox that they have."""

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters_to_run import TALK, put_program, resources, train
from jobs_to_run import ROLE, Training, beside, channel

from local_sagemaker.container import sandbox
from local_sagemaker.core import ports
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Store
from local_sagemaker.jobs import course
from local_sagemaker.jobs.registry import Jobs

KIND = "training-job"


@pytest.fixture
def training(local: Settings, sagemaker: Any, s3: Any) -> Training:
    return Training(local, sagemaker, s3)


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


def request(settings: Settings, name: str, *words: str, **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "ContainerEntrypoint": list(words)},
        "OutputDataConfig": {"S3OutputPath": f"s3://{settings.bucket}/models"},
        "ResourceConfig": resources(2),
        **more,
    }


def wait_for(settings: Settings, name: str, text: str, times: int = 1) -> None:
    log = settings.job_log(name)
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().count(text) >= times):
        assert time.monotonic() < deadline, f"{name} does not print {text}"
        time.sleep(0.01)


def test_one_that_fails_ends_all(training: Training, name: str, tmp_path: Path) -> None:
    script = """
        import json, os, pathlib, signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by the other one"))
        config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
        rank = config["hosts"].index(config["current_host"]) + 1
        open(f"/opt/ml/checkpoints/{rank}", "w").write("state")
        ready = pathlib.Path(os.environ["READY"])
        if rank == 1:
            ready.touch()
            time.sleep(300)
        while not ready.exists():
            time.sleep(0.01)
        sys.exit("out of luck")
    """
    state = {"S3Uri": training.uri(f"{name}/checkpoints")}
    ready = {"READY": str(tmp_path / "ready")}
    job = train(training, name, script, CheckpointConfig=state, Environment=ready)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: out of luck, exit code: 1"
    assert "algo-1 | ended by the other one\n" in training.log(name)
    assert training.keys(f"{name}/checkpoints/") == ["1", "2"]
    folder = training.settings.jobs / name
    assert (folder / "algo-2" / "ml" / "checkpoints" / "2").exists()
    assert not (folder / "algo-2" / "ml" / "env").exists()


def test_one_that_is_done_early_waits_for_the_others(training: Training, name: str) -> None:
    script = """
        import json, time
        config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
        if config["current_host"] == config["hosts"][1]:
            time.sleep(1)
            open("/opt/ml/model/late", "w").write("x")
    """
    job = train(training, name, script)
    assert job["TrainingJobStatus"] == "Completed", training.log(name)
    assert training.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"late": b"x"}
    assert sorted(entry.name for entry in (training.settings.jobs / name).iterdir()) == [
        "log.txt",
        "request.json",
    ]


def test_stop_reaches_all(training: Training, name: str) -> None:
    script = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    training.start(name, script, ResourceConfig=resources(3))
    wait_for(training.settings, name, "ready", times=3)
    training.sagemaker.stop_training_job(TrainingJobName=name)
    job = training.wait(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert "FailureReason" not in job
    assert training.log(name).count("| told\n") == 3


def test_the_deaf_are_killed_when_another_one_fails(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "FAILURE_GRACE", 0.3)
    script = (
        "trap '' TERM; touch /opt/ml/ready; grep -q 'current_host.*1\", \"current_instance'"
        " /opt/ml/input/config/resourceconfig.json || exit 7; while :; do sleep 0.05; done"
    )
    jobs.create(KIND, request(settings, "deaf", "/bin/sh", "-c", script))
    job = jobs.wait(KIND, "deaf")
    assert job["FailureReason"] == "AlgorithmError: the job printed nothing, exit code: 7"


@pytest.mark.parametrize(
    "box", [sandbox.Bubblewrap(), sandbox.UtilLinux(), sandbox.Rewriting()], ids=lambda b: b.name
)
def test_instances_talk_in_every_sandbox(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch, box: sandbox.Sandbox, s3: Any, name: str
) -> None:
    if box.isolates and not sandbox.works(box):
        pytest.skip(f"{box.name} is not installed here, or may not make namespaces")
    if not box.isolates and sys.platform != "linux":
        pytest.skip("this system has one loopback address only")
    monkeypatch.setattr(sandbox, "detect", lambda: box)
    inputs = [channel("code", put_program(settings, s3, name, TALK))]
    words = ["python3", "/opt/ml/input/data/code/run.py"]
    jobs.create(KIND, request(settings, name, *words, InputDataConfig=inputs))
    job = jobs.wait(KIND, name)
    log = settings.job_log(name).read_text()
    assert job["TrainingJobStatus"] == "Completed", log
    assert ("rewritten paths" in log) == (not box.isolates)


def test_recover_ends_all_instances_that_a_killed_server_left(settings: Settings) -> None:
    """Where there are no namespaces: elsewhere they end with the server."""
    asked = request(settings, "left", "/bin/sh", "-c", "touch /opt/ml/ready; sleep 300")
    program = f"""
        import sys, time
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        from local_sagemaker.container import sandbox
        from local_sagemaker.jobs.registry import Jobs
        from local_sagemaker.core.settings import Settings
        from local_sagemaker.core.store import Store
        sandbox.detect = lambda: sandbox.Rewriting()
        settings = Settings(Path({str(settings.root)!r}), "eu-west-1", {settings.account!r}, "bucket", 1, 2)
        Jobs(settings, Store(settings.database)).create("training-job", {asked!r})
        time.sleep(300)
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    folders = [settings.jobs / "left" / host for host in ("algo-1", "algo-2")]
    deadline = time.monotonic() + 30
    needed = [folder / name for folder in folders for name in ("ml/ready", "process.json")]
    while not all(path.exists() for path in needed):
        assert time.monotonic() < deadline, "the instances do not start"
        time.sleep(0.01)
    records = [json.loads((folder / "process.json").read_text()) for folder in folders]
    server.kill()
    server.wait()
    store = Store(settings.database)
    jobs = Jobs(settings, store)
    jobs.recover()
    assert jobs.describe(KIND, "left")["TrainingJobStatus"] == "Failed"
    store.close()
    for record in records:
        assert not Path(record["link"]).parent.exists()
        while record["link"] in " ".join(ports.command(record["pid"])):
            assert time.monotonic() < deadline, "an instance is still there"
            time.sleep(0.01)
    assert not any((folder / "process.json").exists() for folder in folders)
