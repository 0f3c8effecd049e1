"""A command that is asked to end ends, whatever it is at, and so does what it started."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest
from processes import leave_nothing, marked

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
BEGIN = "import sys, time; from retraining.runs import interruption; interruption.install()\n"
READY = "print('ready', flush=True)\n"
COURSES = {
    "waits": "time.sleep(600)",
    "swallows": "while True:\n    try: time.sleep(600)\n    except BaseException: pass",
    "in C": "import ctypes; libc = ctypes.CDLL(None)\nwhile True: libc.pause()",
    "another thread": (
        "import threading; threading.Thread(target=time.sleep, args=(600,)).start(); time.sleep(600)"
    ),
    "a pool": (
        "with interruption.Threads(2) as pool: pool.submit(time.sleep, 600); time.sleep(600)\n"
        "raise SystemExit(3)"
    ),
    "clears up for long": "try: time.sleep(600)\nfinally: time.sleep(600)",
}
CHILDREN = (
    'child = \'import subprocess; subprocess.run(["sleep", "600"])\'\n'
    "with interruption.started([sys.executable, '-c', child]) as process:\n"
)


@pytest.fixture
def mark() -> Iterator[str]:
    with leave_nothing() as text:
        yield text


def command(course: str) -> str:
    """A program that is interrupted as a command is."""
    return f"{BEGIN}try:\n{textwrap.indent(course, '    ')}\nexcept KeyboardInterrupt: interruption.end()"


def start(program: str, mark: str) -> "subprocess.Popen[str]":
    """A Python program, once it has printed ``ready``."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize("number", SIGNALS[:2])
def test_it_ends_whatever_it_is_at(course: str, number: signal.Signals, mark: str) -> None:
    process = start(command(READY + COURSES[course]), mark)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + number, "interrupted\n")
    assert marked(mark) == []


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("course", ["waits", "swallows"])
def test_what_it_started_ends_as_well(course: str, number: signal.Signals, mark: str) -> None:
    """The children of its children, too."""
    process = start(command(CHILDREN + textwrap.indent(READY + COURSES[course], "    ")), mark)
    deadline = time.monotonic() + 60
    while len(marked(mark)) < 3:
        assert time.monotonic() < deadline, "the processes do not start"
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert marked(mark) == []


def test_a_signal_while_a_process_starts_does_not_lose_it(mark: str) -> None:
    program = command(
        "import os, signal, subprocess\nclass Slow(subprocess.Popen):\n"
        + "    def __init__(self, *words, **options):\n        super().__init__(*words, **options)\n"
        + "        os.kill(os.getpid(), signal.SIGINT)\n"
        + "subprocess.Popen = Slow\n"
        + READY
        + "with interruption.started(['sleep', '600']):\n    raise SystemExit(3)\n"
    )
    process = start(program, mark)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert marked(mark) == []


def test_an_ignored_signal_stays_ignored(mark: str) -> None:
    """As with nohup."""
    program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    program += command(READY + COURSES["waits"])
    process = start(program, mark)
    process.send_signal(signal.SIGHUP)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_the_handlers_of_others_have_their_way(mark: str) -> None:
    """`retrain local run` passes signals on to its program, and ends when that does."""
    program = (
        BEGIN
        + "import signal; got = []\nsignal.signal(signal.SIGTERM, lambda *_: got.append(1))\n"
        + READY
        + "time.sleep(2 * interruption.PATIENCE + 1); raise SystemExit(40 + len(got))"
    )
    process = start(program, mark)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 41


def test_polars_does_not_keep_ctrl_c_from_a_wait(mark: str) -> None:
    program = (
        BEGIN
        + "import polars; interruption.take_back(); polars.DataFrame({'a': [1]})\n"
        + "say = 'sleep 1; echo ready; exec sleep 600'\n"
        + "try:\n    with interruption.started(['sh', '-c', say]) as child: child.wait()\n"
        + "except KeyboardInterrupt: interruption.end('in order')"
    )
    process = start(program, mark)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "in order\n")
