"""What configuration files say in several places, and how each is described to people."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from retraining.config.schema.values import AnyText, Section, Text, Whole, number, one_of, text
from retraining.errors import seen

# Other spellings of a key that the framework accepts.
SPELLINGS = {"max_runtime_seconds": "max_runtime_in_seconds", "description": "ModelPackageDescription"}
# Keys that the framework reads and does not use.
WITHOUT_EFFECT: dict[tuple[str | int, ...], str] = {
    ("evaluate", "strategy"): "a processing job has none",
    ("evaluate", "max_payload"): "a processing job has none",
    ("transform", "volume_size"): "a batch transform has none",
}
NAME = r"[A-Za-z0-9](-*[A-Za-z0-9])*"
RelativePath = Annotated[
    str,
    text(
        r"(?!/)(?!\.\./)(?!.*/\.\.(/|$))[^\\\0]+",
        "a path inside the folder, with neither / before it nor ..,",
    ),
]
ScriptPath = Annotated[RelativePath, text(r".+\.py", "a Python file such as train.py")]
_URI = r"[A-Za-z0-9](?!.*[:/@]$)[A-Za-z0-9._/:@-]{0,254}"
_IMAGE = "an image's URI, or its name and tag (name:tag), of at most 255 characters"
Image = Annotated[Text, text(_URI, _IMAGE)]
# Files of AWS's framework describe the image in words there: images.is_placeholder.
ServingImage = Annotated[Text, text(rf"{_URI}|(?=.* ).{{1,255}}", _IMAGE)]
_SIZE = r"[a-z][a-z0-9-]*\.(medium|large|[0-9]*xlarge|metal)"
InstanceType = Annotated[Text, text(rf"ml\.{_SIZE}", "an instance type such as ml.m5.xlarge")]
# Of each kind of job, what SageMaker offers for serving only: T2, Inferentia and Graviton.
_SERVING = r"t2|[cmr][0-9]+g[dn]?"
JobInstanceType = Annotated[
    Text,
    text(rf"ml\.(?!({_SERVING}|inf[0-9]+)\.){_SIZE}", "an instance type for jobs such as ml.m5.xlarge"),
]
TransformInstanceType = Annotated[
    Text,
    text(
        rf"ml\.(?!({_SERVING}|inf1|t3)\.){_SIZE}", "an instance type for batch transform such as ml.m5.xlarge"
    ),
]
InstanceCount = Annotated[Whole, number(1, 100, "a whole number of instances from 1 to 100")]
VolumeSize = Annotated[Whole, number(1, 16384, "a size from 1 to 16384 GB")]
_ROLE = text(
    r"(?=.{20,2048}$)arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
    "a role's ARN, arn:aws:iam::111122223333:role/name,",
)
_KMS_KEY = text(r"[A-Za-z0-9:/_-]{1,2048}", "the id, ARN or alias of a KMS key")
FixedRole = Annotated[str, _ROLE]
FixedKmsKey = Annotated[str, _KMS_KEY]
Role = Annotated[Text, _ROLE]
KmsKey = Annotated[Text, _KMS_KEY]
_BUCKET = r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
Bucket = Annotated[str, text(_BUCKET, "a bucket's name (3 to 63 of a-z, 0-9, single dots and -)")]
_URI_LENGTH = 1024
_S3_URI = rf"s3://{_BUCKET.replace('.*', '[^/]*')}(/.*)?"
_S3_WORDS = "an S3 URI such as s3://bucket/prefix/"


def _s3_reason(uri: str) -> str:
    """What is wrong with a text that begins as an S3 URI does; empty for any other."""
    if not uri.startswith("s3://"):
        return ""
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if not bucket:
        return "it names no bucket"
    if not 3 <= len(bucket) <= 63:
        return f"a bucket's name has 3 to 63 characters, and {bucket[:63]!r} has {len(bucket)}"
    if not re.fullmatch(_BUCKET, bucket):
        return (
            f"a bucket's name is of a-z, 0-9, single dots and -, a letter or digit first and last, "
            f"and {bucket!r} is not"
        )
    if len(uri) > _URI_LENGTH:
        return f"at most {_URI_LENGTH} characters are allowed, and it has {len(uri)}"
    return "it holds a line break" if "\n" in uri else ""


def s3_problem(uri: str) -> str | None:
    """What is wrong with an S3 URI; None where nothing is."""
    if re.fullmatch(_S3_URI, uri) and len(uri) <= _URI_LENGTH:
        return None
    reason = _s3_reason(uri)
    return f"{_S3_WORDS} is expected, not {seen(uri)}{f': {reason}' if reason else ''}"


S3Uri = Annotated[Text, text(rf"(?=.{{1,{_URI_LENGTH}}}$){_S3_URI}", _S3_WORDS, _s3_reason)]
# A key below s3BucketName, or a whole URI.
DataFileName = Annotated[
    Text,
    text(
        rf"(?=.{{1,{_URI_LENGTH}}}$)({_S3_URI}|(?![A-Za-z0-9]+:/).*[^/].*)",
        "a file or prefix such as s3://bucket/prefix/",
        _s3_reason,
    ),
]
# The SDK puts a job's program there.
_PROGRAM = "/opt/ml/processing/input/(code|entrypoint)"
ContainerPath = Annotated[
    str,
    text(
        rf"(?!.*/\.\.?(/|$))(?!{_PROGRAM}(/|$)).+",
        "a folder without . and .. in it, and not the program's (input/code, input/entrypoint),",
    ),
    text(r"(?=.{1,256}$)/opt/ml/.+", "a folder below /opt/ml/"),
]
ContentType = Annotated[
    Text, text(r".{1,256}", "a content type such as text/csv, of at most 256 characters,")
]
ResponseType = Annotated[Text, text(r"(?=.{1,1024}$)[-\w]+/.+", "a MIME type such as application/json")]
JobName = Annotated[
    str, text(rf"(?=.{{1,63}}$){NAME}", "a name of at most 63 letters, digits and inner hyphens")
]
CacheExpiry = Annotated[
    str,
    text(
        r"(?=.*[1-9])P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?",
        "an ISO 8601 duration such as P6D or PT12H",
    ),
]
CHANNEL_NAME = r"(?!\.\.?$)[A-Za-z0-9._-]{1,64}"
CHANNEL_WORDS = "a name of at most 64 letters, digits, dots, hyphens and underscores"
ChannelName = Annotated[str, text(CHANNEL_NAME, CHANNEL_WORDS)]
OutputName = ChannelName


def _or_empty(value: Any) -> Any:
    """A key without a value is an empty mapping."""
    return {} if value is None else value


OrEmpty = BeforeValidator(_or_empty)


Subnet = Annotated[str, text(r"subnet-[0-9a-f]{1,25}", "a subnet such as subnet-0a1b")]
SecurityGroup = Annotated[str, text(r"sg-[0-9a-f]{1,29}", "a security group such as sg-0a1b")]


def _comma_separated(value: Any) -> Any:
    """``"a, b"`` as ``["a", "b"]``; nothing as an empty list."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip(" '\"") for part in value.strip("[]").split(",") if part.strip(" '\"")]
    return value


