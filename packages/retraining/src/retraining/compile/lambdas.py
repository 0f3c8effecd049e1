"""The project's Lambda functions: which ones a pipeline calls, and how they are named and packed."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from retraining.config.configuration import Configuration
from retraining.config.schema import aws_names
from retraining.config.schema.aws_names import CHAMPION

RUNTIME = "python3.12"


@dataclass(frozen=True)
class Function:
    """One file of lambdas/ as a Lambda function: its name in AWS, its zip and its settings."""

    name: str
    package: bytes
    settings: dict[str, Any]


def function_name(configuration: Configuration, entry_point: str) -> str:
    """The name of the project's function in AWS."""
    return aws_names.function_name(configuration.project, entry_point)


def function_arn(configuration: Configuration, entry_point: str) -> str:
    """ARN of that function, known before it exists."""
    project = configuration.project
    partition = project.role.split(":")[1]
    place = f"{project.SMP_REGION}:{project.SMP_ACCOUNTID}"
    return f"arn:{partition}:lambda:{place}:function:{function_name(configuration, entry_point)}"


def of(configuration: Configuration) -> list[Function]:
    """All functions that the pipeline's steps call and that the project brings."""
    found: dict[str, dict[str, Any]] = {}
    graph = configuration.dag
    for name, step in graph.steps.items():
        unit = configuration.units[graph.models[name]]
        if step.step_class == "Lambda" and unit.lambda_ and unit.lambda_.entry_point:
            found[unit.lambda_.entry_point] = {
                "handler": unit.lambda_.handler,
                "timeout": unit.lambda_.timeout_seconds,
                "memory": unit.lambda_.memory_size_in_mb,
                "env": unit.lambda_.env,
            }
        if step.step_class == "Condition" and unit.gate and unit.gate.champion:
            found[CHAMPION] = {"handler": "handler", "timeout": 60, "memory": 128, "env": {}}
    return [_function(configuration, entry_point, settings) for entry_point, settings in found.items()]


def _function(configuration: Configuration, entry_point: str, wanted: dict[str, Any]) -> Function:
    project = configuration.project
    module = PurePosixPath(entry_point).stem
    settings = {
        "Role": project.lambda_role or project.role,
        "Handler": f"{module}.{wanted['handler']}",
        "Runtime": RUNTIME,
        "Timeout": wanted["timeout"],
        "MemorySize": wanted["memory"],
        "Environment": {"Variables": {"PROJECT": project.project, **wanted["env"]}},
        **({"KMSKeyArn": project.encryption_key} if project.encryption_key else {}),
        **(
            {"VpcConfig": {"SubnetIds": project.subnets, "SecurityGroupIds": project.security_groups}}
            if project.subnets
            else {}
        ),
    }
    return Function(function_name(configuration, entry_point), package(configuration, entry_point), settings)


def package(configuration: Configuration, entry_point: str) -> bytes:
    """The function's zip: the same source gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(PurePosixPath(entry_point).name, date_time=(1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, (configuration.root / "lambdas" / entry_point).read_bytes())
    return buffer.getvalue()
