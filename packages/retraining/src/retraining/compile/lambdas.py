"""The project's Lambda functions: which ones a pipeline calls, and how they are named and packed."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from retraining.config.configuration import Configuration
from retraining.config.schema import aws_names
from retraining.config.schema.aws_names import CHAMPION, REGISTERING
from retraining.config.schema.model import LambdaFunction

RUNTIME = "python3.12"


@dataclass(frozen=True)
class Function:
    """One file of lambdas/ as a Lambda function: its name and ARN in AWS, its zip and its settings."""

    name: str
    arn: str
    package: bytes
    settings: dict[str, Any]


def function_arn(configuration: Configuration, entry_point: str) -> str:
    """ARN of that function, known before it exists."""
    project = configuration.project
    partition = project.role.split(":")[1]
    name = aws_names.function_name(project, entry_point)
    return f"arn:{partition}:lambda:{project.SMP_REGION}:{project.SMP_ACCOUNTID}:function:{name}"


def functions_of(configuration: Configuration) -> list[Function]:
    """All functions that the pipeline's steps call and that the project brings."""
    called: dict[str, LambdaFunction] = {}
    for step in configuration.steps.values():
        if step.step_class == "Lambda" and isinstance(step.section, LambdaFunction):
            if step.section.entry_point:
                called[step.section.entry_point] = step.section
        elif step.step_class == "Lambda":
            called.setdefault(REGISTERING, LambdaFunction(entry_point=REGISTERING))
        if step.step_class == "Condition" and step.section.champion:
            called[CHAMPION] = LambdaFunction(entry_point=CHAMPION, timeout_seconds=60)
    return [_function(configuration, entry_point, function) for entry_point, function in called.items()]


def _function(configuration: Configuration, entry_point: str, function: LambdaFunction) -> Function:
    project = configuration.project
    module = PurePosixPath(entry_point).stem
    settings = {
        "Role": project.lambda_role or project.role,
        "Handler": f"{module}.{function.handler}",
        "Runtime": RUNTIME,
        "Timeout": function.timeout_seconds,
        "MemorySize": function.memory_size_in_mb,
        "Environment": {"Variables": {"PROJECT": project.project, **function.env}},
        **({"KMSKeyArn": project.encryption_key} if project.encryption_key else {}),
        **(
            {"VpcConfig": {"SubnetIds": project.subnets, "SecurityGroupIds": project.security_groups}}
            if project.subnets
            else {}
        ),
    }
    name = aws_names.function_name(project, entry_point)
    arn = function_arn(configuration, entry_point)
    return Function(name, arn, _package(configuration, entry_point), settings)


def _package(configuration: Configuration, entry_point: str) -> bytes:
    """The function's zip: the same source gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(PurePosixPath(entry_point).name, date_time=(1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, (configuration.root / "lambdas" / entry_point).read_bytes())
    return buffer.getvalue()
