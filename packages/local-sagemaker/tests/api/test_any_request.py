"""No request is a fault of the service: what the model allows, with members dropped or of other types."""

import contextlib
import copy
import json
import re
import urllib.error
import urllib.request
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines_to_run import ROLE, definition, step
from soak import REPETITIONS

from local_sagemaker.core import wire
from local_sagemaker.core.settings import Settings

NAME = "any-request"
OTHER_TYPES = st.sampled_from([None, True, 3, -1, 1.5, "", "x", [], {}, [{}], {"a": []}]).map(copy.deepcopy)


def post(settings: Settings, operation: str, request: Any) -> tuple[int, dict[str, Any]]:
    """A request as no client library would send it."""
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "X-Amz-Security-Token": settings.session_token}
    posted = urllib.request.Request(settings.sagemaker_url, json.dumps(request).encode(), headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(posted) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def operations(sagemaker: Any) -> list[str]:
    """What the service names when it is asked for something else; with one of most resources there."""
    with contextlib.suppress(ClientError):
        sagemaker.create_model_package_group(ModelPackageGroupName=NAME)
    with contextlib.suppress(ClientError):
        sagemaker.create_pipeline(
            PipelineName=NAME, PipelineDefinition=definition(step("F", "Fail", {})), RoleArn=ROLE
        )
    with pytest.raises(ClientError) as caught:
        sagemaker.list_domains()
    known: list[str] = caught.value.response["Error"]["Message"].rpartition("it knows: ")[2].split(", ")
    assert len(known) > 40
    return known


@cache
def texts() -> tuple[str, ...]:
    """Texts that mean something to one operation or another."""
    arn = "arn:aws:sagemaker:eu-west-1:123456789012"
    return (
        NAME,
        "none",
        *(f"{arn}:{kind}/{NAME}" for kind in ("pipeline", "model-package-group", "training-job", "project")),
        f"{arn}:model-package/{NAME}/1",
        f"{arn}:pipeline/{NAME}/execution/abcdefghijkl",
        ROLE,
        "s3://local-bucket/any",
        "https://local-bucket/any",
        "/opt/ml/input/data/x",
        "ml.m5.large",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/any:1",
        "sagemaker_program",
        "$.x",
        "0.5",
        "x" * 40,
        definition(step("F", "Fail", {})),
    )


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a shape of the model, most of them within its bounds."""
    rules = shape.metadata
    match shape.type_name:
        case "structure":
            required = {name: values(shape.members[name], depth + 1) for name in shape.required_members}
            others = {
                name: values(member, depth + 1)
                for name, member in shape.members.items()
                if name not in required and depth < 4
            }
            return st.fixed_dictionaries(required, optional=others)
        case "list":
            least = min(rules.get("min", 0), 2)
            return st.lists(values(shape.member, depth + 1), min_size=least, max_size=max(least, 2))
        case "map":
            return st.dictionaries(values(shape.key), values(shape.value, depth + 1), max_size=2)
        case "string" | "blob":
            return st.sampled_from(_texts_of(shape))
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            least = int(rules.get("min", 0))
            return st.integers(least, max(least, min(int(rules.get("max", 5)), least + 5)))
        case "float" | "double":
            return st.floats(0, 10)
        case _:
            return st.integers(0, 2_000_000_000)


def _texts_of(shape: Any) -> list[str]:
    if shape.enum:
        return list(shape.enum)
    fitting = [text for text in texts() if not list(wire.check(shape, text))]
    return fitting or ["a"]


def nodes(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all that is in `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in ((*path, key), *nodes(item, (*path, key)))]


@st.composite
def requests(draw: st.DrawFn, operation: str) -> Any:
    """A request of the model, in which up to two members are dropped or have another type."""
    request = draw(values(wire.input_shape(operation)))
    for _ in range(draw(st.integers(0, 2))):
        if not (places := nodes(request)):
            break
        *path, last = draw(st.sampled_from(places))
        parent = request
        for key in path:
            parent = parent[key]
        if isinstance(parent, dict) and draw(st.booleans()):
            del parent[last]
        else:
            parent[last] = draw(OTHER_TYPES)
    return request


@pytest.mark.soak
@settings(max_examples=100 * REPETITIONS)
@given(data=st.data())
def test_no_request_is_a_fault_of_the_service(
    local: Settings, operations: list[str], data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from(operations))
    request = data.draw(requests(operation))
    status, answer = post(local, operation, request)
    assert status in (200, 400), answer
    if status == 400:
        assert re.fullmatch(r"[A-Za-z]+", answer["__type"])
        assert answer["message"]


@pytest.mark.parametrize("member", ["AlgorithmSpecification", "ResourceConfig"])
def test_a_training_job_without_what_the_model_does_not_require(local: Settings, member: str) -> None:
    request = {
        "TrainingJobName": NAME,
        "AlgorithmSpecification": {
            "TrainingImage": "any",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["true"],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://local-bucket/any"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    del request[member]
    status, answer = post(local, "CreateTrainingJob", request)
    assert (status, answer["__type"]) == (400, "ValidationException")
    place = member[0].lower() + member[1:]
    assert answer["message"] == (
        f"1 validation error detected: Value null at '{place}' failed to satisfy constraint:"
        " Member must not be null"
    )
