"""The registering function against a real local registry and S3."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local_sagemaker import Settings

NAMES = ["best-recall", "best-precision", "best-f1", "lowest-loss"]
EXECUTION = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/demo/execution/abc"


@pytest.fixture
def function(load_function: Callable[[str], Any]) -> Any:
    return load_function("register_models")


@pytest.fixture
def event(local: Settings, request: pytest.FixtureRequest) -> dict[str, Any]:
    """An evaluation in S3, under a prefix and for a group of this test's own."""
    own = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[-50:].strip("-")
    base = f"s3://{local.bucket}/{own}"
    candidates = {
        name: {"threshold": 0.5, "recall": 0.9 + number / 100, "precision": 0.6}
        for number, name in enumerate(NAMES)
    }
    evaluation = {"candidates": candidates, "baselines": {"logistic-regression": {"recall": 0.4}}}
    put(local, f"{base}/evaluation/evaluation.json", json.dumps(evaluation))
    for name in NAMES:
        put(local, f"{base}/candidates/{name}/model.tar.gz", "packed")
    return {
        "model_package_group": own,
        "description": "Players at risk",
        "candidates_uri": f"{base}/candidates",
        "evaluation_uri": f"{base}/evaluation",
        "image_uri": "763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-inference:2.20.0-cpu",
        "environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        "content_types": ["text/csv"],
        "response_types": ["application/json"],
        "transform_instance_types": ["ml.m5.xlarge"],
        "realtime_instance_types": [],
        "approval_status": "PendingManualApproval",
        "execution": EXECUTION,
        "git_commit": "0123456789ab",
        "hyperparameters": {"epochs": "30"},
        "data": {"RiskyData": "s3://bucket/data/risky/"},
    }


def put(local: Settings, uri: str, text: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    local.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())


