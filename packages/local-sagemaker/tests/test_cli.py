"""The command `local-sagemaker` as a user types it, in a folder of its own."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_sagemaker.testing import free_ports

COMMAND = Path(sys.executable).with_name("local-sagemaker")
NAMES = {
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SAGEMAKER",
    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "NO_PROXY",
}
WHO = (
    "import boto3; print(boto3.client('sts').get_caller_identity()['Account'],"
    " boto3.client('sagemaker').list_pipelines()['PipelineSummaries'])"
)


class Shell:
    """A user's shell in `folder`."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.folder = folder
        self.variables = {
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "LOCAL_SAGEMAKER_PORT": str(ports[0]),
            "LOCAL_AWS_PORT": str(ports[1]),
        }

    def start(self, *words: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.variables | variables,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str, given: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*words, **variables) as process:
            out, err = process.communicate(given, timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def __call__(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """``local-sagemaker`` with these words."""
        return self.run("local-sagemaker", *words, **variables)

    def succeeds(self, *words: str, **variables: str) -> str:
        done = self(*words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuses(self, *words: str, **variables: str) -> str:
        """The one line that a refused command prints."""
        done = self(*words, **variables)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("local-sagemaker: ")
        return line.removeprefix("local-sagemaker: ")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell where the services run. Tests leave them running."""
    shell = Shell(tmp_path_factory.mktemp("a user's {folder}"), free_ports(2))
    shell.succeeds("up")
    yield shell
    shell.succeeds("down")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell where nothing runs yet."""
    shell = Shell(tmp_path, free_ports(2))
    yield shell
    shell("down")


def test_up_status_down_reset(shell: Shell) -> None:
    assert not json.loads(shell.succeeds("status", "--json"))["running"]
    assert not (shell.folder / ".local").exists()
    said = shell.succeeds("up")
    assert f"http://127.0.0.1:{shell.variables['LOCAL_SAGEMAKER_PORT']}" in said
    state = json.loads(shell.succeeds("status", "--json"))
    assert state["running"]
    assert set(state) == {"running", "services", "root"}
    assert [set(service) for service in state["services"]] == [{"name", "url", "pid", "healthy"}] * 2
    assert state["root"] == str(shell.folder / ".local")
    assert shell.succeeds("status") == said
    assert shell.succeeds("down") == "the local services are stopped\n"
    assert shell.succeeds("down") == "the local services were not running\n"
    assert (shell.folder / ".local" / "sagemaker.db").exists()
    assert "give --yes" in shell.refuses("reset")
    assert (shell.folder / ".local" / "sagemaker.db").exists()
    assert shell.succeeds("reset", "--yes") == "the local services are empty\n"
    assert {path.name for path in (shell.folder / ".local").iterdir()} == {"LOCAL_SAGEMAKER", "token"}


def test_env_is_lines_for_a_shell(running: Shell) -> None:
    lines = running.succeeds("env").splitlines()
    assert {line.partition("=")[0] for line in lines} == {f"export {name}" for name in NAMES}
    values = json.loads(running.succeeds("env", "--json"))
    assert set(values) == NAMES
    for line in lines:
        assert line.startswith("export ")
        (assignment,) = shlex.split(line.removeprefix("export "))
        name, _, value = assignment.partition("=")
        assert line == f"export {name}='{value}'"
        assert values[name] == value


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "mine"},
        {"AWS_DEFAULT_PROFILE": "work", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_MAX_ATTEMPTS": "many"},
        {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": "x.org"},
    ],
)
def test_eval_of_env_leads_clients_here(running: Shell, variables: dict[str, str]) -> None:
    program = f'eval "$(local-sagemaker env)" && exec {sys.executable} -c "$0"'
    done = running.run("sh", "-c", program, WHO, **variables)
    assert (done.stdout, done.stderr) == ("111122223333 []\n", "")
    done = running("run", "--", sys.executable, "-c", WHO, **variables)
    assert (done.stdout, done.stderr) == ("111122223333 []\n", "")


def test_values_with_quotes_survive_the_shell(running: Shell) -> None:
    hosts = 'it\'s $HOME "here" `now`'
    program = 'eval "$(local-sagemaker env)" && printf %s "$NO_PROXY"'
    assert running.run("sh", "-c", program, NO_PROXY=hosts).stdout == f"{hosts},127.0.0.1,localhost"


def test_env_unsets_what_leads_to_aws(running: Shell) -> None:
    variables = {"AWS_PROFILE": "work", "AWS_MAX_ATTEMPTS": "many", "AWS_;touch made;": "x"}
    lines = running("env", **variables).stdout.splitlines()
    assert [line for line in lines if not line.startswith("export ")] == [
        "unset AWS_MAX_ATTEMPTS",
        "unset AWS_PROFILE",
    ]
    values = json.loads(running.succeeds("env", "--json", **variables))
    assert {name for name, value in values.items() if value is None} == variables.keys()


def test_the_home_folder_is_no_project(shell: Shell) -> None:
    """Other programs keep what they install in ~/.local, be it there already or not."""
    shell.variables["HOME"] = str(shell.folder)
    assert shell.refuses("up") == (
        f"{shell.folder}/.local belongs to other programs as well: run this in the folder of your project"
    )
    assert not (shell.folder / ".local").exists()


def test_env_needs_the_services(shell: Shell) -> None:
    assert shell.refuses("env") == "the local services are not running: start them with `local-sagemaker up`"
    assert shell.refuses("env", "--json").startswith("the local services are not running")


def test_run_starts_the_services_and_passes_everything_through(shell: Shell) -> None:
    program = "import sys; print(sys.stdin.read().upper()); print('noise', file=sys.stderr); sys.exit(3)"
    done = shell.run("local-sagemaker", "run", "--", sys.executable, "-c", program, given="words")
    assert (done.returncode, done.stdout) == (3, "WORDS\n")
    assert "starting the local services" in done.stderr
    assert done.stderr.endswith("noise\n")
    pids = [service["pid"] for service in json.loads(shell.succeeds("status", "--json"))["services"]]
    done = shell("run", sys.executable, "-c", "print('--', '-x')", "--json", "-h")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-- -x\n", "")
    assert [s["pid"] for s in json.loads(shell.succeeds("status", "--json"))["services"]] == pids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_program_that_a_signal_ends(running: Shell, number: signal.Signals) -> None:
    done = running("run", "--", "sh", "-c", f"kill -{number.value} $$")
    assert done.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(running: Shell, number: signal.Signals) -> None:
    program = f"trap 'echo told; exit 7' {number.value}; echo ready; while :; do sleep 0.05; done"
    with running.start("local-sagemaker", "run", "--", "sh", "-c", program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (7, "told\n")


@pytest.mark.parametrize("attempt", range(5))
def test_a_signal_right_after_the_start_is_not_lost(running: Shell, attempt: int) -> None:
    """The program asks for it while the command may still be busy with starting it."""
    program = "trap 'exit 7' TERM; kill -TERM $PPID; while :; do sleep 0.05; done"
    assert running("run", "--", "sh", "-c", program).returncode == 7, attempt


def test_an_interruption_is_the_programs_to_handle(running: Shell) -> None:
    """The terminal sends SIGINT to all of its foreground processes."""
    program = (
        "import os, signal, sys; signal.signal(signal.SIGINT, lambda *_: os.write(1, b'told\\n'));"
        " os.write(1, b'ready\\n'); print(input()); sys.exit(5)"
    )
    process = subprocess.Popen(
        ["local-sagemaker", "run", "--", sys.executable, "-c", program],
        cwd=running.folder,
        env=running.variables,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "told\n"
        process.stdin.write("goes on\n")
        process.stdin.flush()
        assert process.stdout.read() == "goes on\n"
    assert process.returncode == 5


def test_programs_that_cannot_be_run(running: Shell) -> None:
    done = running("run", "--", "no-such-program")
    assert (done.returncode, done.stderr) == (127, "no-such-program: no such program\n")
    (running.folder / "notes.txt").write_text("mine")
    done = running("run", "--", "./notes.txt")
    assert (done.returncode, done.stderr) == (126, "./notes.txt: cannot be run\n")
    (running.folder / "notes.txt").chmod(0o755)
    done = running("run", "--", "./notes.txt")
    assert (done.returncode, done.stderr) == (126, "./notes.txt: cannot be run: Exec format error\n")


def test_a_program_that_is_not_there_starts_nothing(shell: Shell) -> None:
    assert shell("run", "--", "no-such-program").returncode == 127
    assert not (shell.folder / ".local").exists()


@pytest.mark.parametrize(
    ("words", "variables", "line"),
    [
        (["run"], {}, "run: the COMMAND is missing, as in `local-sagemaker run -- python pipeline.py`"),
        (["run", "--"], {}, "run: the COMMAND is missing, as in `local-sagemaker run -- python pipeline.py`"),
        (["upp"], {}, "argument COMMAND: invalid choice: 'upp' (choose from"),
        (["up", "--pyhton", "x"], {}, "unrecognized arguments: --pyhton x; `local-sagemaker --help`"),
        (["status", "now"], {}, "unrecognized arguments: now; "),
        (["up", "--python"], {}, "argument --python: expected one argument; `local-sagemaker up --help`"),
        (
            ["up", "--python", "no-such-python"],
            {},
            "no-such-python does not work as the Python of jobs (No such",
        ),
        (
            ["up", "--python", "/bin/true"],
            {},
            "/bin/true does not work as the Python of jobs (it says nothing)",
        ),
        (
            ["up"],
            {"LOCAL_SAGEMAKER_PORT": "http"},
            "environment variable LOCAL_SAGEMAKER_PORT: a port from 1024",
        ),
        (["env"], {"LOCAL_AWS_PORT": "80"}, "environment variable LOCAL_AWS_PORT: a port from 1024 to 65535"),
        (
            ["up"],
            {"LOCAL_SAGEMAKER_PORT": "8572", "LOCAL_AWS_PORT": "8572"},
            "LOCAL_SAGEMAKER_PORT and LOCAL_AWS_PORT ask for the same port, 8572: give them different ones",
        ),
        (["up"], {"LOCAL_SAGEMAKER_HOME": "/etc"}, "/etc holds files that the local services did not write"),
        (
            ["reset", "--yes"],
            {"LOCAL_SAGEMAKER_HOME": "/etc"},
            "/etc holds files that the local services did",
        ),
        (["up"], {"LOCAL_SAGEMAKER_HOME": "/dev/null"}, "/dev/null is a file, and the local services need"),
    ],
)
def test_what_a_user_can_cause_is_one_line(
    shell: Shell, words: list[str], variables: dict[str, str], line: str
) -> None:
    assert line in shell.refuses(*words, **variables)
    assert not (shell.folder / ".local").exists()


def test_ports_in_use_are_named_with_their_users(shell: Shell, running: Shell) -> None:
    with socket.create_server(("127.0.0.1", int(shell.variables["LOCAL_AWS_PORT"]))):
        ports = {"LOCAL_SAGEMAKER_PORT": running.variables["LOCAL_SAGEMAKER_PORT"]}
        for words in (["up"], ["run", "--", "true"]):
            done = shell(*words, **ports)
            assert done.returncode == 2
            first, second = done.stderr.splitlines()[-2:]
            assert f"is used by the local services of {running.folder}/.local: stop them there with" in first
            assert first.endswith("or set the variable LOCAL_SAGEMAKER_PORT")
            assert f"is in use by another program (pid {os.getpid()}: " in second
            assert second.endswith("stop it, or set the variable LOCAL_AWS_PORT")


def test_other_shells_find_the_services_without_the_variables(running: Shell) -> None:
    """Ports, region and Python are as the services run, not as this shell would start them."""
    for name in ("LOCAL_SAGEMAKER_PORT", "LOCAL_AWS_PORT"):
        running.variables.pop(name)
    try:
        state = running.succeeds("status", "--json")
        assert json.loads(state)["running"]
        values = json.loads(running.succeeds("env", "--json", AWS_REGION="eu-north-1"))
        assert values["AWS_REGION"] == "us-east-1"
        running.succeeds("up", AWS_REGION="eu-north-1")
        assert running.succeeds("status", "--json") == state
    finally:
        url = json.loads(running.succeeds("env", "--json"))
        running.variables["LOCAL_SAGEMAKER_PORT"] = url["AWS_ENDPOINT_URL_SAGEMAKER"].rpartition(":")[2]
        running.variables["LOCAL_AWS_PORT"] = url["AWS_ENDPOINT_URL"].rpartition(":")[2]


def test_up_names_the_python_of_jobs(shell: Shell, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True)
    site = next((tmp_path / "other" / "lib").iterdir()) / "site-packages"
    (site / "only_there.py").write_text("VALUE = 42\n")
    shell.succeeds("up", "--python", "other/bin/python", AWS_DEFAULT_REGION="eu-west-3")
    program = """
import boto3, time
sagemaker = boto3.client("sagemaker")
assert sagemaker.meta.region_name == "eu-west-3"
sagemaker.create_processing_job(
    ProcessingJobName="job",
    RoleArn="arn:aws:iam::111122223333:role/any",
    AppSpecification={"ImageUri": "any", "ContainerEntrypoint": ["python3", "-c", "import only_there"]},
    ProcessingResources={
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    },
)
status = "InProgress"
while status == "InProgress":
    time.sleep(0.05)
    job = sagemaker.describe_processing_job(ProcessingJobName="job")
    status = job["ProcessingJobStatus"]
print(status, job.get("FailureReason", ""))
"""
    assert shell.succeeds("run", "--", sys.executable, "-c", program) == "Completed \n"
    assert json.loads((shell.folder / ".local" / "services.json").read_text())["settings"]["python"] == str(
        tmp_path / "other" / "bin" / "python"
    )


def test_help_names_all_commands_and_variables(running: Shell) -> None:
    said = running.succeeds("--help")
    for word in ("up", "down", "status", "reset", "env", "run", "LOCAL_SAGEMAKER_HOME", "LOCAL_AWS_PORT"):
        assert word in said
    done = running()
    assert (done.returncode, done.stdout, done.stderr) == (2, said, "")
    for command in ("up", "down", "status", "reset", "env", "run"):
        assert f"local-sagemaker {command}" in running.succeeds(command, "--help")


def test_the_module_is_the_command(running: Shell) -> None:
    done = running.run(sys.executable, "-m", "local_sagemaker", "status", "--json")
    assert json.loads(done.stdout)["running"]


def test_an_interrupted_start_is_no_traceback(shell: Shell) -> None:
    with shell.start("local-sagemaker", "up") as process:
        assert process.stderr is not None
        assert "starting" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 130
    shell.succeeds("up")
    assert json.loads(shell.succeeds("status", "--json"))["running"]
