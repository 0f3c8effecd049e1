"""Model versions are found by the names that people give them."""

import boto3
import pytest

from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.results import registry

CONTAINER = {"Image": "a/b:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}


def register(group: str) -> None:
    client = boto3.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName=group)
    inference = {
        "Containers": [CONTAINER],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    client.create_model_package(ModelPackageGroupName=group, InferenceSpecification=inference)


def test_a_version_by_its_number_its_group_or_its_model(on_local: Configuration) -> None:
    """Its group is demo-scarcegan, of the project demo."""
    register("demo-scarcegan")
    for name in ("1", "scarcegan/1", "demo-scarcegan/1"):
        assert registry.find(on_local, name).shown == "demo-scarcegan/1"
    with pytest.raises(UserError, match=r"'other/1': no such version; registered: demo-scarcegan/1"):
        registry.find(on_local, "other/1")


def test_the_name_of_a_model_whose_group_is_called_otherwise(on_local: Configuration) -> None:
    model = on_local.models["scarcegan"]
    assert model.registry is not None
    own = model.registry.model_copy(update={"model_package_group": "players"})
    models = {"scarcegan": model.model_copy(update={"registry": own})}
    renamed = Configuration(on_local.root, on_local.project, models, on_local.pipeline)
    register("players")
    assert registry.find(renamed, "scarcegan/1").shown == "players/1"
