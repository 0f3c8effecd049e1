"""The keys of a model beside its jobs, and what shows at many places."""

from collections.abc import Callable, Iterable
from typing import Any

from job_keys import MODEL, NAMED, OWN, ROLE
from key import Key, Row, keys
from keyed_project import ABSENT, Compiled

from retraining.compile import lambdas

_DEFINITION = "Tune/Arguments/TrainingJobDefinition"
_PROCESSING = ("Preprocess/Arguments", "Measure/Arguments")
_TRAINING = ("Train/Arguments", _DEFINITION, "Train-RepackModel/Arguments")
_CREATE, _TRANSFORM = "Create/Arguments", "Transform/Arguments"
ROLES = [*(f"{at}/RoleArn" for at in (*_PROCESSING, *_TRAINING)), f"{_CREATE}/ExecutionRoleArn"]
KEYS = [
    *(f"{at}/ProcessingOutputConfig/KmsKeyId" for at in _PROCESSING),
    *(f"{at}/ProcessingResources/ClusterConfig/VolumeKmsKeyId" for at in _PROCESSING),
    *(f"{at}/OutputDataConfig/KmsKeyId" for at in _TRAINING),
    *(f"{at}/ResourceConfig/VolumeKmsKeyId" for at in _TRAINING),
    f"{_TRANSFORM}/TransformOutput/KmsKeyId",
    f"{_TRANSFORM}/TransformResources/VolumeKmsKeyId",
]
_NETWORKS = [*(f"{at}/NetworkConfig" for at in _PROCESSING), *_TRAINING]
VPCS = [f"{at}/VpcConfig" for at in (*_NETWORKS, _CREATE)]
TAGGED = [
    f"{at}/Tags/Key=team/Value"
    for at in (
        *_PROCESSING,
        "Train/Arguments",
        "Tune/Arguments",
        "Train-RepackModel/Arguments",
        _CREATE,
        _TRANSFORM,
    )
]
RETRIED = ["Preprocess", "Tune", "Train", "Create", "Transform", "Measure", "Register"]


def everywhere(path: str, value: Any, at: Iterable[str], variant: str) -> list[Key]:
    """One key that shows at many places."""
    return [Key(path, value, place, variant=variant) for place in at]


def network(here: str, subnets: str, groups: str, variant: str) -> list[Key]:
    """The VPC of all jobs."""
    both = {f"{here}/{subnets}": ["subnet-0a"], f"{here}/{groups}": ["sg-0b"]}
    return [
        Key(f"{here}/{name}/0", value, f"{at}/{place}/0", variant=variant, beside=both)
        for name, value, place in ((subnets, "subnet-0c", "Subnets"), (groups, "sg-0d", "SecurityGroupIds"))
        for at in VPCS
    ]


def retry(here: str, steps: Iterable[str], variant: str) -> list[Key]:
    """The keys of a list of retry policies."""
    one = {"exceptions": ["Step.SERVICE_FAULT"], "max_attempts": 2}
    two = {"exceptions": ["Step.THROTTLING"], "expire_after_minutes": 5}
    rows: list[Row] = [
        ("0/exceptions/0", "Step.THROTTLING", "0/ExceptionType/0"),
        ("0/max_attempts", 7, "0/MaxAttempts"),
        ("0/interval_seconds", 11, "0/IntervalSeconds"),
        ("0/backoff_rate", 1.5, "0/BackoffRate"),
        ("1/expire_after_minutes", 9, "1/ExpireAfterMin"),
    ]
    beside = {here: [one, two]}
    return [
        Key(f"{here}/{path}", value, f"{step}/RetryPolicies/{place}", variant=variant, beside=beside)
        for path, value, place in (row[:3] for row in rows)
        for step in steps
    ]


def _function(*path: str, value: Any) -> Callable[[Compiled], bool]:
    """Whether the deployed function has a setting."""

    def shows(compilation: Compiled) -> bool:
        settings: Any = lambdas.functions_of(compilation.configuration)[-1].settings
        for part in path:
            settings = settings.get(part, {})
        return bool(settings == value)

    return shows


