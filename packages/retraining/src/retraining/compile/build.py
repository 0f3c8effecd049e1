"""The state of one compilation, and how configuration values become the SDK's."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from retraining.compile import code_package
from retraining.config.configuration import Configuration
from retraining.config.flow import chaining, images
from retraining.config.flow.chaining import Input
from retraining.config.schema.fields import JOB_FAULTS, Network, RetryPolicy
from retraining.config.schema.job import Job
from retraining.config.schema.model import Unit
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.pipeline import JOBS, Step

ArgumentPath = tuple[str | int, ...]
# Throttling, service faults and missing capacity are tried again; a failing script is not.
RETRIES = (
    RetryPolicy(exceptions=["Step.SERVICE_FAULT", "Step.THROTTLING"], max_attempts=3),
    RetryPolicy(exceptions=[*JOB_FAULTS], max_attempts=3, interval_seconds=60),
)


@dataclass
class Build:
    """The state of one compilation: the SDK's session, the parameters, and the steps made so far.

    `beside` holds steps that a step of the configuration makes beside itself, before it. `late` are
    arguments that the SDK takes as plain values only, or drops: they go into the compiled definition.
    """

    configuration: Configuration
    session: Any
    folder: Path
    steps: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, list[Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    late: dict[tuple[str, ArgumentPath], Any] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The SDK's parameter objects by name."""
        from sagemaker.core.workflow.parameters import (
            ParameterBoolean,
            ParameterFloat,
            ParameterInteger,
            ParameterString,
        )

        kinds = {"Boolean": ParameterBoolean, "Float": ParameterFloat, "Integer": ParameterInteger}
        made: dict[str, Any] = {
            name: (
                kinds[found.type](name=name, default_value=found.default)
                if found.type in kinds
                else ParameterString(
                    name=name, default_value=found.default, enum_values=found.choices and list(found.choices)
                )
            )
            for name, found in self._parameters.items()
        }
        made["GitCommit"] = ParameterString(name="GitCommit", default_value="unknown")
        return made

    @property
    def _parameters(self) -> dict[str, Parameter]:
        """As declared, but with the URIs of images."""
        uri, declared = self.configuration.image, self.configuration.parameters
        chosen = images.parameters(self.configuration.units.values())
        return {
            name: found.model_copy(
                update={
                    "default": uri(str(found.default)),
                    "choices": found.choices and tuple(map(uri, found.choices)),
                }
            )
            if name in chosen
            else found
            for name, found in declared.items()
        }

    def unit(self, step: Step) -> Unit:
        return self.configuration.units[self.configuration.dag.models[step.step_name]]

    def package_group(self, step: Step) -> str:
        return self.configuration.package_group(self.configuration.dag.models[step.step_name])

    def value(self, value: Any) -> Any:
        """A configuration value as the SDK takes it: a parameter becomes a reference."""
        return self.parameters[value.parameter] if isinstance(value, Parameter) else value

    def text(self, value: Any) -> Any:
        """The same where SageMaker wants text, as for arguments and hyperparameters."""
        if isinstance(value, Parameter):
            found = self.parameters[value.parameter]
            return found if value.type == "String" else found.to_string()
        if isinstance(value, dict | list):
            return json.dumps(value, separators=(",", ":"), default=str)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def plain(self, step_name: str, value: Any, *path: str | int) -> Any:
        """The same where the SDK takes no reference: the default now, the reference at `path` of the
        step's arguments later."""
        if isinstance(value, Parameter):
            self.late[step_name, path] = value
            return value.default
        return value

    def image(self, image: Any, version: str | None = None) -> Any:
        if isinstance(image, Parameter):
            return self.parameters[image.parameter]
        return self.configuration.image(image, version)

    def s3(self, *parts: str, bucket: str | None = None) -> Any:
        """A URI of this execution: below the bucket, the pipeline's name and the execution's id."""
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join

        base = (
            f"s3://{bucket or self.configuration.project.bucket}/{self.configuration.pipeline.pipelineName}"
        )
        return Join(on="/", values=[base, ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])

    def source(self, step: Step, *entry_points: str) -> str:
        """A staged code package; relative, so that no path of this machine enters the definition."""
        name = f"code/{step.step_name}"
        root = self.configuration.root / self.unit(step).source_directory
        code_package.stage(root, self.folder / name, *entry_points)
        return name

    def requirements(self, source: str, entry_point: str) -> str | None:
        """The requirements file of a staged package: beside the entry point, or at the top."""
        beside = Path(entry_point).parent / "requirements.txt"
        for path in (beside, Path("requirements.txt")):
            if (self.folder / source / path).is_file():
                return path.as_posix()
        return None

    def inputs(self, step: Step) -> list[tuple[Input, Any]]:
        """What a job reads, with the S3 URI of each as the SDK takes it."""
        found = chaining.inputs_of(self.configuration.pipeline, self.configuration.units, step)
        return [
            (item, self.value(item.uri) if item.step is None else self.outputs[item.step][item.output or ""])
            for item in found
        ]

    def upload_name(self, step: Step) -> str:
        """What the SDK puts a step's uploads under: no two steps may share it."""
        return f"step-{list(self.configuration.dag.steps).index(step.step_name)}"

    def name_job(self, step: Step, member: str, base_job_name: str | None, longest: int = 63) -> None:
        """Give the step's jobs their prefix: the configuration's, or project and step."""
        own = f"{self.configuration.project.project}-{step.step_name}".replace("_", "-")
        self.late[step.step_name, (member,)] = (base_job_name or own)[:longest].rstrip("-")

    def role(self, step: Step, own: Any = None, path: ArgumentPath = ("RoleArn",)) -> str:
        role = own or self.unit(step).role or self.configuration.project.role
        return str(self.plain(step.step_name, role, *path))

    def encryption_key(self, step: Step, own: Any = None) -> Any:
        """The KMS key of a job: its own, the unit's, the project's."""
        return self.value(own or self.unit(step).kms_key or self.configuration.project.encryption_key)

    def network(self, step: Step, job: Job | None = None) -> Network:
        """The unit's network, in the project's VPC unless it names one; a job may isolate itself."""
        project = self.configuration.project
        network = self.unit(step).network or Network.model_validate({})
        if not {"subnets", "security_groups_id"} & network.model_fields_set:
            vpc = {"subnets": project.subnets, "security_groups_id": project.security_groups}
            network = network.model_copy(update=vpc)
        if job is None or job.enable_network_isolation is None:
            return network
        return network.model_copy(update={"enable_network_isolation": job.enable_network_isolation})

    def tags(self, step: Step, own: dict[str, str] | None = None) -> list[dict[str, str]]:
        """The project's tags, the unit's, the section's; the nearest wins."""
        merged = {**self.configuration.project.tags, **self.unit(step).tags, **(own or {})}
        return [{"Key": key, "Value": value} for key, value in merged.items()]

    def cache(self, step: Step) -> Any:
        from sagemaker.mlops.workflow.steps import CacheConfig

        if not step.enable_cache:
            return None
        unit, project = self.unit(step), self.configuration.project
        expires = step.cache_expires_after or unit.cache_expires_after or project.cache_expires_after
        return CacheConfig(enable_caching=True, expire_after=expires)

    def retries(self, step: Step, is_job: bool | None = None) -> list[Any]:
        """The step's own policies, or the unit's, or the project's; without any, RETRIES."""
        runs_job = step.step_class in JOBS if is_job is None else is_job
        found = step.retry
        for other in (self.unit(step).retry, self.configuration.project.retry, RETRIES):
            found = list(other) if found is None and other is not None else found
        return [made for policy in found or [] for made in _policies(policy, runs_job)]


def _policies(policy: RetryPolicy, is_job: bool) -> list[Any]:
    """The SDK has one class for the faults of every step and one for those of jobs; a policy for many
    steps is taken as far as the step can have it."""
    from sagemaker.mlops.workflow.retry import (
        SageMakerJobExceptionTypeEnum,
        SageMakerJobStepRetryPolicy,
        StepExceptionTypeEnum,
        StepRetryPolicy,
    )

    settings = {
        "interval_seconds": policy.interval_seconds,
        "backoff_rate": policy.backoff_rate,
        "max_attempts": policy.max_attempts,
        "expire_after_mins": policy.expire_after_minutes,
    }
    of_steps = [found for found in StepExceptionTypeEnum if found.value in policy.exceptions]
    of_jobs = [found for found in SageMakerJobExceptionTypeEnum if found.value in policy.exceptions]
    made: list[Any] = [StepRetryPolicy(of_steps, **settings)] if of_steps else []
    if of_jobs and is_job:
        made.append(SageMakerJobStepRetryPolicy(exception_types=of_jobs, **settings))
    return made
