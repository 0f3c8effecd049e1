"""The model registry."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

CONTAINER = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}
SPECIFICATION = {
    "Containers": [CONTAINER],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def group(sagemaker: Any, name: str) -> str:
    sagemaker.create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="models", Tags=[{"Key": "a", "Value": "b"}]
    )
    return name


def register(sagemaker: Any, group: str, **members: Any) -> str:
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION, **members
    )["ModelPackageArn"]
    return arn


def test_groups(sagemaker: Any, group: str) -> None:
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    arn = described["ModelPackageGroupArn"]
    assert described["ModelPackageGroupStatus"] == "Completed"
    assert described["ModelPackageGroupDescription"] == "models"
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=arn)["ModelPackageGroupName"] == group
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    listed = sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupArn"] for item in listed] == [arn]
    with pytest.raises(ClientError, match="already exists") as caught:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    package = register(sagemaker, group)
    with pytest.raises(sagemaker.exceptions.ConflictException, match="it contains 1 model package"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)


def test_a_package_keeps_what_it_was_given(sagemaker: Any, group: str) -> None:
    metrics = {
        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/q.json"}}
    }
    arn = register(
        sagemaker,
        group,
        ModelPackageDescription="first",
        ModelMetrics=metrics,
        CustomerMetadataProperties={"a": "1"},
        MetadataProperties={"GeneratedBy": "me"},
    )
    assert arn.endswith(f":model-package/{group}/1")
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["ModelMetrics"] == metrics
    assert package["InferenceSpecification"] == SPECIFICATION
    assert package["CustomerMetadataProperties"] == {"a": "1"}
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ModelPackageStatus"] == "Completed"
    assert (package["ModelPackageGroupName"], package["ModelPackageVersion"]) == (group, 1)


def test_approval_and_metadata_can_change(sagemaker: Any, group: str) -> None:
    arn = register(sagemaker, group, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a", "none"],
    )
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "good")
    assert package["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert package["LastModifiedTime"] >= package["CreationTime"]
    other = register(sagemaker, group)
    for status, expected in (("Approved", [arn]), ("PendingManualApproval", [other]), ("Rejected", [])):
        listed = sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus=status)
        assert [item["ModelPackageArn"] for item in listed["ModelPackageSummaryList"]] == expected


def test_versions_are_counted_and_never_given_twice(sagemaker: Any, group: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        arns = list(pool.map(lambda _: register(sagemaker, group), range(16)))
    assert {int(arn.rpartition("/")[2]) for arn in arns} == set(range(1, 17))
    sagemaker.delete_model_package(ModelPackageName=f"{arns[0].rpartition('/')[0]}/16")
    assert register(sagemaker, group).endswith("/17")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, PaginationConfig={"PageSize": 5}
    )
    versions = [item["ModelPackageVersion"] for page in pages for item in page["ModelPackageSummaryList"]]
    assert versions == [17, *range(15, 0, -1)]


def test_the_same_token_registers_once(sagemaker: Any, group: str) -> None:
    token = f"token-{group}"
    assert register(sagemaker, group, ClientToken=token) == register(sagemaker, group, ClientToken=token)
    assert register(sagemaker, group).endswith("/2")


def test_unversioned_packages(sagemaker: Any, name: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageName=name, InferenceSpecification=SPECIFICATION)[
        "ModelPackageArn"
    ]
    assert arn.endswith(f":model-package/{name}")
    assert "ModelPackageVersion" not in sagemaker.describe_model_package(ModelPackageName=name)
    listed = sagemaker.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [item["ModelPackageArn"] for item in listed] == [arn]
    assert (
        sagemaker.list_model_packages(NameContains=name, ModelPackageType="Versioned")[
            "ModelPackageSummaryList"
        ]
        == []
    )


@pytest.mark.parametrize(
    ("names", "part"),
    [
        ({}, "Either ModelPackageName or ModelPackageGroupName"),
        ({"ModelPackageGroupName": "nobody-made-this"}, "Model Package Group does not exist"),
    ],
)
def test_refused(sagemaker: Any, names: dict[str, str], part: str) -> None:
    with pytest.raises(ClientError, match=part) as caught:
        sagemaker.create_model_package(InferenceSpecification=SPECIFICATION, **names)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_package_that_does_not_exist(sagemaker: Any, group: str) -> None:
    for call in (sagemaker.describe_model_package, sagemaker.delete_model_package):
        with pytest.raises(ClientError, match="does not exist"):
            call(ModelPackageName=f"{group}/9")
