"""The command line itself: global options, subfolders, closed pipes, Ctrl-C, ports."""

import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from projects import COMMAND, make_project

from local_sagemaker.daemon import stack
from local_sagemaker.testing import free_ports
from retraining.cli.options import global_options_first
from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.runs import job_log, targets

VARIABLES = ("LOCAL_SAGEMAKER_PORT", "LOCAL_AWS_PORT")


@pytest.fixture(autouse=True)
def no_port_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def retrain(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("check --env prod", "--env prod check"),
        ("--debug check --json --env=prod", "--debug --env=prod check --json"),
        ("run --project a --param Epochs=1", "--project a run --param Epochs=1"),
        ("data --seed 3 -- --env prod", "data --seed 3 -- --env prod"),
        ("data --debug --players 4 -- --debug", "--debug data --players 4 -- --debug"),
        ("", ""),
    ],
)
def test_options_of_all_commands_may_stand_anywhere(given: str, expected: str) -> None:
    assert global_options_first(given.split()) == expected.split()


def test_a_global_option_without_its_value_is_refused() -> None:
    with pytest.raises(UserError, match="--env: a name must follow"):
        global_options_first(["check", "--env"])


@pytest.mark.parametrize("group", [[], ["models"], ["local"], ["schedule"]])
def test_the_help_cuts_no_summary_short(group: list[str], tmp_path: Path) -> None:
    words = retrain(tmp_path, *group, "--help").stdout
    summaries = words.partition("Commands:\n")[2].splitlines()
    assert summaries
    assert [line for line in summaries if line.endswith("...")] == []


def test_the_project_is_found_from_a_folder_below_it(project: Path) -> None:
    below = project / "models" / "scarcegan"
    done = retrain(below, "definition", "--out", "here.json")
    assert done.returncode == 0, done.stderr
    assert (below / "here.json").is_file()
    elsewhere = retrain(project.parent, "check", "--project", str(below))
    assert elsewhere.returncode == 0, elsewhere.stderr
    lost = retrain(project.parent, "check")
    assert lost.returncode == 2
    assert "no conf/project.yaml here or above" in lost.stderr


def test_environments_after_the_command(project: Path) -> None:
    (project / "conf" / "prod.yaml").write_text("description: of prod\n")
    assert retrain(project, "check", "--env", "prod").returncode == 0
    wrong = retrain(project, "check", "--env", "prd")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'prod'" in wrong.stderr


def test_a_closed_pipe_makes_no_noise(project: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(project)}
    for command in ("check", "definition"):
        process = subprocess.Popen(
            [*COMMAND, command],
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(), said) == (1, "")


def test_another_shell_finds_the_services_where_they_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = configuration.load(project)
    first, second, *other = free_ports(4)
    for name, port in zip(VARIABLES, (first, second), strict=True):
        monkeypatch.setenv(name, str(port))
    targets.prepare("local", loaded, lambda _: None)
    pids = [service["pid"] for service in targets.local_status(targets.local_settings(loaded))["services"]]
    try:
        for name in VARIABLES:
            monkeypatch.delenv(name)
        running = stack.running(project / ".local")
        assert running is not None
        assert (running.sagemaker_port, running.aws_port) == (first, second)
        said: list[str] = []
        targets.prepare("local", loaded, said.append)
        status = targets.local_status(targets.local_settings(loaded))
        assert (said, [service["pid"] for service in status["services"]]) == ([], pids)
        assert status["running"]
        for name, port in zip(VARIABLES, other, strict=True):
            monkeypatch.setenv(name, str(port))
        assert targets.local_settings(loaded).sagemaker_port == other[0]
    finally:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        assert targets.stop_local(targets.local_settings(loaded))
    assert stack.running(project / ".local") is None
    assert targets.local_settings(loaded).sagemaker_port == loaded.project.local.sagemaker_port


def test_equal_ports_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: Configuration = configuration.load(make_project(project / "other"))
    monkeypatch.setenv("LOCAL_AWS_PORT", str(loaded.project.local.sagemaker_port))
    with pytest.raises(UserError, match=r"are both [0-9]+: give them different ports"):
        targets.local_settings(loaded)


def test_the_last_lines_of_a_log_are_the_scripts_own() -> None:
    frames = [f"  line {number}" for number in range(20)]
    log = [
        "+ python3 train.py",
        "epoch 1",
        "Traceback (most recent call last):",
        *frames,
        "ValueError: no rows",
        "Command failed with exit code 1. Traceback: Traceback (most recent call last):",
        "  of the driver",
        "+ exit 1",
        "An error occurred with exit code 1",
        "[local-sagemaker] Failed: AlgorithmError: no rows",
    ]
    assert job_log.useful(log) == [*frames[-11:], "ValueError: no rows"]
    assert job_log.useful(["a", "+ b", "", "c", "An error occurred with exit code 3"]) == ["a", "c"]


def test_a_traceback_has_the_indentation_that_the_driver_took() -> None:
    log = [
        "Requirement already satisfied: lightgbm 4.7.0",
        "Executing command: /opt/ml/env/bin/python3 train.py --seed 7",
        "Traceback (most recent call last):",
        'File "/opt/ml/code/train.py", line 3, in <module>',
        "main()",
        "^^^^^^",
        'File "<frozen>", line 1, in main',
        'File "/opt/ml/code/train.py", line 2, in main',
        "raise ValueError(text)",
        "ValueError: no rows",
    ]
    assert job_log.useful(log) == [
        "Traceback (most recent call last):",
        '  File "/opt/ml/code/train.py", line 3, in <module>',
        "    main()",
        '  File "<frozen>", line 1, in main',
        '  File "/opt/ml/code/train.py", line 2, in main',
        "    raise ValueError(text)",
        "ValueError: no rows",
    ]
    assert job_log.useful([*log[:2], "SM_HOSTS=[]", "Error: no rows"]) == ["Error: no rows"]


