"""Executions that are stopped, retried, or run in part."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipelines_to_run import SCORE, Runner, definition, report, shell, step, until

from local_sagemaker.core.settings import Settings


def test_stopping(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    text = definition(shell("Long", f"touch {flag}; sleep 600"), shell("Next", DependsOn=["Long"]))
    runner.create(name, text)
    arn = runner.start(name)
    until(flag.exists)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    done = runner.wait(arn)
    flag.unlink()
    assert done["PipelineExecutionStatus"] == "Stopped"
    assert runner.statuses(arn) == {"Long": "Stopped"}
    with pytest.raises(ClientError, match="it cannot be stopped"):
        runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)


@pytest.mark.parametrize("pause", [0.0, 0.03, 0.1, 0.2, 0.3])
def test_stopping_at_any_moment_of_the_start(runner: Runner, name: str, pause: float) -> None:
    runner.create(name, definition(shell("Long", "sleep 600"), shell("Next", DependsOn=["Long"])))
    arn = runner.start(name)
    time.sleep(pause)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Stopped"
    assert set(runner.statuses(arn).items()) <= {("Long", "Stopped")}


def test_a_fail_step_stops_what_only_starts_beside_it(runner: Runner, name: str) -> None:
    done = runner.run(name, definition(shell("Long", "sleep 600"), step("No", "Fail", {})))
    assert done["PipelineExecutionStatus"] == "Failed"
    assert runner.statuses(done["PipelineExecutionArn"]).get("Long") in ("Stopped", None)


def test_a_fail_step_stops_what_runs_beside_it(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    text = definition(
        shell("Long", f"touch {flag}; sleep 600"),
        shell("Short", f"until [ -e {flag} ]; do sleep 0.05; done"),
        step("No", "Fail", {}, DependsOn=["Short"]),
    )
    done = runner.run(name, text)
    flag.unlink()
    assert done["PipelineExecutionStatus"] == "Failed"
    statuses = runner.statuses(done["PipelineExecutionArn"])
    assert statuses == {"Long": "Stopped", "Short": "Succeeded", "No": "Failed"}


def test_retrying_an_execution_runs_what_failed(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    runner.create(
        name,
        definition(
            shell("First"),
            shell("Second", f"test -e {flag}", DependsOn=["First"]),
            shell("Third", DependsOn=["Second"]),
        ),
    )
    arn = runner.start(name)
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Failed"
    first = runner.steps(arn)["First"]
    flag.touch()
    runner.client.retry_pipeline_execution(PipelineExecutionArn=arn)
    done = runner.wait(arn)
    flag.unlink()
    assert done["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in done
    assert runner.statuses(arn) == {"First": "Succeeded", "Second": "Succeeded", "Third": "Succeeded"}
    assert runner.steps(arn)["First"] == first
    with pytest.raises(ClientError, match="only Failed and Stopped ones"):
        runner.client.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_retry_policies(local: Settings, runner: Runner, name: str) -> None:
    """A job folder that cannot be made is an internal error, which the policy retries."""
    policy = {
        "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"],
        "MaxAttempts": 20,
        "IntervalSeconds": 1,
        "BackoffRate": 1.0,
    }
    runner.create(name, definition(shell("Shaky", RetryPolicies=[policy])))
    away, nowhere = local.root / "jobs-away", local.root / "nowhere"
    local.jobs.rename(away)
    local.jobs.symlink_to(nowhere)
    try:
        arn = runner.start(name)
        until(lambda: runner.steps(arn).get("Shaky", {}).get("AttemptCount", 0) >= 2)
        away.rename(nowhere)  # the link leads there: no attempt in between finds half of it
        ended = runner.wait(arn)
    finally:
        local.jobs.unlink()
        (nowhere if nowhere.exists() else away).rename(local.jobs)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert runner.steps(arn)["Shaky"]["AttemptCount"] >= 2


def test_selected_steps_take_the_rest_from_an_earlier_execution(
    local: Settings, runner: Runner, name: str
) -> None:
    end = step("End", "Fail", {"ErrorMessage": SCORE})
    runner.create(name, definition(report(local.bucket, name, 0.75), shell("Aside"), end))
    source = runner.start(name)
    runner.wait(source)
    config = {"SourcePipelineExecutionArn": source, "SelectedSteps": [{"StepName": "End"}]}
    done = runner.wait(runner.start(name, SelectiveExecutionConfig=config))
    steps = runner.steps(done["PipelineExecutionArn"])
    assert list(steps) == ["Evaluate", "End"]
    assert steps["Evaluate"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert steps["End"]["Metadata"]["Fail"]["ErrorMessage"] == "0.75"
    for wrong, part in (
        ({"SelectedSteps": [{"StepName": "Nope"}]}, "there is no step 'Nope'"),
        (
            {"SelectedSteps": [{"StepName": "End"}]},
            r"Invalid SourcePipelineExecutionArn: null. The selected steps \[End\] have dependencies on "
            r"\[Evaluate\]",
        ),
    ):
        with pytest.raises(ClientError, match=part):
            runner.start(name, SelectiveExecutionConfig=wrong)


def selecting(source: str | None, *names: str) -> dict[str, Any]:
    config: dict[str, Any] = {"SelectedSteps": [{"StepName": item} for item in names]}
    return {"SelectiveExecutionConfig": config | ({"SourcePipelineExecutionArn": source} if source else {})}


def test_a_selection_runs_its_steps_alone(local: Settings, runner: Runner, name: str) -> None:
    """Steps before it are taken over, also from one that took them over itself; steps after it do not run."""
    flag = local.root / f"{name}-flag"
    text = definition(
        shell("First"),
        shell("Second", f"test -e {flag}", DependsOn=["First"]),
        shell("Third", DependsOn=["Second"]),
        shell("Aside", "exit 3"),
    )
    failed = runner.run(name, text)
    assert failed["PipelineExecutionStatus"] == "Failed"
    source = failed["PipelineExecutionArn"]
    with pytest.raises(ClientError, match=r"the results of step 'Second' are needed, and in .* it is Failed"):
        runner.start(name, **selecting(source, "Third"))
    flag.touch()
    second = runner.wait(runner.start(name, **selecting(source, "Second")))
    assert second["SelectiveExecutionConfig"] == selecting(source, "Second")["SelectiveExecutionConfig"]
    assert second["PipelineExecutionStatus"] == "Succeeded"
    assert runner.statuses(second["PipelineExecutionArn"]) == {"First": "Succeeded", "Second": "Succeeded"}
    third = runner.wait(runner.start(name, **selecting(second["PipelineExecutionArn"], "Third")))
    flag.unlink()
    assert third["PipelineExecutionStatus"] == "Succeeded"
    steps = runner.steps(third["PipelineExecutionArn"])
    assert {item: "SelectiveExecutionResult" in step for item, step in steps.items()} == {
        "Second": True,
        "Third": False,
    }


def test_a_selection_that_cannot_be_is_refused(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    chain = [
        shell("First"),
        shell("Second", DependsOn=["First"]),
        shell("Third", f"until [ -e {flag} ]; do sleep 0.05; done", DependsOn=["Second"]),
    ]
    runner.create(name, definition(*chain))
    running = runner.start(name)
    runner.create(f"{name}-other", definition(*chain[:2]))
    other = runner.start(f"{name}-other")
    runner.wait(other)
    until(lambda: "Third" in runner.steps(running))
    for source, names, part in (
        (running, ["Third"], "is Executing: it must have ended"),
        (other, ["Second"], "is an execution of another pipeline"),
        (f"{running}x", ["Second"], "does not exist"),
        (other.replace("-other/", "/"), ["Second"], "does not exist"),
    ):
        with pytest.raises(ClientError, match=part):
            runner.start(name, **selecting(source, *names))
    with pytest.raises(ClientError, match="step 'Second' is between 'First' and a later selected step"):
        runner.start(name, **selecting(None, "First", "Third"))
    assert len(runner.client.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]) == 1
    flag.touch()
    runner.wait(running)
    flag.unlink()
