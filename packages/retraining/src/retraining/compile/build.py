"""The state of one compilation, and how configuration values become the SDK's."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from retraining.compile import code_package
from retraining.config.configuration import Configuration
from retraining.config.flow import images
from retraining.config.flow.chaining import Input
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.fields import JOB_FAULTS, Network, RetryPolicy
from retraining.config.schema.job import Job
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.pipeline import JOBS
from retraining.config.schema.values import written

ArgumentPath = tuple[str | int, ...]
AnyStep = ResolvedStep[Any]
# Throttling, service faults and missing capacity are tried again; a failing script is not.
RETRIES = (
    RetryPolicy(exceptions=["Step.SERVICE_FAULT", "Step.THROTTLING"], max_attempts=3),
    RetryPolicy(exceptions=[*JOB_FAULTS], max_attempts=3, interval_seconds=60),
)


@dataclass
class Build:
    """One compilation, which a project's pipeline.py fills.

    Attributes:
        configuration: the checked configuration; `configuration.steps` has the steps in a possible order.
        session: the SDK's PipelineSession.
        folder: where code packages are staged.
        steps: the SDK's steps made so far, by name.
        generated: SDK steps that a step of the configuration makes for itself, to be put before it.
        outputs: what a step writes, by its name and the output's: an S3 URI as the SDK takes it.
        late: arguments that the SDK takes as plain values only, or drops; they are put into the compiled
            definition, by step and path in the step's arguments.
    """

    configuration: Configuration
    session: Any
    folder: Path
    steps: dict[str, Any] = field(default_factory=dict)
    generated: dict[str, list[Any]] = field(default_factory=dict)
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
        parameters: dict[str, Any] = {}
        for name, declared in self._declared.items():
            choices = declared.choices and list(declared.choices)
            if declared.type in kinds:
                parameters[name] = kinds[declared.type](name=name, default_value=declared.default)
            else:
                parameters[name] = ParameterString(
                    name=name, default_value=declared.default, enum_values=choices
                )
        parameters["GitCommit"] = ParameterString(name="GitCommit", default_value="unknown")
        return parameters

    @property
    def _declared(self) -> dict[str, Parameter]:
        """The parameters as the configuration declares them, but with the URIs of images."""
        uri = self.configuration.image
        chosen = images.parameters(self.configuration.models.values())
        return {
            name: parameter.model_copy(
                update={
                    "default": uri(str(parameter.default)),
                    "choices": parameter.choices and tuple(map(uri, parameter.choices)),
                }
            )
            if name in chosen
            else parameter
            for name, parameter in self.configuration.parameters.items()
        }

    def value(self, value: Any) -> Any:
        """A configuration value as the SDK takes it: a parameter becomes a reference."""
        return self.parameters[value.parameter] if isinstance(value, Parameter) else value

    def text(self, value: Any) -> Any:
        """The same where SageMaker wants text, as for arguments and hyperparameters."""
        if isinstance(value, Parameter):
            reference = self.parameters[value.parameter]
            return reference if value.type == "String" else reference.to_string()
        return written(value)

    def plain(self, step_name: str, value: Any, *path: str | int) -> Any:
        """The same where the SDK takes no reference: the default now, the reference at `path` of the
        step's arguments later."""
        if isinstance(value, Parameter):
            self.late[step_name, path] = value
            return value.default
        return value

    def image(self, image: Any, version: str | None = None) -> Any:
        """An image's URI, or the parameter that chooses it."""
        if isinstance(image, Parameter):
            return self.parameters[image.parameter]
        return self.configuration.image(image, version)

    def s3(self, *parts: str, bucket: str | None = None) -> Any:
        """A URI of this execution: below the bucket, the pipeline's name and the execution's id."""
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join

        bucket = bucket or self.configuration.project.bucket
        base = f"s3://{bucket}/{self.configuration.pipeline.pipelineName}"
        return Join(on="/", values=[base, ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])

    def source(self, step: AnyStep, *entry_points: str) -> str:
        """A staged code package; relative, so that no path of this machine enters the definition."""
        name = f"code/{step.name}"
        root = self.configuration.root / step.model.source_directory
        code_package.stage(root, self.folder / name, *entry_points)
        return name

    def requirements(self, source: str, entry_point: str) -> str | None:
        """The requirements file of a staged package: next to the entry point, or at the top."""
        own = Path(entry_point).parent / "requirements.txt"
        for path in (own, Path("requirements.txt")):
            if (self.folder / source / path).is_file():
                return path.as_posix()
        return None

    def inputs(self, step: AnyStep) -> list[tuple[Input, Any]]:
        """What a job reads, with the S3 URI of each as the SDK takes it."""
        return [
            (item, self.value(item.uri) if item.step is None else self.outputs[item.step][item.output or ""])
            for item in step.inputs
        ]

    def upload_name(self, step: AnyStep) -> str:
        """What the SDK puts a step's uploads under: no two steps may share it."""
        return f"step-{list(self.configuration.steps).index(step.name)}"

    def name_job(self, step: AnyStep, member: str, base_job_name: str | None, longest: int = 63) -> None:
        """Give the step's jobs their prefix: the configuration's, or project and step."""
        own = f"{self.configuration.project.project}-{step.name}".replace("_", "-")
        self.late[step.name, (member,)] = (base_job_name or own)[:longest].rstrip("-")

    def role(self, step: AnyStep, own: Any = None, path: ArgumentPath = ("RoleArn",)) -> str:
        """The role of a job: its own, the model's, the project's."""
        role = own or step.model.role or self.configuration.project.role
        return str(self.plain(step.name, role, *path))

    def encryption_key(self, step: AnyStep, own: Any = None) -> Any:
        """The KMS key of a job: its own, the model's, the project's."""
        return self.value(own or step.model.kms_key or self.configuration.project.encryption_key)

    def network(self, step: AnyStep, job: Job | None = None) -> Network:
        """The model's network, in the project's VPC unless it names one; a job may isolate itself."""
        project = self.configuration.project
        network = step.model.network or Network.model_validate({})
        if not {"subnets", "security_groups_id"} & network.model_fields_set:
            vpc = {"subnets": project.subnets, "security_groups_id": project.security_groups}
            network = network.model_copy(update=vpc)
        if job is None or job.enable_network_isolation is None:
            return network
        return network.model_copy(update={"enable_network_isolation": job.enable_network_isolation})

    def tags(self, step: AnyStep, own: dict[str, str] | None = None) -> list[dict[str, str]]:
        """The project's tags, the model's, the section's; the nearest wins."""
        merged = {**self.configuration.project.tags, **step.model.tags, **(own or {})}
        return [{"Key": key, "Value": value} for key, value in merged.items()]

    def cache(self, step: AnyStep) -> Any:
        """The SDK's CacheConfig; None for a step that is not cached."""
        from sagemaker.mlops.workflow.steps import CacheConfig

        if not step.settings.enable_cache:
            return None
        own, project = step.settings.cache_expires_after, self.configuration.project
        expires = own or step.model.cache_expires_after or project.cache_expires_after
        return CacheConfig(enable_caching=True, expire_after=expires)

    def retries(self, step: AnyStep, is_job: bool | None = None) -> list[Any]:
        """The step's own policies, or the model's, or the project's; without any, RETRIES."""
        runs_job = step.step_class in JOBS if is_job is None else is_job
        levels = (step.settings.retry, step.model.retry, self.configuration.project.retry)
        policies = next((level for level in levels if level is not None), RETRIES)
        return [retry for policy in policies for retry in _policies(policy, runs_job)]


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
    of_steps = [fault for fault in StepExceptionTypeEnum if fault.value in policy.exceptions]
    of_jobs = [fault for fault in SageMakerJobExceptionTypeEnum if fault.value in policy.exceptions]
    policies: list[Any] = [StepRetryPolicy(of_steps, **settings)] if of_steps else []
    if of_jobs and is_job:
        policies.append(SageMakerJobStepRetryPolicy(exception_types=of_jobs, **settings))
    return policies