def _trains(compilation: Compiled, folder: str) -> bool:
    uri = compilation.at("Second/Arguments/InputDataConfig/ChannelName=code/DataSource/S3DataSource/S3Uri")
    return f"'{folder}'".encode() in compilation.uploaded(uri)["train.py"]


_MODEL = [
    Key("conf/models/second/source_directory", "models/elsewhere", shows=lambda it: _trains(it, "elsewhere")),
    Key("conf/models/second/disabled", True, "Second", ABSENT, variant="second"),
    Key(f"{MODEL}/name", "named", "Create/Arguments/ModelName"),
    *everywhere(f"{MODEL}/role", ROLE, ROLES, "model"),
    *everywhere(f"{MODEL}/kms_key", "model-key", KEYS, "model"),
    *network(f"{MODEL}/network", "subnets", "security_groups_id", "model"),
    *everywhere(
        f"{MODEL}/network/enable_network_isolation",
        True,
        [f"{at}/EnableNetworkIsolation" for at in (*_NETWORKS, _CREATE)],
        "model",
    ),
    *everywhere(
        f"{MODEL}/network/encrypt_inter_container_traffic",
        True,
        [f"{at}/EnableInterContainerTrafficEncryption" for at in _NETWORKS[:-1]],
        "model",
    ),
    *everywhere(f"{MODEL}/tags/team", "model", TAGGED, "model"),
    *everywhere(f"{MODEL}/cache_expires_after", "P3D", ["Preprocess/CacheConfig/ExpireAfter"], "model"),
    *retry(f"{MODEL}/retry", RETRIED, "model"),
]

_CONDITION, _CHAMPION = "Gate/Arguments/Conditions/0", "GateChampion/Arguments"
_GATED = {f"{MODEL}/evaluate/outputs": ["evaluation", "gated"]}
_MAXIMUM = {"output": "evaluation", "file": "evaluation.json", "json_path": "gate.auc"}
_GATE = [
    Key(
        f"{MODEL}/gate/output", "gated", "Measure/PropertyFiles/0/OutputName", beside=_GATED, variant="second"
    ),
    Key(f"{MODEL}/gate/file", "numbers.json", "Measure/PropertyFiles/0/FilePath"),
    Key(f"{MODEL}/gate/json_path", "gate.f1", f"{_CONDITION}/LeftValue/Std:JsonGet/Path"),
    Key(f"{MODEL}/gate/minimum", 0.75, f"{_CONDITION}/RightValue"),
    Key(
        f"{MODEL}/gate/maximum",
        9.5,
        f"{_CONDITION}/RightValue",
        variant="second",
        beside={f"{MODEL}/gate": _MAXIMUM},
    ),
    Key(f"{MODEL}/gate/maximum", 9.5, f"{_CONDITION}/Type", "LessThanOrEqualTo", variant="second"),
    Key(f"{MODEL}/gate/champion/json_path", "binary.f1", f"{_CHAMPION}/json_path", variant="third"),
    Key(f"{MODEL}/gate/champion/tolerance", 0.25, f"{_CHAMPION}/tolerance", variant="third"),
]

_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:existing"
_LAMBDA = [
    Key(
        f"{MODEL}/lambda/entry_point",
        "register.py",
        "Call/FunctionArn",
        "arn:aws:lambda:eu-west-1:111122223333:function:demo-register",
    ),
    Key(
        f"{MODEL}/lambda/function_arn",
        _ARN,
        "Call/FunctionArn",
        variant="second",
        beside={f"{MODEL}/lambda": {}},
    ),
    Key(f"{MODEL}/lambda/handler", "main", shows=_function("Handler", value="register.main")),
    Key(f"{MODEL}/lambda/timeout_seconds", 77, shows=_function("Timeout", value=77)),
    Key(f"{MODEL}/lambda/memory_size_in_mb", 777, shows=_function("MemorySize", value=777)),
    Key(
        f"{MODEL}/lambda/env/LEVEL",
        "debug",
        shows=_function("Environment", "Variables", "LEVEL", value="debug"),
    ),
    Key(f"{MODEL}/lambda/inputs/stage", "test", "Call/Arguments/stage"),
    Key(f"{MODEL}/lambda/outputs/0", "arn", "Call/OutputParameters/OutputName=arn/OutputName"),
]

