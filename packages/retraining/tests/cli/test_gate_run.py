"""A pipeline of every step class, run on this machine: tuning, repacking, transform, the champion's gate."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from projects import make_project

from local_sagemaker.daemon import stack
from retraining.cli import run_report
from retraining.cli.run import NotSucceeded, run_pipeline
from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.results import evaluations
from retraining.runs import targets
from retraining.runs.executions import Execution

MODEL = Path(__file__).parent / "churn"


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configuration]:
    """A project of one model, with its local services running and its input in S3."""
    folder = make_project(tmp_path_factory.mktemp("churn"))
    shutil.rmtree(folder / "models")
    shutil.copytree(
        MODEL, folder / "models" / "churn", ignore=shutil.ignore_patterns("__pycache__", "notify.py")
    )
    (folder / "conf" / "pipeline.yaml").unlink()  # the model's own file has it, as in AWS's framework
    shutil.copy(MODEL / "notify.py", folder / "lambdas" / "notify.py")
    path = folder / "conf" / "project.yaml"
    path.write_text(path.read_text().replace("SMP_MODELNAME: scarcegan", "SMP_MODELNAME: churn"))
    loaded = configuration.load(folder)
    settings = targets.local_settings(loaded)
    stack.up(settings)
    rows = "".join(f"{int(index % 20 > 8)},{(index % 20) / 18:.3f}\n" for index in range(200))
    settings.client("s3").put_object(Bucket=settings.bucket, Key="customers/all.csv", Body=rows.encode())
    yield loaded
    stack.down(settings)


@pytest.fixture(autouse=True)
def _there(churn: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in targets.local_settings(churn).environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def ran(churn: Configuration, *parameters: str) -> Execution:
    return run_pipeline(churn, "local", list(parameters)).execution


def outputs(execution: Execution, step: str) -> dict[str, str]:
    run_step = next(item for item in execution.steps if item.name == step)
    return {item["Name"]: item["Value"] for item in run_step.metadata["Lambda"]["OutputParameters"]}


def packages() -> list[dict[str, Any]]:
    client = boto3.client("sagemaker")
    listed = client.list_model_packages(
        ModelPackageGroupName="demo-churn", SortBy="CreationTime", SortOrder="Ascending"
    )
    return [
        client.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        for item in listed["ModelPackageSummaryList"]
    ]


def test_the_first_run_registers_what_keeps_the_threshold(churn: Configuration) -> None:
    execution = ran(churn)
    assert execution.status == "Succeeded"
    assert "no version is approved yet" in outputs(execution, "GateChampion")["reason"]
    told = json.loads(outputs(execution, "Notify")["told"])
    assert told == {"who": "everybody", "group": "demo-churn"}
    (package,) = packages()
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    container = package["InferenceSpecification"]["Containers"][0]
    assert "Tune-RepackModel" in container["ModelDataUrl"]
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/quality.json")


def test_a_champion_that_is_better_stops_the_registration(churn: Configuration) -> None:
    (first,) = packages()
    uri = first["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    # The champion's figure at the time of its registration: better than any model of this data can be.
    better = {"binary_classification_metrics": {"accuracy": {"value": 0.999, "standard_deviation": "NaN"}}}
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(better).encode())
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=first["ModelPackageArn"], ModelApprovalStatus="Approved"
    )
    with pytest.raises(UserError, match=r"accuracy\.value is 0\.9\d*, but it must be .* has 0\.999"):
        ran(churn)
    assert len(packages()) == 1


def test_within_the_tolerance_the_next_version_is_registered(churn: Configuration) -> None:
    execution = ran(churn, "Tolerance=0.3", "Who=the team")
    assert execution.status == "Succeeded"
    reason = outputs(execution, "GateChampion")["reason"]
    assert "the champion demo-churn/1 has 0.999, tolerance 0.3" in reason
    assert json.loads(outputs(execution, "Notify")["told"])["who"] == "the team"
    assert {step.name for step in execution.steps if step.cache_hit} >= {"Preprocess", "Tune"}
    assert len(packages()) == 2


def test_below_the_threshold_nothing_is_registered(
    churn: Configuration, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotSucceeded, match=r"must be at least 0\.99999, the minimum") as caught:
        ran(churn, "MinimumAccuracy=0.99999", "Tolerance=0.3")
    assert len(packages()) == 2
    run_report.show_failed(churn, caught.value.result)
    (evaluation,) = evaluations.evaluations_of(churn, caught.value.result.execution)
    (candidate,) = evaluation.candidates
    assert (evaluation.report, candidate.model, candidate.name) == (None, "churn", "")
    assert f"churn {candidate.metrics['accuracy']:.3f}" in " ".join(capsys.readouterr().out.split())
