"""What is kept of AWS's services when they are killed, and said when a disk is full."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ministack
import pytest
from soak import soak

from local_sagemaker.core import ports
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import object_files, stack
from local_sagemaker.testing import make_settings

FULL_DISK = Path(__file__).with_name("full_disk.py")


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = make_settings(tmp_path / ".local")
    yield settings
    stack.down(settings)


def archive(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("code.py", source)
    return content.getvalue()


def make_function(settings: Settings, name: str, source: str) -> None:
    settings.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::{settings.account}:role/x",
        Handler="code.handler",
        Timeout=60,
        Environment={"Variables": {"KIND": "kept"}},
        Code={"ZipFile": archive(source)},
    )


def invoke(settings: Settings, name: str) -> Any:
    return json.load(settings.client("lambda").invoke(FunctionName=name, Payload=b"{}")["Payload"])


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not happen within 60 s"
        time.sleep(0.02)


def pids(settings: Settings) -> dict[str, int]:
    return {service["name"]: service["pid"] for service in stack.status(settings)["services"]}


def kill(settings: Settings, draw: random.Random) -> None:
    """Kill ministack, or first it and then the server, or both the other way round; and have them back."""
    both = pids(settings)
    for name in draw.choice([["aws"], ["aws", "sagemaker"], ["sagemaker", "aws"]]):
        os.kill(both[name], signal.SIGKILL)
    wait_until(lambda: ports.command(both["aws"]) == [])
    stack.up(settings)


@soak
def test_what_was_made_is_there_after_a_kill(settings: Settings, draw: random.Random) -> None:
    stack.up(settings)
    client, made = settings.client, []
    role = f"arn:aws:iam::{settings.account}:role/x"
    target = f"arn:aws:lambda:{settings.region}:{settings.account}:function:kept-0"
    client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    client("s3").create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": settings.region}
    )
    client("s3").put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    client("ssm").put_parameter(Name="kept", Value="here", Type="String")
    client("events").put_rule(Name="kept", ScheduleExpression="rate(7 days)")
    client("events").put_targets(Rule="kept", Targets=[{"Id": "one", "Arn": target}])
    client("scheduler").create_schedule(
        Name="kept",
        ScheduleExpression="rate(7 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": role},
    )
    for index in range(draw.randint(1, 5)):
        made.append(f"kept-{index}")
        make_function(settings, made[-1], f"def handler(event, context): return {index}\n")
    changed = draw.choice(made)
    client("lambda").update_function_code(
        FunctionName=changed, ZipFile=archive("def handler(event, context): return 'new'\n")
    )
    kill(settings, draw)

    assert {item["FunctionName"] for item in client("lambda").list_functions()["Functions"]} == set(made)
    for index, name in enumerate(made):
        client("lambda").get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )
        assert invoke(settings, name) == ("new" if name == changed else index)
        configuration = client("lambda").get_function_configuration(FunctionName=name)
        assert configuration["Environment"]["Variables"]["KIND"] == "kept"
    assert client("events").describe_rule(Name="kept")["ScheduleExpression"] == "rate(7 days)"
    assert [item["Id"] for item in client("events").list_targets_by_rule(Rule="kept")["Targets"]] == ["one"]
    assert client("scheduler").get_schedule(Name="kept")["Target"]["Arn"] == target
    assert client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"
    assert client("s3").get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"
    assert client("ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "here"
    assert client("s3").head_bucket(Bucket=settings.bucket)

    client("events").remove_targets(Rule="kept", Ids=["one"])
    client("events").delete_rule(Name="kept")
    client("scheduler").delete_schedule(Name="kept")
    for name in made:
        client("lambda").delete_function(FunctionName=name)
    kill(settings, draw)
    assert client("lambda").list_functions()["Functions"] == []
    assert client("events").list_rules()["Rules"] == []
    assert client("scheduler").list_schedules()["Schedules"] == []


@soak
def test_an_object_is_whole_after_a_kill_while_it_is_written(settings: Settings, draw: random.Random) -> None:
    stack.up(settings)
    client = settings.client("s3")
    versions = [bytes([number]) * draw.randint(1, 3_000_000) for number in range(8)]
    client.put_object(Bucket=settings.bucket, Key="a/b", Body=versions[0])
    killer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import os,time; time.sleep({draw.random() / 8}); os.kill({pids(settings)['aws']}, 9)",
        ]
    )
    known = 0
    while killer.poll() is None:
        try:
            client.put_object(Bucket=settings.bucket, Key="a/b", Body=versions[(known + 1) % 8])
        except Exception:
            break
        known += 1
    killer.wait()
    stack.up(settings)
    answer = client.get_object(Bucket=settings.bucket, Key="a/b")
    body = answer["Body"].read()
    # Also the one after: its answer may have been lost, or been given after boto's own retry.
    assert body in versions
    assert body == versions[known % 8] or body == versions[(known + 1) % 8]
    assert answer["ContentLength"] == len(body)
    assert client.head_object(Bucket=settings.bucket, Key="a/b")["ContentLength"] == len(body)
    assert not list(settings.s3.rglob("*.tmp"))


def test_a_write_that_was_cut_off_is_finished_or_dropped(tmp_path: Path) -> None:
    for name, mark in (("finished", "a" * 16), ("dropped", "b" * 16)):
        (tmp_path / name).write_text("old")
        (tmp_path / f"{name}.meta.json").write_text(json.dumps({"size": 3, "draft": "a" * 16}))
        (tmp_path / f"{name}.{mark}.tmp").write_text("new")
    (tmp_path / "other.tmp").write_text("ministack's own")
    (tmp_path / f"new.{'c' * 16}.tmp").write_text("without a description")
    object_files.recover(tmp_path)
    assert (tmp_path / "finished").read_text() == "new"
    assert (tmp_path / "dropped").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {
        *("finished", "finished.meta.json", "dropped", "dropped.meta.json")
    }


def test_up_makes_the_bucket_again(settings: Settings) -> None:
    stack.up(settings)
    settings.client("s3").delete_bucket(Bucket=settings.bucket)
    stack.up(settings)
    assert settings.client("s3").head_bucket(Bucket=settings.bucket)


def test_the_patch_for_ministack_fits(tmp_path: Path) -> None:
    page = Path(__file__).parents[4] / "docs" / "ministack.md"
    patch = page.read_text().partition("```diff\n")[2].removesuffix("```\n")
    shutil.copytree(Path(ministack.__file__).parent, tmp_path / "ministack")
    words = ["git", "apply", "--check", "-p1", "-"]
    done = subprocess.run(words, input=patch, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def unshared(*words: str | os.PathLike[str]) -> "subprocess.CompletedProcess[str]":
    """A program with mounts of its own, which it may make: no right of an administrator is needed."""
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    return subprocess.run([*namespace, *words], capture_output=True, text=True, check=False)


@pytest.mark.skipif(unshared("true").returncode != 0, reason="this system lets nobody mount anything")
def test_a_full_disk_is_an_error_to_the_client_and_nothing_is_lost(tmp_path: Path) -> None:
    done = unshared(sys.executable, FULL_DISK, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@soak
def test_a_lambda_worker_ends_with_the_services(settings: Settings, draw: random.Random) -> None:
    stack.up(settings)
    make_function(
        settings,
        "sleeps",
        "import os, time, pathlib\n"
        "def handler(event, context):\n"
        f"    pathlib.Path({os.fspath(settings.root)!r}, 'worker').write_text(str(os.getpid()))\n"
        "    time.sleep(300)\n",
    )
    settings.client("lambda").invoke(FunctionName="sleeps", InvocationType="Event", Payload=b"{}")
    note = settings.root / "worker"
    wait_until(lambda: note.exists() and note.read_text())
    worker = int(note.read_text())
    assert ports.command(worker)
    both = list(pids(settings).values())
    for pid in draw.sample(both, 2):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ports.command(worker) == [])
