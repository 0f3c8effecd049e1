"""Each command that takes a while ends when it is asked to, and leaves no process."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import leave_nothing, marked, page_servers
from projects import COMMAND
from tiny_project import Tiny, retrain, running

from retraining.config.configuration import Configuration


class Command:
    """A running `retrain` command, whose lines can be waited for."""

    def __init__(self, root: Path, mark: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=root,
            env={"PATH": "/usr/bin:/bin", "HOME": str(root), "MARK": mark, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def wait_for(self, words: str) -> str:
        """The first line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} is not printed: {self.lines}")

    def end_by(self, number: signal.Signals) -> list[str]:
        """Send the signal; all lines."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 128 + number, [*self.lines, rest]
        return [*"".join(self.lines).splitlines(), *rest.splitlines()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("stopping")) as project:
        yield project
        for pid in page_servers(project.root):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def mark() -> Iterator[str]:
    with leave_nothing() as text:
        yield text


def assert_clean(lines: list[str], mark: str) -> None:
    assert marked(mark) == []
    assert not any("Traceback" in line for line in lines), lines


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("compiling the pipeline", signal.SIGTERM),
        ("started execution", signal.SIGINT),
        ("Preprocess: ", signal.SIGHUP),
    ],
)
def test_run(tiny: Tiny, mark: str, words: str, number: signal.Signals) -> None:
    tiny.write("models/tiny/preprocess.py", f"import time\ntime.sleep(600)  # {words}\n")
    command = Command(tiny.root, mark, "run")
    command.wait_for(words)
    lines = command.end_by(number)
    assert_clean(lines, mark)
    if words != "compiling the pipeline":
        assert lines[-1].startswith("interrupted: execution ")
        assert "`retrain stop` stops it" in lines[-1]
        stopped = retrain(tiny, "stop")
        assert stopped.returncode == 0, stopped.stderr
    tiny.reset()


@pytest.mark.parametrize(
    ("number", "mistake"), [(signal.SIGINT, ""), (signal.SIGTERM, ""), (signal.SIGHUP, "mistake: 1\n")]
)
def test_ui(tiny: Tiny, mark: str, number: signal.Signals, mistake: str) -> None:
    """There is one server, without workers for jobs. A mistake in a model does not keep it from opening."""
    with (tiny.root / "models" / "tiny" / "conf.yaml").open("a") as file:
        file.write(mistake)
    command = Command(tiny.root, mark, "ui")
    said = command.wait_for("MLflow: ")
    url = said.split()[1].partition("/#")[0]
    with urllib.request.urlopen(url) as page:
        assert page.status == 200
    servers = page_servers(tiny.root)
    lines = command.end_by(number)
    assert len(servers) == 1
    assert page_servers(tiny.root) == []
    assert_clean(lines, mark)
    assert any(line.startswith("starting MLflow's pages on port ") for line in lines)
    assert ("the configuration has mistakes, which `retrain check` names" in lines) == bool(mistake)
    tiny.reset()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ui_while_it_starts(tiny: Tiny, mark: str, number: signal.Signals) -> None:
    command = Command(tiny.root, mark, "ui")
    command.wait_for("starting MLflow's pages")
    assert_clean(command.end_by(number), mark)
    assert page_servers(tiny.root) == []


def test_data(on_local: Configuration, mark: str) -> None:
    """The simulation and what it started, also where only the command is told."""
    simulate = on_local.root / "models" / "scarcegan" / "simulate.py"
    simulate.write_text(
        "import pathlib, subprocess\npathlib.Path('started').touch()\nsubprocess.run(['sleep', '600'])\n"
    )
    command = Command(on_local.root, mark, "data")
    command.wait_for("simulating scarcegan")
    while not (on_local.root / "started").exists() and command.process.poll() is None:
        time.sleep(0.02)
    assert_clean(command.end_by(signal.SIGTERM), mark)


def test_local_run_leaves_signals_to_its_program(tiny: Tiny, mark: str) -> None:
    program = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(5))\nprint('on', flush=True)\n"
    program += "time.sleep(600)"
    command = Command(tiny.root, mark, "local", "run", "--", sys.executable, "-c", program)
    command.wait_for("on")
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(120) == 5


def test_ctrl_c_while_the_command_loads(tiny: Tiny, mark: str) -> None:
    command = Command(tiny.root, mark, "check")
    time.sleep(0.3)
    command.process.send_signal(signal.SIGINT)
    said, _ = command.process.communicate(timeout=120)
    assert "Traceback" not in said or command.process.returncode == -signal.SIGINT
