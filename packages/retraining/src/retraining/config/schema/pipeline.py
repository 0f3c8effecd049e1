"""What `conf.sagemakerPipeline` may hold: the steps of each model, and their order."""

from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from retraining.config.schema.fields import NAME, CacheExpiry, RelativePath, RetryPolicy
from retraining.config.schema.values import Section, Text, one_of, text

# The sections that a step of a class may run; the first is meant where step_type is not given.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Processing": ("preprocess", "evaluate"),
    "Training": ("train",),
    "Tuning": ("tune",),
    "CreateModel": ("registry",),
    "Transform": ("transform",),
    "Metrics": ("evaluate",),
    "Condition": ("gate",),
    "Lambda": ("lambda", "registry"),
    "RegisterModel": ("registry",),
    "Fail": (),
}
# Other names that the framework's documentation gives to step types.
_TYPE_NAMES = {"create": "registry", "metrics": "evaluate"}
_STEP_TYPES = tuple(dict.fromkeys(name for names in SECTIONS.values() for name in names))
CACHED = ("Processing", "Training", "Tuning", "Transform", "Metrics", "Lambda")
# What SageMaker retries: every step but these.
NOT_RETRIED = ("Condition", "Fail", "Lambda")
JOBS = ("Processing", "Training", "Tuning", "Transform", "Metrics")


def _step_type(value: Any) -> Any:
    return _TYPE_NAMES.get(value, value) if isinstance(value, str) else value


def _names(value: Any) -> Any:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _chains(value: Any) -> Any:
    return [] if value is None else value


class Step(Section):
    """One step of the graph, and which section of its model's configuration it runs."""

    step_name: Annotated[str, text(r"[A-Za-z0-9_-]{1,64}", "a name of at most 64 letters, digits, - and _")]
    step_class: Annotated[str, one_of(*SECTIONS)]
    step_type: Annotated[str, one_of(*_STEP_TYPES), BeforeValidator(_step_type)] | None = None
    enable_cache: bool = False
    cache_expires_after: CacheExpiry | None = None
    retry: list[RetryPolicy] | None = None
    chain_input_source_step: Annotated[list[str], BeforeValidator(_names)] = []
    chain_input_additional_prefix: RelativePath | None = None
    else_step: str | None = None
    error_message: Text | None = None
    disabled: bool = False

    @property
    def section(self) -> str | None:
        """The name of the section that the step runs; None for a Fail step."""
        sections = SECTIONS[self.step_class]
        return self.step_type or (sections[0] if sections else None)

    @property
    def registers(self) -> bool:
        """Whether the step registers a model: as RegisterModel, or by the project's Lambda function."""
        return self.section == "registry" and self.step_class != "CreateModel"

    @property
    def takes_model(self) -> bool:
        """Whether the step takes what the model's last training step before it has trained."""
        return self.section == "registry"

    # Steps that are made for this one have names of their own.

    @property
    def own_fail_step(self) -> str:
        """Of a Condition step without `else_step`: the Fail step that says what the gate measured."""
        return f"{self.step_name}Failed"

    @property
    def champion_step(self) -> str:
        """Of a Condition step with a champion: the Lambda step that finds it."""
        return f"{self.step_name}Champion"

    @property
    def repack_step(self) -> str:
        """Of a step that trains: the one that puts the inference code into the model."""
        return f"{self.step_name}-RepackModel"


class Steps(Section):
    steps: Annotated[list[Step], Field(min_length=1)]


class Pipeline(Section):
    """sagemakerPipeline: the steps of each model and their order."""

    pipelineName: Annotated[
        str, text(rf"(?=.{{1,256}}$){NAME}", "a name of at most 256 letters, digits and inner hyphens")
    ]
    models: Annotated[dict[str, Steps], Field(min_length=1)]
    dependencies: Annotated[list[str], BeforeValidator(_chains)] = []

    @property
    def chains(self) -> list[list[str]]:
        """``["a >> b >> c"]`` as ``[["a", "b", "c"]]``."""
        return [[name.strip() for name in chain.split(">>")] for chain in self.dependencies]

    @cached_property
    def by_name(self) -> dict[str, tuple[str, Step]]:
        """Model and step of every step name, in the order of the file."""
        return {step.step_name: (model, step) for model, steps in self.models.items() for step in steps.steps}
