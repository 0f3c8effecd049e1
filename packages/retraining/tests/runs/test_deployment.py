"""Deploying sends what changed, and nothing else."""

import io
import json
import zipfile
from dataclasses import replace
from urllib.request import urlopen

import boto3
import pytest

from retraining.compile import lambdas
from retraining.compile.definition import Definition
from retraining.config.configuration import Configuration
from retraining.runs import deployment

NAME = "demo-register-models"
TEXT = (
    '{"Version": "2020-12-01", "Parameters": [], "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {}}]}'
)


@pytest.fixture
def definition(on_local: Configuration) -> Definition:
    bucket = on_local.project.bucket
    return Definition("demo-retraining", TEXT, {(bucket, "demo-retraining/code/0a/train.py"): b"print()"})


def test_the_first_time_all_is_made_and_the_second_time_nothing(
    on_local: Configuration, definition: Definition
) -> None:
    first = deployment.deploy(on_local, definition)
    assert [line.split()[0] for line in first] == ["uploaded", "created", "created"]
    assert deployment.deploy(on_local, definition) == []


def test_a_changed_definition_and_new_code(on_local: Configuration, definition: Definition) -> None:
    deployment.deploy(on_local, definition)
    key = (on_local.project.bucket, "demo-retraining/code/0b/train.py")
    changed = replace(
        definition, text=TEXT.replace('"F"', '"G"'), uploads={**definition.uploads, key: b"pass"}
    )
    lines = deployment.deploy(on_local, changed)
    assert lines == [
        f"uploaded 1 code objects to s3://{key[0]}/demo-retraining/code/",
        "updated pipeline demo-retraining",
    ]
    client = boto3.client("sagemaker")
    assert client.describe_pipeline(PipelineName="demo-retraining")["PipelineDefinition"] == changed.text


def test_a_large_definition_goes_by_s3(on_local: Configuration, definition: Definition) -> None:
    steps = ", ".join(f'{{"Name": "F{index}", "Type": "Fail", "Arguments": {{}}}}' for index in range(2500))
    text = f'{{"Version": "2020-12-01", "Parameters": [], "Steps": [{steps}]}}'
    assert len(text) >= deployment.INLINE_LIMIT
    deployment.deploy(on_local, replace(definition, text=text))
    client = boto3.client("sagemaker")
    assert client.describe_pipeline(PipelineName="demo-retraining")["PipelineDefinition"] == text
    assert deployment.deploy(on_local, replace(definition, text=text)) == []


def test_the_functions_code_is_updated(on_local: Configuration, definition: Definition) -> None:
    deployment.deploy(on_local, definition)
    source = on_local.root / "lambdas" / "register_models.py"
    source.write_text(source.read_text() + "\nCHANGED = True\n")
    assert deployment.deploy(on_local, definition) == [f"updated Lambda function {NAME}: code"]
    location = boto3.client("lambda").get_function(FunctionName=NAME)["Code"]["Location"]
    with urlopen(location) as answer, zipfile.ZipFile(io.BytesIO(answer.read())) as package:
        assert package.read("register_models.py") == source.read_bytes()


def test_the_functions_settings_are_updated(on_local: Configuration, definition: Definition) -> None:
    deployment.deploy(on_local, definition)
    role = "arn:aws:iam::111122223333:role/another"
    other = replace(on_local, project=on_local.project.model_copy(update={"lambda_role": role}))
    assert deployment.deploy(other, definition) == [f"updated Lambda function {NAME}: Role"]
    present = boto3.client("lambda").get_function_configuration(FunctionName=NAME)
    assert present["Role"] == role


def tagged(configuration: Configuration, **tags: str) -> Configuration:
    return replace(configuration, project=configuration.project.model_copy(update={"tags": tags}))


def with_job_tags(definition: Definition, **tags: str) -> Definition:
    """A definition with a step that has the project's tags, as compiled ones have."""
    steps = json.loads(definition.text)
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    arguments = {"ModelPackageGroupName": "any", "Tags": listed}
    steps["Steps"].append({"Name": "R", "Type": "RegisterModel", "Arguments": arguments})
    return replace(definition, text=json.dumps(steps))


def test_tags_reach_what_is_deployed(on_local: Configuration, definition: Definition) -> None:
    """Tags that were added by hand stay, and so does what only looks like a tag of the project."""
    sagemaker, functions = boto3.client("sagemaker"), boto3.client("lambda")
    before = {"project": "demo", "team": "data", "stage": "dev"}
    deployment.deploy(tagged(on_local, **before), with_job_tags(definition, **before))
    pipeline = sagemaker.describe_pipeline(PipelineName="demo-retraining")["PipelineArn"]
    function = functions.get_function_configuration(FunctionName=NAME)["FunctionArn"]
    sagemaker.add_tags(ResourceArn=pipeline, Tags=[{"Key": "owner", "Value": "finance"}])
    functions.tag_resource(Resource=function, Tags={"owner": "finance", "stage": "by hand"})
    after = {"project": "demo", "team": "growth", "cost": "7"}
    project, compiled = tagged(on_local, **after), with_job_tags(definition, **after)
    deployed = deployment.deployed_pipeline("demo-retraining")
    assert deployed
    changes = [str(item) for item in deployment.pipeline_differences(project, compiled, deployed)]
    assert changes == ["Tags.team: data -> growth", "Tags.cost: 7 is new", "Tags.stage: dev is gone"]
    (own,) = lambdas.functions_of(project)
    found = deployment.function_differences(project, own, deployed)
    assert [str(item) for item in found or []] == changes[:2]
    assert deployment.deploy(project, compiled) == [
        f"updated Lambda function {NAME}: Tags",
        "updated pipeline demo-retraining",
    ]
    listed = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=pipeline)["Tags"]}
    assert listed == after | {"owner": "finance"}
    assert functions.list_tags(Resource=function)["Tags"] == after | {"owner": "finance", "stage": "by hand"}
    assert deployment.deploy(project, compiled) == []


def test_settings_that_were_changed_by_hand_are_put_right(
    on_local: Configuration, definition: Definition
) -> None:
    deployment.deploy(on_local, definition)
    client = boto3.client("lambda")
    client.update_function_configuration(
        FunctionName=NAME, Environment={"Variables": {"PROJECT": "another"}}, Timeout=3
    )
    assert deployment.deploy(on_local, definition) == [
        f"updated Lambda function {NAME}: Timeout, Environment"
    ]
    present = client.get_function_configuration(FunctionName=NAME)
    assert present["Environment"]["Variables"] == {"PROJECT": "demo"}


def test_the_package_has_the_same_bytes_each_time(on_local: Configuration) -> None:
    first, second = lambdas.functions_of(on_local), lambdas.functions_of(on_local)
    assert [function.name for function in first] == [NAME]
    assert [function.package for function in first] == [function.package for function in second]
