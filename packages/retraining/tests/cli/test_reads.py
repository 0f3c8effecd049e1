"""Which commands a mistake in the configuration stops: those that need the part with the mistake."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from processes import leave_nothing
from projects import COMMAND
from tiny_project import Tiny, running
from typer.main import get_command

from retraining.cli.app import app
from retraining.cli.options import READS, Reads

ARGUMENTS = {
    "data": ["--list"],
    "local reset": ["--yes"],
    "local run": ["--", "true"],
    "models approve": ["1"],
    "models compare": ["1", "2"],
    "models reject": ["1"],
    "models show": ["1"],
    "new-model": ["other", "--like", "lightgbm"],
    "remove-model": ["tiny", "--yes"],
}
# They fail for what they are given here, and not for the configuration.
NOT_THERE = ("no such version", "no execution is running")
_LAST = ["local down", "local reset"]
ORDER = [*(name for name in READS if name not in _LAST), *_LAST]


def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield " ".join((*before, name))


def test_every_command_is_in_the_table() -> None:
    assert set(commands(get_command(app))) == set(READS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("reads")) as project:
        yield project


@contextlib.contextmanager
def a_mistake_in(tiny: Tiny) -> Iterator[None]:
    with (tiny.root / "models" / "tiny" / "conf.yaml").open("a") as file:
        file.write("mistake: 1\n")
    yield
    tiny.reset()


def run(tiny: Tiny, name: str, mark: str) -> "subprocess.CompletedProcess[str]":
    words = [*COMMAND, *name.split(), *ARGUMENTS.get(name, [])]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tiny.root), "MARK": mark}
    return subprocess.run(
        words,
        cwd=tiny.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def stopped_by_configuration(done: "subprocess.CompletedProcess[str]", words: str) -> bool:
    assert "Traceback" not in done.stderr
    return any(line.startswith("Error: ") and words in line for line in done.stderr.splitlines())


@pytest.mark.parametrize("name", [name for name in ORDER if READS[name] is not Reads.ALL and name != "ui"])
def test_a_mistake_in_a_model_does_not_stop_what_needs_no_model(tiny: Tiny, name: str) -> None:
    with leave_nothing() as mark:
        tiny.write(
            "models/tiny/conf.yaml", (tiny.root / "models/tiny/conf.yaml").read_text() + "mistake: 1\n"
        )
        try:
            done = run(tiny, name, mark)
        finally:
            tiny.reset()
    assert not stopped_by_configuration(done, "mistake")
    assert done.returncode == 0 or any(words in done.stderr for words in NOT_THERE), done.stderr


@pytest.mark.parametrize("name", [name for name in READS if READS[name] is Reads.ALL])
def test_a_mistake_in_a_model_stops_what_needs_it(tiny: Tiny, name: str) -> None:
    with leave_nothing() as mark:
        tiny.write(
            "models/tiny/conf.yaml", (tiny.root / "models/tiny/conf.yaml").read_text() + "mistake: 1\n"
        )
        try:
            done = run(tiny, name, mark)
        finally:
            tiny.reset()
    assert stopped_by_configuration(done, "mistake")
    assert done.returncode == 2


@pytest.mark.parametrize("text", ["mistake: 1\n", "- [\n", ""])
def test_a_mistake_in_the_project_does_not_stop_the_end_of_the_services(tiny: Tiny, text: str) -> None:
    file = tiny.root / "conf" / "project.yaml"
    before = file.read_text()
    with leave_nothing() as mark:
        assert run(tiny, "local up", mark).returncode == 0
        file.write_text(before + text if text else "")
        try:
            refused = run(tiny, "local up", mark)
            assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
            status = run(tiny, "local status", mark)
            assert status.stdout.count(" healthy") == 2, status.stderr
            assert "AWS_ENDPOINT_URL" in run(tiny, "local env", mark).stdout
            assert "are stopped" in run(tiny, "local down", mark).stdout
            assert "were not running" in run(tiny, "local down", mark).stdout
            assert run(tiny, "local reset", mark).stdout == "the local services are empty\n"
        finally:
            file.write_text(before)
    assert {path.name for path in (tiny.root / ".local").iterdir()} == {"LOCAL_SAGEMAKER", "token"}


def test_a_variable_that_is_no_port_does_not_keep_the_services_up(tiny: Tiny) -> None:
    with leave_nothing() as mark:
        assert run(tiny, "local up", mark).returncode == 0
        done = subprocess.run(
            [*COMMAND, "local", "down"],
            cwd=tiny.root,
            env={"PATH": os.environ["PATH"], "HOME": str(tiny.root), "LOCAL_AWS_PORT": "eighty"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == "the local services are stopped\n"


def test_local_schedules_are_recorded(tiny: Tiny) -> None:
    with leave_nothing() as mark:
        assert "is not deployed yet" in run(tiny, "schedule on", mark).stderr
        assert run(tiny, "run", mark).returncode == 0
        done = run(tiny, "schedule on", mark)
        assert done.stdout.startswith(
            "recorded here: cron(0 3 ? * MON *) (UTC); this machine starts nothing"
        ), done.stderr
        assert "recorded here:     cron(0 3 ? * MON *)" in run(tiny, "schedule show", mark).stdout
        assert run(tiny, "schedule off", mark).stdout == "the schedule is removed\n"
        assert run(tiny, "schedule off", mark).stdout == "there was no schedule\n"
