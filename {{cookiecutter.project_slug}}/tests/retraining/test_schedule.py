"""The schedule against EventBridge Scheduler's API, as the local services speak it."""

import boto3
import pytest

from retraining import schedule
from retraining.configuration import Configuration
from retraining.errors import UserError


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
    target = boto3.client("scheduler").get_schedule(Name="demo-retraining")["Target"]
    assert target["Arn"].endswith(":pipeline/demo-retraining")
    changed = on_local.project.model_copy(update={"schedule": "rate(7 days)"})
    schedule.put(Configuration(on_local.root, changed, on_local.units, on_local.pipeline))
    assert schedule.present(on_local) == "rate(7 days)"
    assert schedule.remove(on_local)
    assert not schedule.remove(on_local)
    assert schedule.present(on_local) is None
