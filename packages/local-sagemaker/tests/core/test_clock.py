"""A clock that is set back ends nothing before its start."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipelines_to_run import ROLE, Runner, definition, processing, step

from local_sagemaker.core import clock
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import stack
from local_sagemaker.testing import make_settings

HOUR = 3600.0
# A module that Python imports at its start: the time of day is off by what a file says.
SITE = """
import pathlib, time
_time, _file = time.time, pathlib.Path({file!r})
time.time = lambda: _time() + float(_file.read_text())
"""


@given(st.lists(st.floats(-1e6, 1e6), max_size=20))
def test_time_never_goes_back(offsets: list[float]) -> None:
    real = time.time
    last = clock.now()
    for offset in offsets:
        time.time = lambda offset=offset: real() + offset
        try:
            last, earlier = clock.now(), last
        finally:
            time.time = real
        assert last >= earlier


def test_what_an_earlier_process_noted_is_not_after_now() -> None:
    future = time.time() + 1e9
    assert clock.now(future) == future
    assert clock.now() < future


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Services whose clock the file `offset` sets."""
    (tmp_path / "offset").write_text("0")
    (tmp_path / "sitecustomize.py").write_text(SITE.format(file=os.fspath(tmp_path / "offset")))
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    settings = make_settings(tmp_path / ".local")
    stack.up(settings)
    yield settings
    stack.down(settings)


def set_clock(settings: Settings, offset: float) -> None:
    draft = settings.root.parent / "offset.new"
    draft.write_text(str(offset))
    draft.replace(settings.root.parent / "offset")


def test_jobs_and_steps_end_after_they_start(settings: Settings) -> None:
    client = settings.client("sagemaker")
    runner = Runner(client)
    gate = settings.root / "gate"
    script = f"echo it runs; while [ ! -e {gate} ]; do sleep 0.05; done"
    steps = definition(step("Waits", "Processing", processing(script)))
    client.create_pipeline(PipelineName="a", PipelineDefinition=steps, RoleArn=ROLE)
    arn = client.start_pipeline_execution(PipelineName="a")["PipelineExecutionArn"]
    for name in ("alone", "cut-off"):
        client.create_processing_job(**processing(script), ProcessingJobName=name)
    logs = [settings.job_log(name) for name in ("alone", "cut-off")]
    while not all(log.exists() and "it runs" in log.read_text() for log in logs):
        time.sleep(0.05)
    set_clock(settings, -HOUR)
    gate.touch()
    runner.wait(arn)
    client.create_processing_job(**processing("sleep 300"), ProcessingJobName="left-over")
    stack.down(settings)
    set_clock(settings, -2 * HOUR)
    stack.up(settings)

    execution = client.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert execution["LastModifiedTime"] >= execution["CreationTime"]
    (record,) = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert record["EndTime"] >= record["StartTime"] >= execution["CreationTime"]
    for summary in client.list_processing_jobs()["ProcessingJobSummaries"]:
        job = client.describe_processing_job(ProcessingJobName=summary["ProcessingJobName"])
        assert job["CreationTime"] <= job.get("ProcessingStartTime", job["CreationTime"])
        assert job.get("ProcessingStartTime", job["CreationTime"]) <= job["ProcessingEndTime"]
        assert job["ProcessingEndTime"] <= job["LastModifiedTime"]
