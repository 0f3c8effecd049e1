"""The daemons: started, stopped, killed, and in each other's way."""

import dataclasses
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from soak import soak

from local_sagemaker.core import ports
from local_sagemaker.core.errors import LocalError, PortsInUse
from local_sagemaker.core.root import MARKER, prepare
from local_sagemaker.core.settings import HOST, Settings
from local_sagemaker.daemon import programs, stack
from local_sagemaker.testing import make_settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a stack that is not running, in a place with blanks and braces."""
    settings = make_settings(tmp_path / "my {odd} project" / ".local")
    yield settings
    stack.down(settings)


def pids(settings: Settings) -> dict[str, int]:
    return {service["name"]: service["pid"] for service in stack.status(settings)["services"]}


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not happen within 30 s"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    return "local_sagemaker" not in ports.command(pid)


def put(settings: Settings, key: str) -> None:
    settings.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=b"kept")


def get(settings: Settings, key: str) -> bytes:
    body: bytes = settings.client("s3").get_object(Bucket=settings.bucket, Key=key)["Body"].read()
    return body


def make_group(settings: Settings) -> None:
    settings.client("sagemaker").create_model_package_group(ModelPackageGroupName="kept")


def groups(settings: Settings) -> list[str]:
    answer = settings.client("sagemaker").list_model_package_groups()
    return [group["ModelPackageGroupName"] for group in answer["ModelPackageGroupSummaryList"]]


def start_job(settings: Settings, name: str, script: str) -> None:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    settings.client("sagemaker").create_processing_job(
        ProcessingJobName=name,
        RoleArn=f"arn:aws:iam::{settings.account}:role/x",
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["/bin/sh", "-c", script]},
        ProcessingResources={"ClusterConfig": cluster},
    )


def test_up_is_ready_to_be_used_and_down_keeps_everything(settings: Settings) -> None:
    said: list[str] = []
    stack.up(settings, said.append)
    assert said
    status = stack.status(settings)
    assert status["running"] is True
    assert status["root"] == str(settings.root)
    assert [service["healthy"] for service in status["services"]] == [True, True]
    put(settings, "a/b {c}.txt")
    make_group(settings)
    settings.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    assert settings.client("sts").get_caller_identity()["Account"] == settings.account

    assert stack.down(settings) is True
    assert stack.status(settings)["running"] is False
    assert stack.down(settings) is False

    stack.up(settings)
    assert get(settings, "a/b {c}.txt") == b"kept"
    assert groups(settings) == ["kept"]
    assert settings.client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"


def test_up_again_changes_nothing(settings: Settings) -> None:
    stack.up(settings)
    before = pids(settings)
    said: list[str] = []
    stack.up(settings, said.append)
    assert pids(settings) == before
    assert said == []


def test_two_at_once_start_one(settings: Settings) -> None:
    errors: list[BaseException] = []

    def up() -> None:
        try:
            stack.up(settings)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert stack.status(settings)["running"]


def test_down_ends_running_jobs_in_order(settings: Settings) -> None:
    stack.up(settings)
    script = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    start_job(settings, "running", script)
    log = settings.job_log("running")
    wait_until(lambda: log.exists() and "ready" in log.read_text())
    stack.down(settings)
    assert "told" in log.read_text()
    stack.up(settings)
    job = settings.client("sagemaker").describe_processing_job(ProcessingJobName="running")
    assert job["ProcessingJobStatus"] == "Failed"
    assert "the local services were stopped" in job["FailureReason"]


def test_a_lambda_function_reaches_both_services(settings: Settings) -> None:
    stack.up(settings)
    make_group(settings)
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    groups = boto3.client('sagemaker').list_model_package_groups()['ModelPackageGroupSummaryList']\n"
        "    buckets = boto3.client('s3').list_buckets()['Buckets']\n"
        "    return [groups[0]['ModelPackageGroupName'], buckets[0]['Name']]\n"
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("code.py", source)
    functions = settings.client("lambda")
    functions.create_function(
        FunctionName="looks",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{settings.account}:role/x",
        Handler="code.handler",
        Timeout=60,
        Code={"ZipFile": content.getvalue()},
    )
    answer = functions.invoke(FunctionName="looks", Payload=b"{}")
    assert json.load(answer["Payload"]) == ["kept", settings.bucket]


def test_other_settings_start_it_anew(settings: Settings) -> None:
    stack.up(settings)
    put(settings, "kept")
    before = pids(settings)["sagemaker"]
    other = dataclasses.replace(settings, bucket="another-bucket")
    stack.up(other)
    assert pids(other)["sagemaker"] != before
    put(other, "new")
    assert get(settings, "kept") == b"kept"


def test_it_listens_to_this_machine_only(settings: Settings) -> None:
    stack.up(settings)
    for port in (settings.sagemaker_port, settings.aws_port):
        wanted = f":{port:04X}"
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        addresses = [
            fields[1] for fields in map(str.split, table) if fields[3] == "0A" and fields[1].endswith(wanted)
        ]
        assert addresses == [f"0100007F:{port:04X}"]


@soak
def test_everything_killed_comes_back_clean(settings: Settings, draw: random.Random) -> None:
    stack.up(settings)
    put(settings, "kept")
    make_group(settings)
    start_job(settings, "cut-off", "sleep 300")
    wait_until(lambda: (settings.jobs / "cut-off" / "process.json").exists())
    job = json.loads((settings.jobs / "cut-off" / "process.json").read_text())["pid"]
    time.sleep(draw.random())
    both = list(pids(settings).values())
    for pid in draw.sample(both, len(both)):
        os.kill(pid, signal.SIGKILL)
        time.sleep(draw.choice([0, draw.random() / 4]))
    wait_until(lambda: ports.command(job) == [])

    stack.up(settings)
    assert get(settings, "kept") == b"kept"
    assert groups(settings) == ["kept"]
    description = settings.client("sagemaker").describe_processing_job(ProcessingJobName="cut-off")
    assert description["ProcessingJobStatus"] == "Failed"
    assert "the local services were stopped while the job ran; run again" in description["FailureReason"]


@soak
def test_aws_services_end_with_a_killed_server_and_keep_their_state(
    settings: Settings, draw: random.Random
) -> None:
    stack.up(settings)
    settings.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    both = pids(settings)
    time.sleep(draw.random())
    os.kill(both["sagemaker"], signal.SIGKILL)
    wait_until(lambda: is_gone(both["aws"]))
    stack.up(settings)
    assert settings.client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"


@soak
def test_killed_aws_services_are_started_again(settings: Settings, draw: random.Random) -> None:
    stack.up(settings)
    put(settings, "kept")
    before = pids(settings)
    time.sleep(draw.random())
    os.kill(before["aws"], signal.SIGKILL)
    wait_until(
        lambda: pids(settings)["aws"] not in (None, before["aws"]) and stack.status(settings)["running"]
    )
    assert pids(settings)["sagemaker"] == before["sagemaker"]
    assert get(settings, "kept") == b"kept"


@soak
def test_up_while_the_aws_services_are_started_again_ends_nothing(
    settings: Settings, draw: random.Random
) -> None:
    stack.up(settings)
    start_job(settings, "at-work", "sleep 300")
    before = pids(settings)
    os.kill(before["aws"], signal.SIGKILL)
    time.sleep(draw.random() / 2)
    said: list[str] = []
    if draw.random() < 0.5:
        stack.up(settings, said.append)
    assert programs.environment(settings)["AWS_ENDPOINT_URL"] == settings.aws_url
    stack.up(settings, said.append)
    assert said == []
    assert pids(settings)["sagemaker"] == before["sagemaker"]
    job = settings.client("sagemaker").describe_processing_job(ProcessingJobName="at-work")
    assert job["ProcessingJobStatus"] == "InProgress"
    put(settings, "works")


def test_a_second_server_of_a_folder_is_refused(settings: Settings) -> None:
    stack.up(settings)
    record = (settings.root / "services.json").read_bytes()
    words = ports.command(pids(settings)["sagemaker"])
    done = subprocess.run(words, input="{}", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"{settings.root} is in use by another server of local-sagemaker: stop that one first\n"
    )
    assert (settings.root / "services.json").read_bytes() == record
    assert stack.status(settings)["running"]


def test_they_end_when_their_folder_is_removed_and_do_not_bring_it_back(settings: Settings) -> None:
    stack.up(settings)
    both = pids(settings)
    shutil.rmtree(settings.root)
    wait_until(lambda: is_gone(both["sagemaker"]) and is_gone(both["aws"]))
    assert not settings.root.exists()


def test_a_record_of_processes_that_are_others_now_is_not_believed(settings: Settings) -> None:
    prepare(settings)
    with subprocess.Popen(["sleep", "300"]) as other:
        (settings.root / "services.json").write_text(json.dumps({"sagemaker": other.pid, "aws": os.getpid()}))
        assert stack.down(settings) is False
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("key", ["sagemaker_port", "aws_port"])
def test_a_port_of_another_program_is_named(settings: Settings, key: str) -> None:
    with socket.create_server((HOST, getattr(settings, key))) as server:
        with pytest.raises(LocalError) as caught:
            stack.up(settings)
        port = server.getsockname()[1]
    message = str(caught.value)
    assert message.startswith(f"port {port} is in use by another program (pid {os.getpid()}")
    assert message.endswith(f"stop it, or set the variable LOCAL_{key.upper()}")
    assert "\n" not in message


def test_all_ports_in_use_are_named_at_once(settings: Settings) -> None:
    taken = [(HOST, port) for port in (settings.sagemaker_port, settings.aws_port)]
    with (
        socket.create_server(taken[0]),
        socket.create_server(taken[1]),
        pytest.raises(PortsInUse) as caught,
    ):
        stack.up(settings)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"port {settings.sagemaker_port} is in use")
    assert "LOCAL_SAGEMAKER_PORT" in first
    assert second.startswith(f"port {settings.aws_port} is in use")
    assert "LOCAL_AWS_PORT" in second


@pytest.mark.parametrize("key", ["sagemaker_port", "aws_port"])
def test_a_port_of_another_project_is_named(settings: Settings, tmp_path: Path, key: str) -> None:
    stack.up(settings)
    other = make_settings(tmp_path / "other" / ".local")
    other = dataclasses.replace(other, **{key: getattr(settings, key)})
    with pytest.raises(LocalError, match="is used by the local services of") as caught:
        stack.up(other)
    assert str(settings.root) in str(caught.value)
    assert "stop them there with `local-sagemaker down`" in str(caught.value)
    assert f"LOCAL_{key.upper()}" in str(caught.value)
    assert stack.status(settings)["running"]
    assert stack.status(other)["running"] is False
    assert stack.down(other) is False
    assert stack.status(settings)["running"]


def test_a_server_that_does_not_start_says_why(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(settings.root.parent / "broken"))
    broken = settings.root.parent / "broken" / "uvicorn"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit('the sky is green')")
    with pytest.raises(LocalError, match=r"did not start: the sky is green \(logs: "):
        stack.up(settings)
    assert pids(settings) == {"sagemaker": None, "aws": None}


def test_a_folder_that_cannot_be_made_is_named(settings: Settings) -> None:
    settings.root.parent.mkdir(parents=True)
    (settings.root.parent / "file").touch()
    inside = dataclasses.replace(settings, root=settings.root.parent / "file" / ".local")
    with pytest.raises(LocalError, match=r"cannot be made: Not a directory"):
        stack.up(inside)


def test_a_foreign_folder_is_not_touched(settings: Settings) -> None:
    settings.root.mkdir(parents=True)
    (settings.root / "thesis.tex").write_text("mine")
    for action in (stack.up, stack.reset, stack.down):
        with pytest.raises(LocalError, match="nothing was touched") as caught:
            action(settings)
        assert str(settings.root) in str(caught.value)
    assert [entry.name for entry in settings.root.iterdir()] == ["thesis.tex"]
    (settings.root / "thesis.tex").unlink()


def test_a_file_in_place_of_the_folder_is_named(settings: Settings) -> None:
    settings.root.parent.mkdir(parents=True)
    settings.root.write_text("mine")
    with pytest.raises(LocalError, match="is a file"):
        stack.up(settings)
    assert settings.root.read_text() == "mine"
    settings.root.unlink()


def test_a_broken_database_is_named_and_can_be_reset(settings: Settings) -> None:
    prepare(settings)
    settings.database.write_bytes(b"no database" * 1000)
    with pytest.raises(LocalError, match=r"cannot be read .*: run `local-sagemaker reset`") as caught:
        stack.up(settings)
    assert str(settings.root) in str(caught.value)
    assert settings.database.read_bytes() == b"no database" * 1000
    stack.reset(settings)
    assert {path.name for path in settings.root.iterdir()} == {MARKER, "token"}
    stack.up(settings)
    assert stack.status(settings)["running"]


def test_messages_are_in_the_words_of_the_program_that_starts_the_services(settings: Settings) -> None:
    words = dataclasses.replace(
        settings, command="retrain local", port_advice="set local.{key} in project.yaml or {variable}"
    )
    assert words == settings
    prepare(settings)
    settings.database.write_bytes(b"no database" * 1000)
    with pytest.raises(LocalError, match="run `retrain local reset`"):
        stack.up(words)
    stack.reset(settings)
    stack.up(settings)
    other = make_settings(settings.root.parent / "other")
    other = dataclasses.replace(words, root=other.root, aws_port=other.aws_port)
    with pytest.raises(PortsInUse) as caught:
        stack.up(other)
    assert "stop them there with `retrain local down`" in str(caught.value)
    assert str(caught.value).endswith("or set local.sagemaker_port in project.yaml or LOCAL_SAGEMAKER_PORT")


def test_the_settings_of_running_services_are_known(settings: Settings) -> None:
    settings = dataclasses.replace(settings, hidden=("some-package",), variables={"ODD": "a=b 'c'"})
    assert stack.running(settings.root) is None
    stack.up(settings)
    assert stack.running(settings.root) == settings
    (settings.root / "services.json").write_text(json.dumps({"settings": {"region": "eu-west-1"}}))
    assert stack.running(settings.root) is None


def test_reset_stops_and_removes(settings: Settings) -> None:
    stack.up(settings)
    put(settings, "gone")
    both = pids(settings)
    stack.reset(settings)
    assert is_gone(both["sagemaker"])
    assert is_gone(both["aws"])
    assert {path.name for path in settings.root.iterdir()} == {MARKER, "token"}
    stack.reset(settings)


def test_status_and_down_of_nothing_make_nothing(settings: Settings) -> None:
    assert stack.status(settings)["running"] is False
    assert stack.down(settings) is False
    assert not settings.root.exists()


def test_the_clients_variables_win_over_the_users(settings: Settings) -> None:
    stack.up(settings)
    program = (
        "import boto3; print(boto3.client('sts').get_caller_identity()['Account'],"
        " boto3.client('sagemaker').meta.endpoint_url,"
        " boto3.client('sagemaker').list_pipelines()['PipelineSummaries'])"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | settings.environment()
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [settings.account, settings.sagemaker_url, "[]"]
