"""The state of one compilation, and how configuration values become the SDK's."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from retraining import code_package, images
from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.parameter import Parameter
from retraining.schema import Channel, Job, Step, Text, Unit


@dataclass
class Build:
    """The state of one compilation: the SDK's session, the parameters, and the steps made so far."""

    configuration: Configuration
    session: Any
    folder: Path
    steps: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

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
            for name, found in self.configuration.parameters.items()
        }
        made["GitCommit"] = ParameterString(name="GitCommit", default_value="unknown")
        return made

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

    def image(self, image: Text) -> Any:
        if isinstance(image, Parameter):
            return self.parameters[image.parameter]
        return images.uri(image, self.configuration.project.SMP_REGION)

    def s3(self, *parts: str) -> Any:
        """A URI of this execution: below the bucket, the pipeline's name and the execution's id."""
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join

        base = (
            f"s3://{self.configuration.project.SMP_S3BUCKETNAME}/{self.configuration.pipeline.pipelineName}"
        )
        return Join(on="/", values=[base, ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])

    def source(self, unit: Unit, job: Job, step: Step) -> str:
        """A staged code package; relative, so that no path of this machine enters the definition."""
        name = f"code/{step.step_name}"
        code_package.stage(
            self.configuration.root / unit.source_directory, job.entry_point, self.folder / name
        )
        return name

    def sources_of(self, step: Step, channels: dict[str, Channel]) -> dict[str, Any]:
        """S3 URI per channel: its own data, or the output of that name of a chained step.

        Raises:
            UserError: a channel has no data and no chained step writes it.
        """
        chained: dict[str, Any] = {}
        for name in reversed(step.chain_input_source_step):
            chained |= self.outputs.get(name, {})
        uris = {}
        for name, channel in (channels or dict.fromkeys(chained, Channel())).items():
            if channel.dataFiles:
                uris[name] = self.value(channel.dataFiles[0].fileName)
            elif name in chained:
                uris[name] = chained[name]
            else:
                written = ", ".join(chained) or "nothing"
                raise UserError(
                    f"step {step.step_name!r}: channel {name!r} has no dataFiles, "
                    f"and its chained steps write {written}"
                )
        return uris

    def tags(self, job: Job) -> list[dict[str, str]]:
        merged = {**self.configuration.project.tags, **job.tags}
        return [{"Key": key, "Value": value} for key, value in merged.items()]
