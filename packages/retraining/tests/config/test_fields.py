"""The patterns of single values are SageMaker's own: botocore's service model has them too."""

import re
from typing import Any

import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from retraining.config.schema import fields
from retraining.errors import seen

SHAPES: dict[str, Any] = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")["shapes"]


def accepts(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("TrainingInstanceType", fields.JobInstanceType),
        ("ProcessingInstanceType", fields.JobInstanceType),
        ("TransformInstanceType", fields.TransformInstanceType),
        ("ProductionVariantInstanceType", fields.InstanceType),
    ],
)
def test_every_instance_type_is_accepted(shape: str, kind: Any) -> None:
    assert [name for name in SHAPES[shape]["enum"] if not accepts(kind, name)] == []


@pytest.mark.parametrize("family", ["t2", "c6g", "m6gd", "r7gd", "c6gn"])
def test_instance_types_that_only_serve_run_no_job(family: str) -> None:
    names = [name for name in SHAPES["ProductionVariantInstanceType"]["enum"] if f".{family}." in name]
    assert names
    assert not any(accepts(fields.JobInstanceType, name) for name in names)
    assert not set(names) & {
        *SHAPES["TrainingInstanceType"]["enum"],
        *SHAPES["ProcessingInstanceType"]["enum"],
    }


# Ours against the service's; where ours is narrower on purpose, texts of ours must be good for the service.
SAME = [
    (fields.JobName, "ProcessingJobName", r"[a-zA-Z0-9-]{1,64}"),
    (fields.JobName, "EntityName", r"[a-zA-Z0-9-]{1,64}"),
    (fields.ChannelName, "ChannelName", r"[A-Za-z0-9_ -][A-Za-z0-9._ -]{0,64}"),
    (fields.FixedKmsKey, "KmsKeyId", r"[a-zA-Z0-9:/_ -]{1,40}"),
    (fields.FixedRole, "RoleArn", r"arn:aws[a-z-]{0,4}:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_ /-]{1,20}"),
]


@pytest.mark.parametrize(("kind", "shape", "texts"), SAME, ids=[shape for _, shape, _ in SAME])
@given(data=st.data())
def test_a_text_is_accepted_where_the_service_accepts_it(
    kind: Any, shape: str, texts: str, data: st.DataObject
) -> None:
    text = data.draw(st.from_regex(texts, fullmatch=True))
    limits = SHAPES[shape]
    good = bool(re.fullmatch(limits["pattern"], text)) and limits["min"] <= len(text) <= limits["max"]
    assert accepts(kind, text) == good


@pytest.mark.parametrize("name", [".", ".."])
def test_a_channel_is_no_other_folder(name: str) -> None:
    # SageMaker's pattern has them, but a channel is a folder of that name below /opt/ml.
    assert re.fullmatch(SHAPES["ChannelName"]["pattern"], name)
    assert not accepts(fields.ChannelName, name)


NARROWER = [
    (fields.S3Uri, "S3Uri", r"s3://[a-z0-9][a-z0-9.-]{0,5}[a-z0-9](/[a-z ]{0,9})?"),
    (fields.Image, "ContainerImage", r"[A-Za-z0-9._/:@ -]{1,30}"),
    (fields.Subnet, "SubnetId", r"subnet-[0-9a-g]{1,30}"),
    (fields.SecurityGroup, "SecurityGroupId", r"sg-[0-9a-g]{1,34}"),
    (fields.VariableName, "ProcessingEnvironmentKey", r"[a-zA-Z0-9_-]{1,10}"),
    (fields.ResponseType, "ResponseMIMEType", r"[a-z/ ]{1,10}"),
]


@pytest.mark.parametrize(("kind", "shape", "texts"), NARROWER, ids=[shape for _, shape, _ in NARROWER])
@given(data=st.data())
def test_what_is_accepted_the_service_accepts(kind: Any, shape: str, texts: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(texts, fullmatch=True))
    limits = SHAPES[shape]
    if accepts(kind, text):
        assert len(text) <= limits["max"]
        assert "pattern" not in limits or re.fullmatch(limits["pattern"], text)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://b/x/", "a bucket's name has 3 to 63 characters, and 'b' has 1"),
        (f"s3://{'b' * 64}/x/", f"a bucket's name has 3 to 63 characters, and '{'b' * 63}' has 64"),
        ("s3:///x/", "it names no bucket"),
        (
            "s3://Data/x/",
            "a bucket's name is of a-z, 0-9, single dots and -, a letter or digit first and last, "
            "and 'Data' is not",
        ),
        (f"s3://data/{'x' * 1015}", "at most 1024 characters are allowed, and it has 1025"),
        ("data/x/", ""),
    ],
)
def test_what_is_wrong_with_an_s3_uri_is_said(uri: str, reason: str) -> None:
    words = f"an S3 URI such as s3://bucket/prefix/ is expected, not {seen(uri)}"
    assert fields.s3_problem(uri) == (f"{words}: {reason}" if reason else words)
    with pytest.raises(ValidationError, match=re.escape(reason or words)):
        TypeAdapter(fields.S3Uri).validate_python(uri)


@given(st.from_regex(r"s3:/{1,3}[a-zA-Z0-9.-]{0,5}(/[a-z\n]{0,3})?", fullmatch=True))
def test_an_s3_uri_has_a_problem_exactly_where_a_key_refuses_it(uri: str) -> None:
    assert (fields.s3_problem(uri) is None) == accepts(fields.S3Uri, uri)
