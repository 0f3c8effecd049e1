"""Models, made and asked for by an unmodified boto3."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from models_to_serve import REGISTRY, ROLE, SKLEARN, SUMS, Transforming, archive, sums

from local_sagemaker.core.settings import Settings
from local_sagemaker.serving.inference_images import kind_of, repository


@pytest.fixture
def transforming(local: Settings, sagemaker: Any, s3: Any) -> Transforming:
    return Transforming(local, sagemaker, s3)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        action()
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def test_a_model_and_its_end(transforming: Transforming, name: str) -> None:
    client = transforming.sagemaker
    arn = transforming.model(name, sums(), Tags=[{"Key": "a", "Value": "b"}])
    assert arn == f"arn:aws:sagemaker:eu-west-1:123456789012:model/{name}"
    model = client.describe_model(ModelName=name)
    assert model["ModelArn"] == arn
    assert model["ExecutionRoleArn"] == ROLE
    assert model["EnableNetworkIsolation"] is False
    data = transforming.uri(f"{name}/model.tar.gz")
    assert model["PrimaryContainer"] == {"Image": SKLEARN, "ModelDataUrl": data}
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert "already exist" in refused(lambda: transforming.model(name, sums()))
    client.delete_model(ModelName=name)
    for gone in (client.describe_model, client.delete_model):
        assert refused(lambda gone=gone: gone(ModelName=name)) == f"Could not find model '{arn}'."
    assert transforming.s3.head_object(Bucket=transforming.settings.bucket, Key=f"{name}/model.tar.gz")


def test_models_are_listed(transforming: Transforming, name: str) -> None:
    client = transforming.sagemaker
    for index in (2, 1, 3):
        transforming.model(f"{name}-{index}", sums())
    pages = client.get_paginator("list_models").paginate(NameContains=name, PaginationConfig={"PageSize": 2})
    assert [model["ModelName"][-1] for page in pages for model in page["Models"]] == ["3", "1", "2"]
    by_name = client.list_models(NameContains=name, SortBy="Name", SortOrder="Ascending")["Models"]
    assert [model["ModelName"][-1] for model in by_name] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"ModelDataUrl": "s3://local-bucket/absent.tar.gz"},
            "Could not find model data at s3://local-bucket",
        ),
        ({"ModelDataUrl": "s3://no-such-bucket/m.tar.gz"}, "Could not find model data"),
        ({"ModelDataUrl": "https://example.org/m.tar.gz"}, "use an s3:// URI"),
        ({"Mode": "MultiModel"}, "PrimaryContainer.Mode 'MultiModel' is not supported"),
        ({"ModelPackageName": "absent"}, "a model package brings its own image"),
    ],
)
def test_containers_that_are_refused(
    transforming: Transforming, name: str, container: dict[str, Any], message: str
) -> None:
    make = transforming.sagemaker.create_model
    request = {"ModelName": name, "PrimaryContainer": {"Image": SKLEARN, **container}}
    assert message in refused(lambda: make(**request))


def test_a_serial_pipeline_is_refused(transforming: Transforming, name: str) -> None:
    make = transforming.sagemaker.create_model
    both = [{"Image": SKLEARN}, {"Image": SKLEARN}]
    message = refused(lambda: make(ModelName=name, Containers=both))
    assert message == (
        "Containers: 2 containers are not supported by local-sagemaker:"
        " serial inference pipelines are not run here, a model has one container"
    )
    make(ModelName=name, Containers=both[:1])


def test_any_image_makes_a_model(transforming: Transforming, name: str) -> None:
    transforming.model(name, sums(), f"{REGISTRY}/whatever:1")


def test_a_model_from_uncompressed_data(transforming: Transforming, name: str) -> None:
    transforming.put(f"{name}/model/constant.txt", b"2")
    transforming.put(f"{name}/model/code/inference.py", SUMS.encode())
    transforming.put(f"{name}/in/a.csv", b"1\n")
    source = {
        "S3Uri": transforming.uri(f"{name}/model/"),
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    container = {"Image": SKLEARN, "ModelDataSource": {"S3DataSource": source}}
    transforming.sagemaker.create_model(ModelName=name, PrimaryContainer=container)
    assert transforming.run(name)["TransformJobStatus"] == "Completed", transforming.log(name)
    assert transforming.outputs(name) == {"a.csv.out": b"3.0\n"}


def test_a_registered_package_is_deployed(transforming: Transforming, name: str) -> None:
    client = transforming.sagemaker
    data = transforming.put(f"{name}/registered.tar.gz", sums())
    container = {"Image": SKLEARN, "ModelDataUrl": data, "Environment": {"A": "package", "B": "package"}}
    package = client.create_model_package(
        ModelPackageName=name,
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    own = {"ModelPackageName": package, "Environment": {"B": "model"}}
    client.create_model(ModelName=name, PrimaryContainer=own)
    assert client.describe_model(ModelName=name)["PrimaryContainer"] == own
    transforming.put(f"{name}/in/a.csv", b"1\n")
    job = transforming.run(name, Environment={"C": "job"})
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    assert transforming.outputs(name) == {"a.csv.out": b"1.5\n"}
    other = {"ModelPackageName": f"{package}-absent"}
    message = refused(lambda: client.create_model(ModelName=f"{name}-2", PrimaryContainer=other))
    assert "Model Package does not exist" in message


def test_code_beside_the_model(transforming: Transforming, name: str) -> None:
    code = {"serving/__init__.py": "", "serving/entry.py": SUMS + "\nimport helper\n", "helper.py": ""}
    uri = transforming.put(f"{name}/sourcedir.tar.gz", archive(code))
    environment = {"SAGEMAKER_PROGRAM": "serving.entry", "SAGEMAKER_SUBMIT_DIRECTORY": uri}
    data = archive({"constant.txt": "0.5"})
    transforming.model(name, data, PrimaryContainer={"Environment": environment})
    transforming.put(f"{name}/in/a.csv", b"1\n")
    assert transforming.run(name)["TransformJobStatus"] == "Completed", transforming.log(name)
    assert transforming.outputs(name) == {"a.csv.out": b"1.5\n"}


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (SKLEARN, "scikit-learn"),
        ("sagemaker-scikit-learn:1.4-2-cpu-py3", "scikit-learn"),
        (f"{REGISTRY}/pytorch-inference:2.6-cpu", "pytorch"),
        (f"{REGISTRY}/huggingface-pytorch-inference:2.1", "huggingface"),
        (f"{REGISTRY}/tensorflow-inference:2.20-cpu", "tensorflow"),
        (f"{REGISTRY}/sagemaker-xgboost@sha256:0123", "xgboost"),
        (f"{REGISTRY}/mxnet-inference", "mxnet"),
        (f"{REGISTRY}/huggingface-tensorflow-inference:2", None),
        (f"{REGISTRY}/tensorflow-training:2.19", None),
        (f"{REGISTRY}/linear-learner:1", None),
        ("localhost:5000/own/model:3", None),
    ],
)
def test_images_by_their_repository(image: str, kind: str | None) -> None:
    assert kind_of(image) == kind


def test_the_name_of_a_repository() -> None:
    assert repository("localhost:5000/own/model:3") == "model"
    assert repository("model") == "model"
