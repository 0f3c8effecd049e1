"""What a candidate must reach, by the newest approved version of a real local registry."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from local_sagemaker import Settings

PATH = "binary_classification_metrics.auc.value"


@pytest.fixture
def function(load_function: Callable[[str], Any]) -> Any:
    return load_function("champion")


@pytest.fixture
def group(local: Settings, request: pytest.FixtureRequest) -> str:
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]


def register(local: Settings, group: str, document: Any, status: str = "Approved") -> str:
    """One version with this model-quality document; None registers it without one."""
    client = local.client("sagemaker")
    metrics = {}
    if document is not None:
        key = f"{group}/{len(json.dumps(document))}.json"
        local.client("s3").put_object(Bucket=local.bucket, Key=key, Body=json.dumps(document).encode())
        statistics = {"ContentType": "application/json", "S3Uri": f"s3://{local.bucket}/{key}"}
        metrics = {"ModelMetrics": {"ModelQuality": {"Statistics": statistics}}}
    if not client.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]:
        client.create_model_package_group(ModelPackageGroupName=group)
    package = client.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [{"Image": "a/b:1", "ModelDataUrl": f"s3://{local.bucket}/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        **metrics,
    )
    return str(package["ModelPackageArn"])


def auc(value: float) -> dict[str, Any]:
    return {"binary_classification_metrics": {"auc": {"value": value, "standard_deviation": "NaN"}}}


def event(group: str, **bound: float) -> dict[str, Any]:
    return {"model_package_group": group, "json_path": PATH, "tolerance": 0.0, **bound}


def test_without_an_approved_version_the_configured_bound_holds(
    function: Any, local: Settings, group: str
) -> None:
    expected = {
        "bound": 0.8,
        "reason": "at least 0.8, the minimum; no version is approved yet",
        "champion": "",
    }
    assert function.handler(event(group, minimum=0.8), None) == expected
    register(local, group, auc(0.99), status="PendingManualApproval")
    register(local, group, auc(0.99), status="Rejected")
    assert function.handler(event(group, minimum=0.8), None) == expected


def test_the_newest_approved_version_is_the_champion(function: Any, local: Settings, group: str) -> None:
    register(local, group, auc(0.95))
    champion = register(local, group, auc(0.9))
    register(local, group, auc(0.99), status="Rejected")
    found = function.handler(event(group, minimum=0.8), None)
    assert found["bound"] == 0.9
    assert found["champion"] == champion
    assert found["reason"] == f"at least 0.8, the minimum, and at least 0.9: the champion {group}/2 has 0.9"


@pytest.mark.parametrize(
    ("bound", "tolerance", "expected"),
    [
        ({"minimum": 0.8}, 0.05, 0.85),
        ({"minimum": 0.89}, 0.05, 0.89),
        ({"maximum": 2.0}, 0.05, 0.95),
        ({"maximum": 0.5}, 0.05, 0.5),
    ],
)
def test_the_stricter_of_threshold_and_champion_holds(
    function: Any, local: Settings, group: str, bound: dict[str, float], tolerance: float, expected: float
) -> None:
    register(local, group, auc(0.9))
    found = function.handler(event(group, **bound) | {"tolerance": tolerance}, None)
    assert found["bound"] == pytest.approx(expected)
    assert "tolerance 0.05" in found["reason"]


def test_numbers_may_arrive_as_text(function: Any, local: Settings, group: str) -> None:
    register(local, group, auc(0.9))
    given = {"model_package_group": group, "json_path": PATH, "tolerance": "0.1", "minimum": "0.5"}
    assert function.handler(given, None)["bound"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        (None, PATH, "registered without a model-quality JSON"),
        (
            auc(0.9),
            "binary_classification_metrics.f1.value",
            "no 'binary_classification_metrics.f1.value' in s3://",
        ),
        ({"a": [1, {"b": True}]}, "a[1].b", "is True, not a finite number"),
        ({"a": [1]}, "a[3]", r"no 'a\[3\]' in s3://"),
        ({"a": float("nan")}, "a", "is nan, not a finite number"),
        ({"a": float("-inf")}, "a", "is -inf, not a finite number"),
    ],
)
def test_a_champion_without_the_number_is_said(
    function: Any, local: Settings, group: str, document: Any, path: str, expected: str
) -> None:
    register(local, group, document)
    with pytest.raises(function.ChampionError, match=expected):
        function.handler(event(group, minimum=0.1) | {"json_path": path}, None)


def test_a_document_that_is_gone_or_damaged_is_said(function: Any, local: Settings, group: str) -> None:
    register(local, group, auc(0.9))
    s3 = local.client("s3")
    (key,) = [item["Key"] for item in s3.list_objects_v2(Bucket=local.bucket, Prefix=group)["Contents"]]
    for body in (b"{", b"\xff"):
        s3.put_object(Bucket=local.bucket, Key=key, Body=body)
        with pytest.raises(function.ChampionError, match="cannot be read as JSON"):
            function.handler(event(group, minimum=0.1), None)
    s3.delete_object(Bucket=local.bucket, Key=key)
    with pytest.raises(function.ChampionError, match=r"cannot be read as JSON: .*NoSuchKey"):
        function.handler(event(group, minimum=0.1), None)


@pytest.mark.parametrize("bad", [{"minimum": "nan"}, {"minimum": 0.5, "tolerance": "inf"}])
def test_a_bound_that_is_no_number_lets_nobody_pass(
    function: Any, local: Settings, group: str, bad: Any
) -> None:
    with pytest.raises(function.ChampionError, match="a finite number is expected"):
        function.handler(event(group) | bad, None)
