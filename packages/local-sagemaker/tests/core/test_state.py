"""State outlives versions: what earlier versions wrote is opened, migrated and used."""

import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipelines_to_run import Runner

from local_sagemaker.core import store
from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import StateError, Store
from local_sagemaker.daemon import stack
from local_sagemaker.testing import make_settings

STATE_1 = Path(__file__).parent / "state_1"


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def write_state_1(settings: Settings) -> None:
    """The folder as the version before `user_version` left it."""
    settings.root.mkdir(parents=True)
    with tarfile.open(STATE_1 / "files.tar.gz") as archive:
        archive.extractall(settings.root, filter="data")
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.executescript((STATE_1 / "sagemaker.sql").read_text())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Services of today on the state of version 1."""
    settings = make_settings(tmp_path_factory.mktemp("state") / ".local")
    write_state_1(settings)
    assert version(settings.database) == 0
    stack.up(settings)
    yield settings
    stack.down(settings)


@pytest.fixture(scope="module")
def sagemaker(settings: Settings) -> Any:
    return settings.client("sagemaker")


def test_the_earlier_state_is_listed(settings: Settings, sagemaker: Any) -> None:
    assert version(settings.database) == store.VERSION
    pipelines = sagemaker.list_pipelines()["PipelineSummaries"]
    assert [pipeline["PipelineName"] for pipeline in pipelines] == ["three-steps"]
    executions = sagemaker.list_pipeline_executions(PipelineName="three-steps")["PipelineExecutionSummaries"]
    statuses = [execution["PipelineExecutionStatus"] for execution in executions]
    assert statuses == ["Failed", "Succeeded", "Succeeded"]
    reason = sagemaker.describe_pipeline_execution(
        PipelineExecutionArn=executions[0]["PipelineExecutionArn"]
    )["FailureReason"]
    assert "the mean is 4.0 and the limit 100" in reason
    steps = Runner(sagemaker).statuses(executions[-1]["PipelineExecutionArn"])
    assert steps == dict.fromkeys(("Prepare", "Train", "Gate", "Score"), "Succeeded")
    jobs = sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert [job["ProcessingJobStatus"] for job in jobs] == ["Completed"] * 3
    (training,) = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    described = sagemaker.describe_training_job(TrainingJobName=training["TrainingJobName"])
    assert [metric["Value"] for metric in described["FinalMetricDataList"]] == [4.0]
    assert "mean=4.0" in settings.job_log(training["TrainingJobName"]).read_text()


def test_the_earlier_registry_is_listed(settings: Settings, sagemaker: Any) -> None:
    (group,) = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    tags = sagemaker.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "red"}]
    packages = sagemaker.list_model_packages(ModelPackageGroupName="three-steps")["ModelPackageSummaryList"]
    approvals = [(package["ModelPackageVersion"], package["ModelApprovalStatus"]) for package in packages]
    assert approvals == [(2, "Approved"), (1, "PendingManualApproval")]


def test_the_earlier_pipeline_runs_and_reuses_earlier_results(settings: Settings, sagemaker: Any) -> None:
    runner = Runner(sagemaker)
    first = sagemaker.list_pipeline_executions(PipelineName="three-steps", SortOrder="Ascending")
    source = first["PipelineExecutionSummaries"][0]["PipelineExecutionArn"]
    done = runner.wait(runner.start("three-steps", {"Limit": "2"}))
    assert done["PipelineExecutionStatus"] == "Succeeded"
    steps = runner.steps(done["PipelineExecutionArn"])
    for name in ("Prepare", "Train"):
        assert steps[name]["CacheHitResult"]["SourcePipelineExecutionArn"] == source
    bucket = "three-steps-123456789012"
    body = settings.client("s3").get_object(Bucket=bucket, Key="scores/score.json")["Body"].read()
    assert body == b'{"score": 0.4}'
    source = settings.client("s3").get_object(Bucket=bucket, Key="rows/rows.csv")["Body"].read()
    assert source == b"1\n2\n3\n"


def test_a_newer_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / ".local")
    stack.reset(settings)
    write_state_1(settings)
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute(f"PRAGMA user_version = {store.VERSION + 1}")
    before = settings.database.read_bytes()
    with pytest.raises(LocalError) as caught:
        stack.up(settings)
    assert str(caught.value) == (
        f"{settings.database} was written by a newer version of local-sagemaker: it is state"
        f" {store.VERSION + 1}, and this version knows none after {store.VERSION}: run"
        " `local-sagemaker reset` to start with an empty folder (its contents are removed)"
    )
    assert settings.database.read_bytes() == before
    with pytest.raises(StateError):
        Store(settings.database)


def test_a_new_state_is_of_this_version(tmp_path: Path) -> None:
    Store(tmp_path / "new.db").close()
    assert version(tmp_path / "new.db") == store.VERSION


def _of_version(path: Path, number: int, monkeypatch: pytest.MonkeyPatch, statements: list[str]) -> None:
    """A database that a program with the first `number` of these migrations made."""
    with monkeypatch.context() as earlier:
        earlier.setattr(store, "_MIGRATIONS", (*store._MIGRATIONS, *statements)[:number])
        earlier.setattr(store, "VERSION", number)
        Store(path).close()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_earlier_version_is_migrated_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    later = [
        "ALTER TABLE documents ADD COLUMN colour TEXT DEFAULT 'red'",
        "CREATE TABLE others AS SELECT key, colour FROM documents",
    ]
    path = tmp_path / "state.db"
    _of_version(path, 1, monkeypatch, later)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO documents (kind, key, created, body) VALUES ('job', 'a', 0, '{}')")
    _of_version(path, number, monkeypatch, later)
    assert version(path) == number
    _of_version(path, 3, monkeypatch, later)
    assert version(path) == 3
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM others").fetchall() == [("a", "red")]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    _of_version(path, 1, monkeypatch, [])
    broken = "CREATE TABLE others (a); INSERT INTO nowhere VALUES (1)"
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        _of_version(path, 2, monkeypatch, [broken])
    assert version(path) == 1
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert "others" not in tables


@given(st.binary(min_size=512, max_size=1024))
def test_what_is_no_database_is_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("state") / "sagemaker.db"
    path.write_bytes(content)
    with pytest.raises(StateError) as caught:
        store.check(path)
    assert len(str(caught.value).splitlines()) == 1
