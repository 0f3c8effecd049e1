"""The keys of conf/project.yaml."""

from collections.abc import Callable
from typing import Any

from job_keys import MODEL, ROLE
from key import Key, joined
from keyed_project import Compiled
from model_keys import KEYS, RETRIED, ROLES, TAGGED, everywhere, network, retry

from retraining.compile import lambdas
from retraining.runs import deployment, targets

_EXECUTION = {"Get": "Execution.PipelineExecutionId"}
_OUTPUT = "Train/Arguments/OutputDataConfig/S3OutputPath"
_FRAMEWORK, _SECURITY = "project/conf", "project/conf/sagemakerNetworkSecurity"
_EXISTING_ROLE = "arn:aws:iam::111122223333:role/lambda"


def _is(read: Callable[[Compiled], Any], value: Any) -> Callable[[Compiled], bool]:
    return lambda compilation: bool(read(compilation) == value)


def _sent(name: str) -> Callable[[Compiled], Any]:
    """What a deployment sends beside the definition."""
    return lambda compilation: deployment.settings(compilation.configuration, compilation.definition).get(
        name
    )


def _function(name: str) -> Callable[[Compiled], Any]:
    return lambda compilation: lambdas.functions_of(compilation.configuration)[-1].settings.get(name)


def _bucket(name: str) -> dict[str, Any]:
    return joined(f"s3://{name}/keys", _EXECUTION, "Train")


def _places(variant: str, role: str, key: str) -> list[Key]:
    """What stands under SageMaker's names and under the framework's."""
    return [
        *everywhere(role, ROLE, ROLES, variant),
        Key(role, ROLE, shows=_is(_sent("RoleArn"), ROLE), variant=variant),
        *everywhere(key, "project-key", KEYS, variant),
        Key(key, "project-key", shows=_is(_function("KMSKeyArn"), "project-key"), variant=variant),
    ]


PROJECT = [
    Key(
        "project/project",
        "renamed",
        "Register/Arguments/ModelPackageGroupName",
        "renamed-first",
        variant="project",
    ),
    Key(
        "project/project",
        "renamed",
        "Preprocess/Arguments/ProcessingJobName",
        "renamed-Preprocess",
        variant="project",
    ),
    Key("project/description", "What it is", shows=_is(_sent("PipelineDescription"), "What it is")),
    Key(
        "project/SMP_ACCOUNTID",
        "444455556666",
        "Call/FunctionArn",
        "arn:aws:lambda:eu-west-1:444455556666:function:renamed-announce",
        variant="project",
    ),
    Key(
        "project/SMP_REGION",
        "us-east-2",
        shows=_is(lambda it: targets.local_settings(it.configuration).region, "us-east-2"),
        variant="framework",
    ),
    Key("project/SMP_S3BUCKETNAME", "new-bucket", _OUTPUT, _bucket("new-bucket"), variant="project"),
    Key(f"{_FRAMEWORK}/s3Bucket", "old-bucket", _OUTPUT, _bucket("old-bucket"), variant="framework"),
    *_places("project", "project/SMP_ROLE", "project/kms_key"),
    *_places("framework", f"{_SECURITY}/role", f"{_SECURITY}/kms_key"),
    *network("project", "SMP_SUBNETS", "SMP_SECURITYGROUPS", "project"),
    *network(_SECURITY, "subnets", "security_groups_id", "framework"),
    *(
        Key(
            path,
            "models/*/conf.yaml",
            shows=lambda compilation: "extra" in compilation.configuration.models,
            variant=variant,
        )
        for path, variant in (
            ("project/SMP_MODEL_CONFIGPATH", "project"),
            (f"{_FRAMEWORK}/modelConfigFilePath", "framework"),
        )
    ),
    Key(
        "project/SMP_MODELNAME",
        "first",
        "Train/Arguments/Environment/MODEL",
        variant="named",
        beside={f"{MODEL}/train/env/MODEL": "SMP_MODELNAME"},
    ),
    Key("project/lambda_role", _EXISTING_ROLE, shows=_is(_function("Role"), _EXISTING_ROLE)),
    *everywhere("project/tags/team", "project", TAGGED, "project"),
    Key("project/cache_expires_after", "P5D", "Preprocess/CacheConfig/ExpireAfter", variant="project"),
    *retry("project/retry", RETRIED, "project"),
    Key(
        "project/local/sagemaker_port",
        9571,
        shows=_is(lambda it: targets.local_settings(it.configuration).sagemaker_port, 9571),
    ),
    Key(
        "project/local/aws_port",
        9572,
        shows=_is(lambda it: targets.local_settings(it.configuration).aws_port, 9572),
    ),
]

# Keys of which a compilation shows nothing, and the test of their effect.
_NOWHERE = [
    f"conf/models/*/{section}/channels/*/{key}"
    for section in ("train", "transform")
    for key in ("inputLocalFilepath", "location", "location/outputLocalFilepath")
]
_LABELS = [f"conf/models/*/{section}/channels/*/dataFiles/*/sourceName" for section in ("train", "transform")]
ELSEWHERE = {
    "project/schedule": "test_the_schedule_is_put_as_it_stands",
    "project/mlflow_tracking_uri": "test_the_tracking_server_is_told_to_mlflow",
    "project/platform": "test_another_version_of_the_platform_is_one_line",
    "project/local/mlflow_port": "test_the_pages_of_mlflow_open_at_their_port",
    **dict.fromkeys(_LABELS, "test_the_name_of_a_source_is_a_label_outside_of_processing"),
    **dict.fromkeys(_NOWHERE, "test_a_key_that_would_have_no_effect_is_an_error"),
}
