"""Tuning jobs when the services end, orderly or not, or run out of time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_to_run import beside
from pipelines_to_run import until
from tuning_jobs_to_run import BOWL, arguments, put_source

from local_sagemaker.container import sandbox
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Store
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.jobs.tuning import request as tuning
from local_sagemaker.jobs.tuning.search import Random

KIND = tuning.KIND


@pytest.fixture
def settings(local: Settings, tmp_path: Path) -> Settings:
    """A root of its own beside the running services."""
    return beside(local, tmp_path / "root")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    yield store
    store.close()


@pytest.fixture
def jobs(settings: Settings, store: Store) -> Iterator[Jobs]:
    jobs = Jobs(settings, store)
    yield jobs
    jobs.close()


def request(settings: Settings, name: str, body: str, **options: Any) -> dict[str, Any]:
    source = put_source(settings, f"{name}/source.tar.gz", body)
    made = arguments(source, f"s3://{settings.bucket}/{name}/out", **options)
    return {"HyperParameterTuningJobName": name, **made}


def children(jobs: Jobs, name: str) -> list[str]:
    arn = jobs.describe(KIND, name)["HyperParameterTuningJobArn"]
    return [job["TrainingJobStatus"] for job in jobs.children("training-job", arn)]


def test_close_ends_tuning_jobs_and_says_so(jobs: Jobs, settings: Settings, name: str) -> None:
    jobs.create(KIND, request(settings, name, "time.sleep(300)", parallel=2))
    until(lambda: len(children(jobs, name)) == 2)
    jobs.close()
    job = jobs.describe(KIND, name)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError: the local services were stopped")
    assert children(jobs, name) == ["Failed", "Failed"]
    assert job["TrainingJobStatusCounters"]["RetryableError"] == 2
    with pytest.raises(ValidationError, match="are stopping"):
        jobs.create(KIND, request(settings, f"{name}-late", "time.sleep(300)"))


def test_what_a_killed_server_left_running_has_failed(
    jobs: Jobs, settings: Settings, store: Store, name: str
) -> None:
    """Another `Jobs` on the same documents is what a restart is."""
    jobs.create(KIND, request(settings, name, "time.sleep(300)", parallel=2))
    until(lambda: len(children(jobs, name)) == 2)
    Jobs(settings, store).recover()
    job = jobs.describe(KIND, name)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError")
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 2}


def test_the_time_is_limited(
    jobs: Jobs, settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API takes 120 seconds and more; here it is less."""
    body = "print('loss=1', flush=True)\ntime.sleep(300)"
    limits = {"MaxRuntimeInSeconds": 3}
    started = time.monotonic()
    jobs.create(KIND, request(settings, name, body, limits=limits, jobs=50))
    job = jobs.wait(KIND, name)
    assert time.monotonic() - started >= 3.0
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert children(jobs, name) == ["Stopped"]
    assert job["BestTrainingJob"]["TrainingJobStatus"] == "Stopped"
    assert job["ConsumedResources"]["RuntimeInSeconds"] >= 3


@pytest.mark.parametrize("pause", [0.0, 0.1, 0.2, 0.4])
def test_stop_is_heard_at_any_moment(jobs: Jobs, settings: Settings, name: str, pause: float) -> None:
    jobs.create(KIND, request(settings, name, "time.sleep(300)", parallel=2))
    time.sleep(pause)
    jobs.stop(KIND, name)
    assert jobs.wait(KIND, name)["HyperParameterTuningJobStatus"] == "Stopped"
    assert set(children(jobs, name)) <= {"Stopped"}


def test_a_defect_of_a_search_ends_the_tuning_job(
    jobs: Jobs, settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose = Random.propose

    def broken(self: Random, trials: Any) -> Any:
        if trials:
            raise ZeroDivisionError("of ours")
        return propose(self, trials)

    monkeypatch.setattr(Random, "propose", broken)
    jobs.create(KIND, request(settings, name, "time.sleep(300)", parallel=2))
    job = jobs.wait(KIND, name)
    assert job["FailureReason"] == "LocalServiceError: ZeroDivisionError: of ours"
    assert children(jobs, name) == ["Stopped"]


def test_without_namespaces_paths_are_rewritten_in_programs_too(
    jobs: Jobs, settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "detect", sandbox.Rewriting)
    jobs.create(KIND, request(settings, name, BOWL, jobs=1))
    assert jobs.wait(KIND, name)["HyperParameterTuningJobStatus"] == "Completed"