_SERVED, _REGISTERED = f"{MODEL}/registry/InferenceSpecification", "Register/Arguments/InferenceSpecification"
_STATISTICS = "Register/Arguments/ModelMetrics/ModelQuality/Statistics/S3Uri/Std:Join/Values"
_MEASURED = {"Get": "Steps.Measure.ProcessingOutputConfig.Outputs['quality'].S3Output.S3Uri"}
_WRITTEN = {
    f"{MODEL}/registry/model_quality": {"output": "evaluation", "file": "quality.json"},
    f"{MODEL}/evaluate/outputs": ["evaluation", "quality"],
}
_REGISTRY = [
    *keys(
        f"{MODEL}/registry",
        "Register/Arguments",
        [
            ("model_package_group", "own-group", "ModelPackageGroupName"),
            ("description", "Of a test", "ModelPackageDescription"),
        ],
    ),
    Key(
        f"{MODEL}/registry/ModelPackageDescription",
        "In SageMaker's word",
        "Register/Arguments/ModelPackageDescription",
        variant="second",
    ),
    Key(f"{MODEL}/registry/ModelRepack", "False", "Train-RepackModel", ABSENT, variant="second"),
    Key(
        f"{MODEL}/registry/model_quality/output",
        "quality",
        f"{_STATISTICS}/0",
        _MEASURED,
        variant="third",
        beside=_WRITTEN,
    ),
    Key(f"{MODEL}/registry/model_quality/file", "numbers.json", f"{_STATISTICS}/1", variant="third"),
    *keys(
        _SERVED,
        _REGISTERED,
        [
            ("image_uri", OWN, "Containers/0/Image"),
            ("supported_content_types/0", "text/json", "SupportedContentTypes/0"),
            ("supported_response_MIME_types/0", "text/json", "SupportedResponseMIMETypes/0"),
            ("SupportedTransformInstanceTypes/0", "ml.c5.large", "SupportedTransformInstanceTypes/0"),
            (
                "SupportedRealtimeInferenceInstanceTypes/0",
                "ml.c5.large",
                "SupportedRealtimeInferenceInstanceTypes/0",
            ),
        ],
    ),
    Key(f"{_SERVED}/approval_status", "Approved", "Register/Arguments/ModelApprovalStatus"),
    Key(
        f"{_SERVED}/framework_version",
        "1.4-2-cpu-py3",
        f"{_REGISTERED}/Containers/0/Image",
        NAMED,
        variant="second",
        beside={f"{_SERVED}/image_uri": "sagemaker-scikit-learn"},
    ),
    *(
        Key(f"{_SERVED}/{path}", value, f"Call/Arguments/{place}")
        for path, value, place in (
            ("image_uri", OWN, "image_uri"),
            ("supported_content_types/0", "text/json", "content_types/0"),
            ("supported_response_MIME_types/0", "text/json", "response_types/0"),
            ("SupportedTransformInstanceTypes/0", "ml.c5.large", "transform_instance_types/0"),
            ("SupportedRealtimeInferenceInstanceTypes/0", "ml.c5.large", "realtime_instance_types/0"),
            ("approval_status", "Approved", "approval_status"),
        )
    ),
    Key(f"{MODEL}/registry/description", "Of a test", "Call/Arguments/description"),
    Key(f"{MODEL}/registry/model_package_group", "own-group", "Call/Arguments/model_package_group"),
]

MODEL_KEYS = [*_MODEL, *_GATE, *_LAMBDA, *_REGISTRY]
