"""The whole chain on real local services: the command line, five steps, the registry, MLflow."""

import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from projects import CANDIDATES, COMMAND, STEPS, make_project

from local_sagemaker.core.settings import Settings
from retraining.config import configuration
from retraining.runs.targets import local_settings


def small(**other: str) -> list[str]:
    """The parameters of a short run that passes the gate, or others."""
    values = {"Epochs": "2", "IterationsPerEpoch": "30", "CrossValidation": "false", "MinimumRecall": "0"}
    return [word for name, value in (values | other).items() for word in ("--param", f"{name}={value}")]


SMALL = small()
BUCKET = "sagemaker-eu-west-1-111122223333"


class Project:
    """A project with running local services and small sample data."""

    def __init__(self, root: Path) -> None:
        self.root = root
        home = root / "home"
        home.mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home)}

    def retrain(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        result = self.retrain(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    @property
    def settings(self) -> Settings:
        return local_settings(configuration.load(self.root))

    def read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.settings.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def put(self, key: str, content: bytes) -> str:
        self.settings.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key.rpartition('/')[0]}/"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(make_project(tmp_path_factory.mktemp("project with space")))
    result = project.retrain("data", "--players", "4000", "--days", "14")
    assert result.returncode == 0, result.stderr
    yield project
    project.retrain("local", "down")


@pytest.fixture(scope="module")
def first(ready: Project) -> "subprocess.CompletedProcess[str]":
    """The first run, which the tests of its results share."""
    return ready.retrain("run", *SMALL)


def test_a_run_registers_four_versions(ready: Project, first: "subprocess.CompletedProcess[str]") -> None:
    assert first.returncode == 0, first.stderr
    models = ready.json("models", "list")[:4]
    assert [model["candidate"] for model in models] == CANDIDATES
    assert {model["group"] for model in models} == {"demo-scarcegan"}
    assert [model["version"] for model in models] == [1, 2, 3, 4]
    execution = ready.json("runs")[-1]
    for model in models:
        assert set(model) == {
            "arn", "group", "version", "status", "candidate", "metrics", "model_quality_uri", "execution"
        }  # fmt: skip
        assert model["status"] == "PendingManualApproval"
        assert model["execution"] == execution["execution"]
        assert {"recall", "precision", "f1"} <= set(model["metrics"])
        quality = json.loads(ready.read(model["model_quality_uri"]))
        measured = quality["binary_classification_metrics"]["recall"]["value"]
        assert measured == pytest.approx(model["metrics"]["recall"])
    assert [step["name"] for step in execution["steps"]] == STEPS
    assert {step["status"] for step in execution["steps"]} == {"Succeeded"}


def test_what_a_person_sees_after_a_run(first: "subprocess.CompletedProcess[str]") -> None:
    for expected in (
        "4 model versions registered",
        "best-precision",
        "everything else",
        "MLflow run",
        "Next:",
    ):
        assert expected in first.stdout
    assert "\x1b[" not in first.stdout + first.stderr
    assert "Train: Succeeded" in first.stderr
    assert report_of(first.stdout).is_file()
    assert "--param Epochs=4 " in first.stdout


def report_of(shown: str) -> Path:
    (line,) = [line for line in shown.splitlines() if line.startswith("Report: ")]
    return Path(line.removeprefix("Report: "))


def test_nothing_changed_runs_no_job_and_registers_nothing(
    ready: Project, first: "subprocess.CompletedProcess[str]"
) -> None:
    before = ready.json("models", "list")
    jobs = len(list((ready.root / ".local" / "jobs").iterdir()))
    again = ready.retrain("run", *SMALL)
    assert again.returncode == 0, again.stderr
    assert "Nothing new registered" in again.stdout
    steps = {step["name"]: step for step in ready.json("runs")[0]["steps"]}
    assert [name for name, step in steps.items() if step["cache_hit"]] == ["Preprocess", "Train", "Evaluate"]
    assert ready.json("models", "list") == before
    assert len(list((ready.root / ".local" / "jobs").iterdir())) == jobs


def test_another_parameter_gives_four_more_and_a_comparable_run(
    ready: Project, first: "subprocess.CompletedProcess[str]"
) -> None:
    before = ready.json("models", "list")
    result = ready.retrain("run", *SMALL, "--param", "Leeway=0.3")
    assert result.returncode == 0, result.stderr
    steps = {step["name"]: step["cache_hit"] for step in ready.json("runs")[0]["steps"]}
    assert steps["Preprocess"]
    assert not steps["Train"]
    assert len(ready.json("models", "list")) == len(before) + 4
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{ready.root}/.local/mlflow.db")
    experiment = client.get_experiment_by_name("demo-retraining")
    assert experiment
    runs = client.search_runs([experiment.experiment_id])
    finished = [run for run in runs if run.info.status == "FINISHED"]
    assert {run.data.params["Leeway"] for run in finished} == {"0.1", "0.3"}
    for run in finished:
        assert "best-recall/recall" in run.data.metrics
        assert [point.step for point in client.get_metric_history(run.info.run_id, "generator_loss")] == [
            1,
            2,
        ]
        assert run.data.tags["sagemaker.model_package.0"].startswith("arn:aws:sagemaker:")
        assert run.data.tags["sagemaker.job.Train"].startswith("demo-Train-")
        bucket, _, prefix = str(run.info.artifact_uri).removeprefix("s3://").partition("/")
        listed = ready.settings.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
        names = {item["Key"][len(prefix) + 1 :] for item in listed}
        assert {"plots/loss_curves.png", "plots/precision_recall.png", "report.html"} <= names
        assert any(name.startswith("plots/confusion") for name in names)


def test_approve_and_reject(ready: Project, first: "subprocess.CompletedProcess[str]") -> None:
    assert ready.retrain("models", "approve", "1", "--reason", "better recall").returncode == 0
    assert ready.retrain("models", "reject", "demo-scarcegan/2").returncode == 0
    statuses = {model["version"]: model["status"] for model in ready.json("models", "list")}
    assert (statuses[1], statuses[2], statuses[3]) == ("Approved", "Rejected", "PendingManualApproval")
    assert ready.json("models", "show", "1")["approval_description"] == "better recall"
    unknown = ready.retrain("models", "approve", "99")
    assert unknown.returncode == 2
    assert "'99': no such version; registered: demo-scarcegan/1" in unknown.stderr


def test_the_gate_stops_registration_with_its_reason(
    ready: Project, first: "subprocess.CompletedProcess[str]"
) -> None:
    before = ready.json("models", "list")
    result = ready.retrain("run", *small(MinimumRecall="1.5"))
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: step QualityGateFailed failed: ")
    assert re.search(r"gate\.recall is [01](\.\d{1,3})?, below the minimum 1\.5$", last)
    assert ready.json("models", "list") == before
    newest = ready.json("runs")[0]
    assert "gate.recall is " in newest["failure"]
    assert [step["name"] for step in newest["steps"] if step["failure"]] == ["QualityGateFailed"]
    assert "QualityGateFailed failed" in ready.retrain("runs").stdout


def test_a_failed_gate_shows_what_was_measured_and_how_to_go_on(
    ready: Project, first: "subprocess.CompletedProcess[str]"
) -> None:
    shown = ready.retrain("run", *small(MinimumRecall="1.5")).stdout
    for expected in ("best-f1", "baseline", "average precision", "MLflow run", "Next:"):
        assert expected in shown
    assert report_of(shown).is_file()
    command = next(line for line in shown.splitlines() if "with a bound that they meet" in line)
    words = shlex.split(command.partition("#")[0])
    arguments = words[words.index("run") :]
    assert "Epochs=2" in arguments
    before = ready.json("models", "list")
    passed = ready.retrain(*arguments)
    assert passed.returncode == 0, passed.stderr
    assert ready.json("models", "list") == before


def rows(ready: Project) -> list[list[str]]:
    listed = ready.settings.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="data/risky/")["Contents"]
    text = ready.read(f"s3://{BUCKET}/{listed[0]['Key']}").decode()
    return list(csv.reader(io.StringIO(text)))