def remove(local: Settings, uri: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    local.client("s3").delete_object(Bucket=bucket, Key=key)


def versions(local: Settings, group: str) -> list[dict[str, Any]]:
    client = local.client("sagemaker")
    summaries = client.list_model_packages(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Ascending"
    )
    return [
        client.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        for item in summaries["ModelPackageSummaryList"]
    ]


def test_every_candidate_becomes_one_version(function: Any, local: Settings, event: dict[str, Any]) -> None:
    result = function.handler(event, None)
    found = versions(local, event["model_package_group"])
    assert [item["ModelPackageArn"] for item in found] == json.loads(result["model_packages"])
    assert result["registered"] == "4"
    assert [item["CustomerMetadataProperties"]["candidate"] for item in found] == NAMES
    first = found[0]
    assert first["ModelApprovalStatus"] == "PendingManualApproval"
    assert first["ModelPackageDescription"] == "Players at risk: candidate best-recall"
    assert first["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].endswith(
        "/best-recall/model.tar.gz"
    )
    assert first["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv"]
    quality = first["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert quality == {
        "ContentType": "application/json",
        "S3Uri": f"{event['evaluation_uri']}/model_quality/best-recall.json",
    }
    metadata = first["CustomerMetadataProperties"]
    assert metadata["metric:recall"] == "0.9"
    assert metadata["hyperparameter:epochs"] == "30"
    assert metadata["data:RiskyData"] == "s3://bucket/data/risky/"
    assert (metadata["run_id"], metadata["execution"], metadata["git_commit"]) == (
        "abc",
        EXECUTION,
        "0123456789ab",
    )


def test_a_second_call_registers_nothing(function: Any, local: Settings, event: dict[str, Any]) -> None:
    first = function.handler(event, None)
    second = function.handler(event | {"execution": EXECUTION + "d"}, None)
    assert second == {"model_packages": first["model_packages"], "registered": "0"}
    assert len(versions(local, event["model_package_group"])) == 4


def single(event: dict[str, Any]) -> dict[str, Any]:
    """The event of a step that registers one model."""
    trained = {
        "model_data": f"{event['candidates_uri']}/best-f1/model.tar.gz",
        "model_quality": {
            "ContentType": "application/json",
            "S3Uri": f"{event['evaluation_uri']}/model_quality.json",
        },
    }
    return {key: value for key, value in event.items() if key != "candidates_uri"} | trained


def test_one_model_is_registered_once(function: Any, local: Settings, event: dict[str, Any]) -> None:
    one = single(event)
    first = function.handler(one, None)
    second = function.handler(one | {"execution": EXECUTION + "d"}, None)
    assert second == {"model_packages": first["model_packages"], "registered": "0"}
    (version,) = versions(local, event["model_package_group"])
    assert [version["ModelPackageArn"]] == json.loads(first["model_packages"])
    assert version["ModelPackageDescription"] == "Players at risk"
    container = version["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"] == one["model_data"]
    assert container["Environment"] == {"SAGEMAKER_PROGRAM": "inference.py"}
    assert version["ModelMetrics"]["ModelQuality"]["Statistics"] == one["model_quality"]
    assert "candidate" not in version["CustomerMetadataProperties"]


def test_a_model_that_nothing_measured(function: Any, local: Settings, event: dict[str, Any]) -> None:
    unmeasured = ("model_quality", "evaluation_uri")
    one = {key: value for key, value in single(event).items() if key not in unmeasured}
    function.handler(one | {"description": ""}, None)
    (version,) = versions(local, event["model_package_group"])
    assert "ModelMetrics" not in version
    assert "ModelPackageDescription" not in version


def test_one_model_that_is_not_there(function: Any, local: Settings, event: dict[str, Any]) -> None:
    one = single(event)
    remove(local, one["model_data"])
    with pytest.raises(function.RegistrationError) as caught:
        function.handler(one, None)
    assert f"0 of 1 models are registered; failed: {one['model_data']}: " in str(caught.value)


@pytest.mark.parametrize("refuses", [False, True])
def test_two_executions_at_the_same_moment_register_once(
    function: Any, local: Settings, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """Both have looked before either registers. SageMaker may refuse a used token with other metadata."""
    both = threading.Barrier(2)
    look, create = function.packages_by_model_data, function.create
    looked = threading.local()

    def look_together(sagemaker: Any, group: str) -> Any:
        seen = look(sagemaker, group)
        if not hasattr(looked, "once"):
            looked.once = True
            both.wait(60)
        return seen

    class Refusing:
        """A client that refuses a token which was used, as SageMaker may."""

        def __init__(self, sagemaker: Any) -> None:
            self.sagemaker, self.get_paginator = sagemaker, sagemaker.get_paginator
            self.describe_model_package = sagemaker.describe_model_package

        def create_model_package(self, **request: Any) -> Any:
            with lock:
                if request["ClientToken"] in used:
                    self.sagemaker.create_model_package(ModelPackageGroupName="no-such-group")
                used.add(request["ClientToken"])
                return self.sagemaker.create_model_package(**request)

    lock, used = threading.Lock(), set[str]()
    monkeypatch.setattr(function, "packages_by_model_data", look_together)
    if refuses:
        monkeypatch.setattr(function, "create", lambda client, request: create(Refusing(client), request))
    function.boto3.client("sagemaker")  # threads must not make the first session at once
    with ThreadPoolExecutor(2) as pool:
        calls = [
            pool.submit(function.handler, event | {"execution": EXECUTION + letter}, None) for letter in "xy"
        ]
        results = [json.loads(call.result()["model_packages"]) for call in calls]
    assert results[0] == results[1]
    assert len(versions(local, event["model_package_group"])) == len(NAMES)


def test_other_model_data_is_another_version(function: Any, local: Settings, event: dict[str, Any]) -> None:
    function.handler(event, None)
    other = f"{event['candidates_uri']}-again"
    for name in NAMES:
        put(local, f"{other}/{name}/model.tar.gz", "packed")
    function.handler(event | {"candidates_uri": other}, None)
    assert [item["ModelPackageVersion"] for item in versions(local, event["model_package_group"])] == list(
        range(1, 9)
    )


def test_one_that_fails_is_named_and_completed_later(
    function: Any, local: Settings, event: dict[str, Any]
) -> None:
    missing = f"{event['candidates_uri']}/best-f1/model.tar.gz"
    remove(local, missing)
    with pytest.raises(function.RegistrationError) as caught:
        function.handler(event, None)
    assert "3 of 4 candidates are registered" in str(caught.value)
    assert f"best-f1: {missing}" in str(caught.value)
    assert "best-recall:" not in str(caught.value)
    put(local, missing, "packed")
    assert function.handler(event, None)["registered"] == "1"
    names = [
        item["CustomerMetadataProperties"]["candidate"]
        for item in versions(local, event["model_package_group"])
    ]
    assert names == ["best-recall", "best-precision", "lowest-loss", "best-f1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"candidates": {}}', r"evaluation\.json: no candidates in it"),
        ('{"baselines": {"x": {"recall": 0.4}}}', r"evaluation\.json: no candidates in it"),
        ("[]", r"evaluation\.json: no candidates in it"),
        ('{"candidates": {"a": 0.4}}', r"evaluation\.json: candidates must hold an object of metrics"),
        ("{", r"evaluation\.json: cannot be read as JSON"),
        (
            '{"candidates": {"a": {"auc": NaN}}}',
            r"evaluation\.json: cannot be read as JSON: NaN is not a number of JSON",
        ),
    ],
)
def test_an_evaluation_without_candidates(
    function: Any, local: Settings, event: dict[str, Any], text: str, expected: str
) -> None:
    put(local, f"{event['evaluation_uri']}/evaluation.json", text)
    with pytest.raises(function.RegistrationError, match=expected):
        function.handler(event, None)


def test_metrics_that_are_not_there(function: Any, local: Settings, event: dict[str, Any]) -> None:
    remove(local, f"{event['evaluation_uri']}/evaluation.json")
    with pytest.raises(function.RegistrationError, match=r"/evaluation/evaluation\.json: "):
        function.handler(event, None)


def test_metadata_is_what_the_registry_takes(function: Any, local: Settings, event: dict[str, Any]) -> None:
    event["git_commit"] = 'a"quote' + "x" * 400
    event["hyperparameters"] = {f"h{index}": index for index in range(80)}
    function.handler(event, None)
    metadata = versions(local, event["model_package_group"])[0]["CustomerMetadataProperties"]
    assert len(metadata) == 50
    assert len(metadata["git_commit"]) == 256
    assert '"' not in metadata["git_commit"]