def test_the_drivers_setup_is_no_last_line() -> None:
    setup = [
        "[local-sagemaker] channel 'train': 1 object from s3://b/train",
        "++ /opt/ml/env/bin/python3 /opt/ml/input/data/sm_drivers/scripts/environment.py",
        "Environment Variables:",
        "TRAINING_JOB_ARN=arn:aws:sagemaker:eu-west-1:111122223333:training-job/a",
        "OLDPWD=/",
        "_=/opt/ml/env/bin/python3",
        "SM_HOSTS=['algo-1']",
        "++ set +x",
    ]
    installing = [
        "++ echo 'Installing requirements'",
        "Installing requirements",
        "ERROR: No matching distribution loaded for lightgmb",
    ]
    script = ["Executing command: /opt/ml/env/bin/python3 train.py --epochs 0"]
    verdict = [
        "Command failed with exit code 1. Traceback: Traceback (most recent call last):",
        "  of the driver",
    ]
    assert job_log.useful([*setup, *installing]) == installing[-1:]
    assert job_log.useful(
        [*setup, *script, "epoch 1", "Executing command: ls", "Error: epochs", *verdict]
    ) == [
        "epoch 1",
        "Error: epochs",
    ]
    assert job_log.useful([*setup, *script, *verdict]) == []


def test_what_a_processing_job_lists_is_no_last_line() -> None:
    log = [
        "[local-sagemaker] input 'risky': 1 of 1 object from s3://b/data/risky/",
        "Files in /opt/ml/processing/input/code/ before extraction:",
        "total 56",
        "drwxr-xr-x 2 root root  4096 Nov 21 19:38 .",
        "Files after extraction:",
        "-rw-r--r--. 1 root root 37033 Nov 21 19:42 sourcedir.tar.gz",
        "WARNING: Skipping typing as it is not installed.",
        "total 3 rows",
        "Error: no rows",
        "[local-sagemaker] Failed: AlgorithmError: Error: no rows, exit code: 1",
    ]
    assert job_log.useful(log) == ["total 3 rows", "Error: no rows"]


def test_what_the_reason_says_is_not_said_before_it() -> None:
    reason = "AlgorithmError: Error: epochs: 0 is out of range, exit code: 1"
    assert job_log.without_reason(["Error: epochs: 0 is out of range"], reason) == []
    assert job_log.without_reason(["epoch 1", "Error: epochs: 0 is  out of range"], reason) == ["epoch 1"]
    assert job_log.without_reason(["epoch 1", "no memory"], reason) == ["epoch 1", "no memory"]
    traceback = ['  File "train.py", line 3, in <module>', "    main()", "ValueError: no rows"]
    assert job_log.without_reason(traceback, "AlgorithmError: ValueError: no rows, exit code: 1") == traceback
    assert job_log.without_reason([], reason) == []


def test_all_ports_in_use_are_named_with_mlflows(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = configuration.load(project).project.local
    monkeypatch.delenv("LOCAL_MLFLOW_PORT", raising=False)
    wanted = (ports.sagemaker_port, ports.aws_port, ports.mlflow_port)
    with contextlib.ExitStack() as taken:
        for port in wanted:
            taken.enter_context(socket.create_server(("127.0.0.1", port)))
        done = retrain(project, "local", "up")
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert done.returncode == 2
    assert [line.split()[2] for line in lines] == [str(port) for port in wanted]
    for name, line in zip((*VARIABLES, "LOCAL_MLFLOW_PORT"), lines, strict=True):
        assert line.endswith(f"in conf/project.yaml or the variable {name}")


def test_check_counts_the_steps_that_graph_and_plan_show(project: Path) -> None:
    checked = json.loads(retrain(project, "check", "--json").stdout)["steps"]
    drawn = json.loads(retrain(project, "graph", "--json").stdout)["nodes"]
    assert checked == [node["name"] for node in drawn]
    assert "QualityGateFailed" in checked


def test_check_says_values_as_yaml_has_them(project: Path) -> None:
    lines = [line.split() for line in retrain(project, "check").stdout.splitlines()]
    assert ["CrossValidation", "true"] in lines
    assert ["Epochs", "20"] in lines


def test_a_written_definition_is_named(project: Path) -> None:
    done = retrain(project, "definition", "--out", "pipeline.json")
    assert (done.returncode, done.stdout) == (0, "wrote pipeline.json\n")
    assert json.loads((project / "pipeline.json").read_text())["Steps"]


def test_of_several_instances_the_first_to_end_comes_first() -> None:
    logs = {
        "algo-1-1700000000": [{"timestamp": 5, "message": "lost algo-2"}],
        "algo-2-1700000000": [
            {"timestamp": 2, "message": "a\nb"},
            {"timestamp": 3, "message": "no memory"},
        ],
        "algo-3-1700000000": [],
    }
    assert job_log.last_lines_of(logs) == [
        "algo-2 | a",
        "algo-2 | b",
        "algo-2 | no memory",
        "algo-1 | lost algo-2",
    ]
    assert job_log.last_lines_of({"algo-1-1700000000": logs["algo-2-1700000000"]}) == ["a", "b", "no memory"]
