"""The schedule against EventBridge Scheduler's API, as the local services speak it."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local_sagemaker import stack
from retraining import configuration, places, schedule
from retraining.configuration import Configuration
from retraining.errors import UserError


@pytest.fixture
def found(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configuration]:
    found = configuration.load(project)
    settings = places.local_settings(found)
    stack.up(settings)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    yield found
    stack.down(settings)


def test_a_schedule_comes_is_changed_and_goes(found: Configuration) -> None:
    with pytest.raises(UserError, match="pipeline demo-retraining is not deployed yet"):
        schedule.put(found)
    assert schedule.present(found) is None
    step = '{"Name": "F", "Type": "Fail", "Arguments": {}}'
    definition = f'{{"Version": "2020-12-01", "Parameters": [], "Steps": [{step}]}}'
    client = boto3.client("sagemaker")
    client.create_pipeline(
        PipelineName="demo-retraining", PipelineDefinition=definition, RoleArn=found.project.SMP_ROLE
    )
    assert schedule.put(found) == "cron(0 3 ? * MON *)"
    target = boto3.client("scheduler").get_schedule(Name="demo-retraining")["Target"]
    assert target["Arn"].endswith(":pipeline/demo-retraining")
    changed = found.project.model_copy(update={"schedule": "rate(7 days)"})
    schedule.put(Configuration(found.root, changed, found.units, found.pipeline))
    assert schedule.present(found) == "rate(7 days)"
    assert schedule.remove(found)
    assert not schedule.remove(found)
    assert schedule.present(found) is None
