"""`retrain local` on real local services, and what a project's jobs see of the platform."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import COMMAND, make_project

WHO = (
    "import boto3, os; print(boto3.client('sts').get_caller_identity()['Account'],"
    " boto3.client('sagemaker').meta.region_name, os.environ['MLFLOW_TRACKING_URI'])"
)


class Shell:
    """A user's shell in a project's folder."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.variables = {"PATH": os.environ["PATH"], "HOME": str(project / "home")}

    def run(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words,
            cwd=self.project,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def local(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return self.run(*COMMAND, "local", *words, **variables)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(make_project(tmp_path_factory.mktemp("it's a project")))
    done = shell.local("up")
    assert done.returncode == 0, done.stderr
    yield shell
    shell.local("down")


def test_env_is_lines_for_a_shell(shell: Shell) -> None:
    done = shell.local("env")
    assert done.returncode == 0, done.stderr
    values = json.loads(shell.local("env", "--json").stdout)
    assert values["MLFLOW_TRACKING_URI"] == f"sqlite:///{shell.project}/.local/mlflow.db"
    assert values["AWS_ACCESS_KEY_ID"] == "111122223333"
    assert values["AWS_REGION"] == values["AWS_DEFAULT_REGION"] == "eu-west-1"
    read = {}
    for line in done.stdout.splitlines():
        assert line.startswith("export ")
        (assignment,) = shlex.split(line.removeprefix("export "))
        name, _, read[name] = assignment.partition("=")
    assert read == values


def test_eval_of_env_leads_clients_here(shell: Shell) -> None:
    expected = f"111122223333 eu-west-1 sqlite:///{shell.project}/.local/mlflow.db\n"
    program = f'eval "$({shlex.join(COMMAND)} local env)" && exec {sys.executable} -c "$0"'
    done = shell.run("sh", "-c", program, WHO, AWS_PROFILE="work", AWS_REGION="us-east-2")
    assert (done.stdout, done.stderr) == (expected, "")


def test_keys_alone_are_refused_with_the_command_that_has_the_token(shell: Shell) -> None:
    variables = json.loads(shell.local("env", "--json").stdout)
    del variables["AWS_SESSION_TOKEN"]
    done = shell.run(sys.executable, "-c", WHO, **variables)
    assert done.returncode == 1
    assert "InvalidClientTokenId" in done.stderr.splitlines()[-1]
    assert "`retrain local env`" in done.stderr.splitlines()[-1]


def test_the_emulators_own_command_shows_the_same(shell: Shell) -> None:
    done = shell.run(sys.executable, "-m", "local_sagemaker", "env", "--json")
    assert json.loads(done.stdout) == json.loads(shell.local("env", "--json").stdout)


def test_run_is_the_program_with_these_variables(shell: Shell) -> None:
    done = shell.local("run", "--", sys.executable, "-c", f"{WHO}; raise SystemExit(4)", "--env", "x")
    expected = f"111122223333 eu-west-1 sqlite:///{shell.project}/.local/mlflow.db\n"
    assert (done.returncode, done.stdout, done.stderr) == (4, expected, "")
    done = shell.local("run", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + 9
    done = shell.local("run", "--", "no-such-program")
    assert (done.returncode, done.stderr) == (127, "no-such-program: no such program\n")


def test_run_without_a_command_is_one_line(shell: Shell) -> None:
    for words in (["run"], ["run", "--"]):
        done = shell.local(*words)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert "the COMMAND is missing, as in `retrain local run -- python groups.py`" in line


def test_run_starts_the_services_and_env_needs_them(tmp_path: Path) -> None:
    shell = Shell(make_project(tmp_path))
    done = shell.local("env")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: the local services are not running: start them with `retrain local up`\n"
    try:
        done = shell.local("run", "--", sys.executable, "-c", WHO)
        assert done.returncode == 0, done.stderr
        assert json.loads(shell.local("status", "--json").stdout)["running"]
        assert "retrain local env" in shell.local("status").stdout
    finally:
        shell.local("down")
    assert "retrain local env" not in shell.local("status").stdout


def test_status_in_json_has_the_keys_it_always_had(shell: Shell) -> None:
    state = json.loads(shell.local("status", "--json").stdout)
    assert set(state) == {"running", "services", "root"}
    assert [set(service) for service in state["services"]] == [{"name", "url", "pid", "healthy"}] * 2


@pytest.mark.parametrize("module", ["retraining", "job_toolkit", "local_sagemaker"])
def test_a_job_does_not_see_the_platform(shell: Shell, module: str) -> None:
    """As on SageMaker: what a job needs comes with its code. A copy in its code folder is used."""
    name = f"imports-{module.replace('_', '-')}"
    script = (
        f"python3 -c 'import mlflow.version, {module}' 2> error.txt && exit 9; tail -n 1 error.txt;"
        f" mkdir {module} && echo 'print(\"its own copy\")' > {module}/__init__.py"
        f" && python3 -c 'import {module}'"
    )
    program = f"""
import boto3
boto3.client("sagemaker").create_processing_job(
    ProcessingJobName={name!r},
    RoleArn="arn:aws:iam::111122223333:role/any",
    AppSpecification={{"ImageUri": "any", "ContainerEntrypoint": ["/bin/sh", "-c", {script!r}]}},
    ProcessingResources={{
        "ClusterConfig": {{"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}
    }},
)
"""
    done = shell.local("run", "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    log = shell.project / ".local" / "jobs" / name / "log.txt"
    deadline = time.monotonic() + 60
    while not (log.is_file() and "[local-sagemaker] Completed" in log.read_text()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    assert f"No module named '{module}'" in log.read_text()
    assert "its own copy" in log.read_text()


SERVICES = {"boto3", "botocore", "sqlite3", "local_sagemaker.core.settings", "local_sagemaker.daemon"}


@pytest.mark.parametrize("words", [["check"], ["--help"], ["local", "--help"], ["models", "--help"]])
def test_commands_that_need_no_services_do_not_load_them(project: Path, words: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['retrain', *{words!r}]\n"
        "from retraining.cli.app import app\napp(standalone_mode=False)\n"
        f"print(sorted({SERVICES!r} & set(sys.modules)))"
    )
    done = Shell(project).run(sys.executable, "-c", code)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