def damaged(table: list[list[str]], how: str) -> list[list[str]]:
    if how == "missing column":
        return [row[:5] + row[6:] for row in table]
    if how == "renamed column":
        return [[*table[0][:5], "renamed", *table[0][6:]], *table[1:]]
    if how == "text":
        return [*table[:3], [*table[3][:5], "many", *table[3][6:]], *table[4:]]
    if how == "nan":
        return [*table[:3], [*table[3][:5], "", *table[3][6:]], *table[4:]]
    return table[:1]


@pytest.mark.parametrize("how", ["missing column", "renamed column", "text", "nan", "empty class"])
def test_a_bad_file_ends_in_one_line(ready: Project, how: str) -> None:
    table = rows(ready)
    content = io.StringIO()
    csv.writer(content).writerows(damaged(table, how))
    uri = ready.put(f"bad/{how.replace(' ', '-')}/part-0000.csv", content.getvalue().encode())
    result = ready.retrain("run", *SMALL, "--param", f"RiskyData={uri}")
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert "step Preprocess failed" in lines[0]
    assert "risky" in lines[0]
    assert how == "empty class" or (table[0][5] in lines[0])
    assert "Traceback" not in result.stderr
    assert "/log.txt" in result.stderr
    registered = {model["execution"] for model in ready.json("models", "list")}
    assert ready.json("runs")[0]["execution"] not in registered