CommaSeparated = BeforeValidator(_comma_separated)
Subnets = Annotated[list[Subnet], CommaSeparated, Field(max_length=16)]
SecurityGroups = Annotated[list[SecurityGroup], CommaSeparated, Field(max_length=5)]


_TAG_CHARACTERS = r"(?:\w|[ \xa0.:/=+@-])"
TagKey = Annotated[
    str,
    text(
        rf"(?!(?i:aws):){_TAG_CHARACTERS}{{1,128}}",
        "a tag's key of 1 to 128 letters, digits, spaces and _.:/=+@- without aws: before it",
    ),
]
TagValue = Annotated[
    str,
    text(rf"{_TAG_CHARACTERS}{{0,256}}", "a tag's value of at most 256 letters, digits, spaces and _.:/=+@-"),
]


def _tags(value: Any) -> Any:
    """A mapping, also where the file has SageMaker's list of Key and Value."""
    if isinstance(value, list):
        if not all(isinstance(item, dict) and set(item) == {"Key", "Value"} for item in value):
            raise ValueError("tags are a mapping, or a list of {Key: ..., Value: ...}")
        keys = [item["Key"] for item in value]
        if any(not isinstance(key, str) for key in keys):
            raise ValueError("a tag's Key is a string: write it in quotes")
        if len(set(keys)) < len(keys):
            raise ValueError(
                f"two tags have the key {seen(next(key for key in keys if keys.count(key) > 1))}"
            )
        return {item["Key"]: item["Value"] for item in value}
    return _or_empty(value)


TAGS = 50
Tags = Annotated[dict[TagKey, TagValue], BeforeValidator(_tags), Field(max_length=TAGS)]

VariableName = Annotated[
    str,
    text(r"[A-Za-z_][A-Za-z0-9_]{0,255}", "a variable's name of letters, digits and _, and no digit first,"),
]


def _no_parameter(value: Any) -> Any:
    if isinstance(value, dict) and {"parameter", "default"} <= value.keys() <= {
        "parameter",
        "default",
        "choices",
    }:
        raise ValueError("one parameter cannot be all variables: list each variable")
    return value


Env = Annotated[dict[VariableName, AnyText], OrEmpty, BeforeValidator(_no_parameter), Field(max_length=100)]


def _version_range(value: Any) -> Any:
    """Versions as in `pip install`: ``>=1.2,<2``."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        is_range = isinstance(value, str) and len(SpecifierSet(value)) > 0
    except InvalidSpecifier:
        is_range = False
    if not is_range:
        raise ValueError(f"a range of versions such as >=1.2,<2 is expected, not {seen(value)}")
    return value


VersionRange = Annotated[str, BeforeValidator(_version_range)]

STEP_FAULTS = ("Step.SERVICE_FAULT", "Step.THROTTLING")
JOB_FAULTS = ("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT")


class RetryPolicy(Section):
    """When a step is tried again, in the terms of SageMaker's pipeline definition."""

    exceptions: Annotated[list[Annotated[str, one_of(*STEP_FAULTS, *JOB_FAULTS)]], Field(min_length=1)]
    max_attempts: Annotated[int, number(1, 20, "a whole number from 1 to 20")] | None = None
    expire_after_minutes: Annotated[int, number(1, 14400, "1 to 14400 minutes (10 days)")] | None = None
    interval_seconds: Annotated[int, number(1, 86400, "1 to 86400 seconds")] = 1
    backoff_rate: Annotated[float, number(0, 100, "a number from 0 to 100", whole=False)] = 2.0


class Network(Section):
    """The VPC of a model's jobs, and what passes between their containers."""

    subnets: Annotated[Subnets, Field(default_factory=list)]
    security_groups_id: Annotated[SecurityGroups, Field(default_factory=list)]
    enable_network_isolation: bool = False
    encrypt_inter_container_traffic: bool = False
