"""Each way into the sandbox that this machine has, with real processes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from local_sagemaker.container import sandbox
from local_sagemaker.container.sandbox import Bubblewrap, Command, Rewriting, Running, Sandbox, UtilLinux

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
ALL = [Bubblewrap(), UtilLinux(), Rewriting()]


def skip_where_absent(box: Sandbox) -> None:
    if not isinstance(box, Rewriting) and not sandbox.works(box):
        pytest.skip(f"{box.name} is not installed here, or may not make namespaces")


@pytest.fixture(params=ALL, ids=lambda box: type(box).__name__)
def box(request: pytest.FixtureRequest) -> Sandbox:
    skip_where_absent(request.param)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=ALL[:2], ids=lambda box: type(box).__name__)
def isolating(request: pytest.FixtureRequest) -> Sandbox:
    skip_where_absent(request.param)
    return request.param  # type: ignore[no-any-return]


def make_command(
    folder: Path, *words: str, environment: dict[str, str] | None = None, network: bool = True
) -> Command:
    base = folder / "a job {with} 'odd' $name"
    for name in ("ml/code", "scratch", "frozen"):
        (base / name).mkdir(parents=True, exist_ok=True)
    variables = {"PATH": PATH} | (environment or {})
    return Command(words, variables, base / "ml", base / "scratch", base / "frozen", network)


def finish(running: Running) -> tuple[int, str]:
    with running.output:
        text = running.output.read().decode()
    code = running.wait(30)
    assert code is not None
    return code, text


def run(box: Sandbox, command: Command) -> tuple[int, str]:
    return finish(box.start(command))


def wait_for(condition: "threading.Event | None" = None, path: Path | None = None) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (path and path.exists()) or (condition and condition.is_set()):
            return
        time.sleep(0.01)
    pytest.fail("what the test waits for did not happen within 30 s")


def processes_with(word: str) -> list[int]:
    pids = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if word.encode() in entry.read_bytes():
                pids.append(int(entry.parent.name))
        except OSError:
            continue
    return pids


def test_the_folder_is_opt_ml(box: Sandbox, tmp_path: Path) -> None:
    command = make_command(tmp_path, "/bin/sh", "-c", "cat /opt/ml/in && echo made > /opt/ml/out && pwd -P")
    (command.folder / "in").write_text("hello\n")
    code, text = run(box, command)
    assert code == 0, text
    assert text.startswith("hello\n")
    assert text.rstrip().endswith("/code")
    assert (command.folder / "out").read_text() == "made\n"


def test_words_and_environment_arrive_as_they_are(box: Sandbox, tmp_path: Path) -> None:
    word = "a b'c\"d $HOME {x} \\ *\n;"
    script = "import os, sys; print(sys.argv[1:] == [os.environ['WORD'], ''], sorted(os.environ))"
    command = make_command(tmp_path, sys.executable, "-c", script, word, "", environment={"WORD": word})
    code, text = run(box, command)
    assert code == 0, text
    assert text.startswith("True")
    names = set(text.removeprefix("True").strip(" []\n").replace("'", "").split(", "))
    assert names <= {"PATH", "WORD", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


def test_the_rest_of_opt_stays_and_nothing_is_made_there(isolating: Sandbox, tmp_path: Path) -> None:
    before = sorted(os.listdir("/opt"))
    code, text = run(isolating, make_command(tmp_path, "ls", "-A", "/opt"))
    assert code == 0, text
    assert sorted(text.split()) == sorted({*before, "ml"})
    assert sorted(os.listdir("/opt")) == before


def test_the_shared_folder_cannot_be_written(isolating: Sandbox, tmp_path: Path) -> None:
    command = make_command(tmp_path, "/bin/sh", "-c", 'cat "$1/here" && ! touch "$1/new"', "sh")
    (command.frozen / "here").write_text("readable\n")
    code, text = run(
        isolating, Command([*command.words, str(command.frozen)], *list(vars(command).values())[1:])
    )
    assert code == 0, text
    assert "readable" in text
    assert not (command.frozen / "new").exists()


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("nonsense", 127)]
)
def test_the_exit_code_is_the_commands(box: Sandbox, tmp_path: Path, script: str, code: int) -> None:
    assert run(box, make_command(tmp_path, "/bin/sh", "-c", script))[0] == code


def test_both_streams_arrive_in_order(box: Sandbox, tmp_path: Path) -> None:
    script = "for i in 1 2 3; do echo out$i; echo err$i >&2; done"
    assert run(box, make_command(tmp_path, "/bin/sh", "-c", script))[1].split() == [
        "out1",
        "err1",
        "out2",
        "err2",
        "out3",
        "err3",
    ]


def test_what_the_command_leaves_running_ends_with_it(isolating: Sandbox, tmp_path: Path) -> None:
    script = "setsid sleep 300 > /dev/null 2>&1 & setsid sh -c 'sleep 300 & wait' & exit 4"
    marked = make_command(tmp_path, "/bin/sh", "-c", script, environment={"MARK": tmp_path.name})
    assert run(isolating, marked)[0] == 4
    assert processes_with(f"MARK={tmp_path.name}\0") == []


def test_terminate_reaches_every_process(box: Sandbox, tmp_path: Path) -> None:
    script = """
        trap 'wait; echo main; exit 3' TERM
        sh -c 'trap "echo child; exit 0" TERM; touch /opt/ml/child; while :; do sleep 0.05; done' &
        while [ ! -e /opt/ml/child ]; do sleep 0.01; done
        touch /opt/ml/ready
        while :; do sleep 0.05; done
    """
    command = make_command(tmp_path, "/bin/sh", "-c", textwrap.dedent(script))
    running = box.start(command)
    wait_for(path=command.folder / "ready")
    running.terminate()
    code, text = finish(running)
    assert code == 3
    assert "main" in text
    assert "child" in text


def test_terminate_ends_a_command_that_handles_nothing(box: Sandbox, tmp_path: Path) -> None:
    command = make_command(tmp_path, "/bin/sh", "-c", "touch /opt/ml/ready; exec sleep 300")
    running = box.start(command)
    wait_for(path=command.folder / "ready")
    running.terminate()
    assert finish(running)[0] == 128 + signal.SIGTERM


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.01, 0.02, 0.04])
def test_terminate_also_ends_what_is_only_starting(box: Sandbox, tmp_path: Path, pause: float) -> None:
    """Asked for at any moment of the start, until it says that it reached the job."""
    running = box.start(make_command(tmp_path, "sleep", "300"))
    time.sleep(pause)
    while running.wait(0.01) is None:
        running.terminate()
    assert finish(running)[0] == 128 + signal.SIGTERM


def test_kill_ends_what_ignores_terminate(box: Sandbox, tmp_path: Path) -> None:
    mark = {"MARK": tmp_path.name}
    script = "trap '' TERM; touch /opt/ml/ready; while :; do sleep 0.05; done"
    command = make_command(tmp_path, "/bin/sh", "-c", script, environment=mark)
    running = box.start(command)
    wait_for(path=command.folder / "ready")
    running.terminate()
    assert running.wait(0.5) is None
    running.kill()
    # Which of the killed processes the outermost one saw end first decides the status.
    assert finish(running)[0] != 0
    assert processes_with(f"MARK={tmp_path.name}\0") == []


def test_nothing_is_left_when_the_server_is_killed(isolating: Sandbox, tmp_path: Path) -> None:
    program = f"""
        import sys, time
        from pathlib import Path
        sys.path[:0] = {sys.path!r}
        from local_sagemaker.container import sandbox
        base = Path({str(tmp_path)!r})
        for name in ("ml/code", "scratch", "frozen"):
            (base / name).mkdir(parents=True)
        words = ["/bin/sh", "-c", "setsid sleep 300 & touch /opt/ml/ready; sleep 300"]
        environment = {{"PATH": {PATH!r}, "MARK": {tmp_path.name!r}}}
        sandbox.{type(isolating).__name__}().start(
            sandbox.Command(words, environment, base / "ml", base / "scratch", base / "frozen")
        )
        time.sleep(300)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    wait_for(path=tmp_path / "ml" / "ready")
    assert processes_with(f"MARK={tmp_path.name}\0")
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while processes_with(f"MARK={tmp_path.name}\0") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes_with(f"MARK={tmp_path.name}\0") == []