def test_a_bad_hyperparameter_is_said_once(ready: Project) -> None:
    result = ready.retrain("run", *small(Epochs="0"))
    assert result.returncode == 2
    said = result.stderr.splitlines()
    assert [line for line in said if "epochs: 0 is out of range" in line] == said[-1:]
    assert said[-2].startswith("log: ")
    assert Path(said[-2].removeprefix("log: ")).is_file()
    assert "TRAINING_JOB_ARN" not in result.stderr
    assert "Epochs=0" in ready.retrain("runs").stdout.splitlines()[1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Epoch=3", "--param Epoch: no such parameter; did you mean 'Epochs'?"),
        ("Epochs=three", "--param Epochs: a whole number is expected"),
        ("Leeway=nan", "--param Leeway: a number is expected (as in the default 0.1), not 'nan'"),
        ("ModelApprovalStatus=Yes", "one of PendingManualApproval, Approved, Rejected is expected"),
        ("Epochs", "write it as Name=value"),
        (f"RiskyData=s3://{BUCKET}/nothing/", "nothing/ holds no objects"),
        ("RiskyData=s3://no-such-bucket-here/x/", "no-such-bucket-here"),
        ("RiskyData=data/risky", "an S3 URI such as"),
    ],
)
def test_a_bad_parameter_starts_nothing(ready: Project, given: str, expected: str) -> None:
    before = len(ready.json("runs"))
    result = ready.retrain("run", "--param", given)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert len(ready.json("runs")) == before


def wait_for_step(ready: Project, name: str) -> str:
    for _ in range(240):
        newest = ready.json("runs")[0]
        if any(step["name"] == name and step["status"] == "Executing" for step in newest["steps"]):
            return str(newest["execution"])
        time.sleep(0.5)
    raise AssertionError(f"step {name} never began")


def killed_in_training(ready: Project, arguments: list[str]) -> str:
    """Start a run and kill its command, not its services, while it trains; the execution's ARN."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ready.root,
        env=ready.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    execution = wait_for_step(ready, "Train")
    process.send_signal(signal.SIGKILL)
    process.wait()
    return execution


def test_a_killed_command_is_followed_by_the_next(ready: Project) -> None:
    arguments = ["run", *small(IterationsPerEpoch="400", TrainingSeed="11")]
    execution = killed_in_training(ready, arguments)
    result = ready.retrain(*arguments)
    assert result.returncode == 0, result.stderr
    assert ready.json("runs")[0]["execution"] == execution
    registered = [model for model in ready.json("models", "list") if model["execution"] == execution]
    assert len(registered) == 4


def test_killed_services_are_noticed_and_finished_steps_kept(ready: Project) -> None:
    arguments = ["run", *small(IterationsPerEpoch="400", TrainingSeed="12")]
    execution = killed_in_training(ready, arguments)
    for service in ready.json("local", "status")["services"]:
        os.kill(service["pid"], signal.SIGKILL)
    result = ready.retrain(*arguments)
    assert result.returncode == 0, result.stderr
    assert "did not finish: the local services were stopped" in result.stderr
    newest, last = ready.json("runs")[:2]
    assert (last["execution"], last["status"]) == (execution, "Failed")
    assert {step["name"]: step["cache_hit"] for step in newest["steps"]}["Preprocess"]
    both = (newest["execution"], execution)
    assert len([model for model in ready.json("models", "list") if model["execution"] in both]) == 4
