"""The schedule against EventBridge Scheduler's API, as the local services speak it."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from retraining.cli.schedule import show, switch_on
from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.planning import firings, schedule
from retraining.runs import deployment


def test_a_schedule_comes_is_changed_and_goes(on_local: Configuration) -> None:
    with pytest.raises(UserError, match="pipeline demo-retraining is not deployed yet"):
        schedule.put(on_local)
    assert schedule.present(on_local) is None
    step = '{"Name": "F", "Type": "Fail", "Arguments": {}}'
    definition = f'{{"Version": "2020-12-01", "Parameters": [], "Steps": [{step}]}}'
    client = boto3.client("sagemaker")
    client.create_pipeline(
        PipelineName="demo-retraining", PipelineDefinition=definition, RoleArn=on_local.project.SMP_ROLE
    )
    assert schedule.put(on_local) == "cron(0 3 ? * MON *)"
    assert schedule.reuse(on_local, "rate(1 day)") is None
    target = boto3.client("scheduler").get_schedule(Name="demo-retraining")["Target"]
    assert target["Arn"].endswith(":pipeline/demo-retraining")
    changed = on_local.project.model_copy(update={"schedule": "rate(7 days)"})
    schedule.put(Configuration(on_local.root, changed, on_local.models, on_local.pipeline))
    assert schedule.present(on_local) == "rate(7 days)"
    assert schedule.remove(on_local)
    assert not schedule.remove(on_local)
    assert schedule.present(on_local) is None


def test_on_and_show_name_what_outlasts_the_time_between_two_firings(
    on_local: Configuration, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    function = "arn:aws:lambda:eu-west-1:111122223333:function:demo-call"
    cache = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
    step = {"Name": "Call", "Type": "Lambda", "FunctionArn": function, "OutputParameters": [], **cache}
    boto3.client("sagemaker").create_pipeline(
        PipelineName="demo-retraining",
        PipelineDefinition=json.dumps(
            {"Version": "2020-12-01", "Parameters": [], "Steps": [step | {"Arguments": {}}]}
        ),
        RoleArn=on_local.project.SMP_ROLE,
    )
    monkeypatch.chdir(on_local.root)
    show("local")
    assert "Call" not in capsys.readouterr().err
    for command in (switch_on, show):
        command("local")
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("cron(0 3 ? * MON *) fires again before these results expire")
        assert "Call (P30D)" in line


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 day)", timedelta(1)),
        ("rate(90 minutes)", timedelta(minutes=90)),
        ("cron(0 3 ? * MON *)", timedelta(7)),
        ("cron(0 3 ? * MON,TUE *)", timedelta(1)),
        ("cron(0/15 3 * * ? *)", timedelta(minutes=15)),
        ("cron(0 3 1,15 * ? *)", timedelta(14)),
        ("cron(0 3 L * ? *)", timedelta(28)),
        ("cron(0 3 ? * 2#1 *)", timedelta(28)),
        ("cron(0 3 ? * MON 2020)", None),
        ("cron(0 3 ? NOV-FEB MON *)", timedelta(7)),
        ("cron(0 3 ? * 8 *)", None),
    ],
)
def test_the_shortest_time_between_two_firings(expression: str, expected: timedelta | None) -> None:
    assert firings.shortest_interval(expression) == expected


def reading(name: str, place: Any, expires: str | None) -> dict[str, Any]:
    """A processing step that reads `place` and writes below the execution's id."""
    target = {"Std:Join": {"On": "/", "Values": ["s3://b", {"Get": "Execution.PipelineExecutionId"}, name]}}
    arguments = {
        "ProcessingInputs": [{"InputName": "data", "S3Input": {"S3Uri": place}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": target}}]},
    }
    cache = {"CacheConfig": {"Enabled": True, "ExpireAfter": expires}} if expires else {}
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **cache}


OUTPUT = {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri"}


@pytest.mark.parametrize(
    ("first", "second", "expression", "expected"),
    [
        ("P30D", "P30D", "cron(0 3 ? * MON *)", "fires again .*: Prepare .P30D., Read .P30D.; shorten"),
        ("P6D", "P6D", "cron(0 3 ? * MON *)", None),
        ("P7D", "P7D", "rate(7 days)", "fires again .*: Prepare .P7D., Read .P7D.; shorten"),
        ("P30D", "P6D", "rate(7 days)", "fires again .*: Prepare .P30D.; shorten"),
        ("P6D", "P30D", "rate(7 days)", None),
        (None, "P30D", "rate(7 days)", None),
        ("P6D", "P6D", "cron(0 3 ? * 8 *)", "may fire again .*: Prepare .P6D., Read .P6D.; shorten"),
        (None, None, "cron(0 3 ? * 8 *)", None),
    ],
)
def test_what_a_firing_takes_from_the_one_before(
    first: str | None,
    second: str | None,
    expression: str,
    expected: str | None,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [reading("Prepare", "s3://b/data/", first), reading("Read", OUTPUT, second)]
    text = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": steps})
    monkeypatch.setattr(deployment, "deployed_pipeline", lambda name: {"PipelineDefinition": text})
    line = schedule.reuse(configuration.load(project), expression)
    assert line is None if expected is None else re.search(expected, line or "")