def test_a_job_without_network_reaches_nothing(
    isolating: Sandbox, tmp_path: Path, unused_tcp_server: int
) -> None:
    script = f"import socket; socket.create_connection(('127.0.0.1', {unused_tcp_server}), 5)"
    assert run(isolating, make_command(tmp_path, sys.executable, "-c", script))[0] == 0
    code, text = run(isolating, make_command(tmp_path, sys.executable, "-c", script, network=False))
    assert code == 1
    assert "OSError" in text or "ConnectionRefusedError" in text


@pytest.fixture
def unused_tcp_server() -> "object":
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_rewriting_reaches_drivers_arguments_and_environment(tmp_path: Path) -> None:
    command = make_command(
        tmp_path,
        "/bin/bash",
        "/opt/ml/processing/input/entrypoint/run.sh",
        "--at=/opt/ml/model",
        "/opt/mlflow",
        environment={"WHERE": "/opt/ml/model:/opt/ml", "OTHER": "/opt/ml-extra/x"},
    )
    driver = command.folder / "processing" / "input" / "entrypoint" / "run.sh"
    driver.parent.mkdir(parents=True)
    driver.write_text('cd /opt/ml/processing/input/entrypoint && ls run.sh && echo "$@" $WHERE $OTHER')
    code, text = run(Rewriting(), command)
    assert code == 0, text
    listed, words = text.splitlines()
    assert listed == "run.sh"
    at, kept, where, other = words.split()
    link = where.rpartition(":")[2]
    assert at == f"--at={link}/model"
    assert (kept, other) == ("/opt/mlflow", "/opt/ml-extra/x")
    assert not Path(link).parent.exists(), "the link goes when the job ends"


def test_detect_takes_the_first_that_works() -> None:
    expected = next((type(box) for box in ALL[:2] if sandbox.works(box)), Rewriting)
    assert type(sandbox.detect()) is expected
