"""Deploying sends what changed, and nothing else."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from local_sagemaker import stack
from retraining import configuration, deployment, places
from retraining.configuration import Configuration
from retraining.definition import Definition

NAME = "demo-register-models"
TEXT = (
    '{"Version": "2020-12-01", "Parameters": [], "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {}}]}'
)


@pytest.fixture
def found(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configuration]:
    found = configuration.load(project)
    settings = places.local_settings(found)
    stack.up(settings)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    yield found
    stack.down(settings)


@pytest.fixture
def definition(found: Configuration) -> Definition:
    bucket = found.project.SMP_S3BUCKETNAME
    return Definition("demo-retraining", TEXT, {(bucket, "demo-retraining/code/0a/train.py"): b"print()"})


def test_the_first_time_all_is_made_and_the_second_time_nothing(
    found: Configuration, definition: Definition
) -> None:
    first = deployment.deploy(found, definition)
    assert [line.split()[0] for line in first] == ["uploaded", "created", "created"]
    assert deployment.deploy(found, definition) == []


def test_a_changed_definition_and_new_code(found: Configuration, definition: Definition) -> None:
    deployment.deploy(found, definition)
    key = (found.project.SMP_S3BUCKETNAME, "demo-retraining/code/0b/train.py")
    changed = replace(
        definition, text=TEXT.replace('"F"', '"G"'), uploads={**definition.uploads, key: b"pass"}
    )
    lines = deployment.deploy(found, changed)
    assert lines == [
        f"uploaded 1 code objects to s3://{key[0]}/demo-retraining/code/",
        "updated pipeline demo-retraining",
    ]
    client = boto3.client("sagemaker")
    assert client.describe_pipeline(PipelineName="demo-retraining")["PipelineDefinition"] == changed.text


def test_a_large_definition_goes_by_s3(found: Configuration, definition: Definition) -> None:
    steps = ", ".join(f'{{"Name": "F{index}", "Type": "Fail", "Arguments": {{}}}}' for index in range(2500))
    text = f'{{"Version": "2020-12-01", "Parameters": [], "Steps": [{steps}]}}'
    assert len(text) >= deployment.INLINE_LIMIT
    deployment.deploy(found, replace(definition, text=text))
    client = boto3.client("sagemaker")
    assert client.describe_pipeline(PipelineName="demo-retraining")["PipelineDefinition"] == text
    assert deployment.deploy(found, replace(definition, text=text)) == []


def test_the_functions_code_is_updated(found: Configuration, definition: Definition) -> None:
    deployment.deploy(found, definition)
    source = found.root / "lambdas" / "register_models.py"
    source.write_text(source.read_text() + "\nCHANGED = True\n")
    assert deployment.deploy(found, definition) == [f"updated Lambda function {NAME}: code"]
    location = boto3.client("lambda").get_function(FunctionName=NAME)["Code"]["Location"]
    with urlopen(location) as answer, zipfile.ZipFile(io.BytesIO(answer.read())) as package:
        assert package.read("register_models.py") == source.read_bytes()


def test_the_functions_settings_are_updated(
    found: Configuration, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.deploy(found, definition)
    role = "arn:aws:iam::111122223333:role/another"
    other = replace(found, project=found.project.model_copy(update={"lambda_role": role}))
    assert deployment.deploy(other, definition) == [f"updated Lambda function {NAME}: Role"]
    monkeypatch.setattr(deployment, "LAMBDA_TIMEOUT_SECONDS", 77)
    assert deployment.deploy(other, definition) == [f"updated Lambda function {NAME}: Timeout"]
    present = boto3.client("lambda").get_function_configuration(FunctionName=NAME)
    assert (present["Role"], present["Timeout"]) == (role, 77)


def test_settings_that_were_changed_by_hand_are_put_right(
    found: Configuration, definition: Definition
) -> None:
    deployment.deploy(found, definition)
    client = boto3.client("lambda")
    client.update_function_configuration(
        FunctionName=NAME, Environment={"Variables": {"PROJECT": "another"}}, Timeout=3
    )
    assert deployment.deploy(found, definition) == [f"updated Lambda function {NAME}: Timeout, Environment"]
    present = client.get_function_configuration(FunctionName=NAME)
    assert present["Environment"]["Variables"] == {"PROJECT": "demo"}


def test_the_package_has_the_same_bytes_each_time(found: Configuration) -> None:
    assert deployment.function_package(found) == deployment.function_package(found)
