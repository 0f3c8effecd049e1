"""What the configuration files may hold: one pydantic model per section, unknown keys refused."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator

from retraining.parameter import Parameter

_NAME = r"^[A-Za-z0-9](-?[A-Za-z0-9])*$"


def _kind(value: Any) -> str:
    return "parameter" if isinstance(value, dict | Parameter) else "value"


def _kind_of_hyperparameter(value: Any) -> str:
    """Other mappings than a parameter are values: they are passed on as JSON."""
    return (
        "parameter"
        if isinstance(value, Parameter) or "parameter" in (value if isinstance(value, dict) else {})
        else "value"
    )


_Tagged = Annotated[Parameter, Tag("parameter")]
Text = Annotated[_Tagged | Annotated[str, Field(min_length=1), Tag("value")], Discriminator(_kind)]
PositiveInt = Annotated[_Tagged | Annotated[int, Field(ge=1), Tag("value")], Discriminator(_kind)]
Number = Annotated[_Tagged | Annotated[float, Field(allow_inf_nan=False), Tag("value")], Discriminator(_kind)]
Argument = Annotated[_Tagged | Annotated[bool | int | float | str, Tag("value")], Discriminator(_kind)]
Hyperparameter = Annotated[_Tagged | Annotated[Any, Tag("value")], Discriminator(_kind_of_hyperparameter)]


class Section(BaseModel):
    """Strict: a key that is not a field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _text(pattern: str, words: str) -> BeforeValidator:
    """A text that matches `pattern`, described to people in `words`."""

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"{words} is expected, not {value!r}")
        return value

    return BeforeValidator(check)


_ROLE = _text(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", "a role's ARN, arn:aws:iam::111122223333:role/name,")


class LocalPorts(Section):
    """Ports of the local services, all on 127.0.0.1."""

    sagemaker_port: Annotated[int, Field(ge=1024, le=65535)] = 8571
    aws_port: Annotated[int, Field(ge=1024, le=65535)] = 8572
    mlflow_port: Annotated[int, Field(ge=1024, le=65535)] = 8573


class Project(Section):
    """conf/project.yaml."""

    project: Annotated[
        str, _text(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", "a name of 2 to 32 letters a-z, digits and -")
    ]
    description: str = ""
    SMP_ACCOUNTID: Annotated[str, _text(r"[0-9]{12}", "an account of twelve digits, in quotes,")]
    SMP_REGION: Annotated[str, _text(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", "a region such as eu-west-1")]
    SMP_S3BUCKETNAME: Annotated[
        str, _text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name (3 to 63 of a-z, 0-9, . and -)")
    ]
    SMP_ROLE: Annotated[str, _ROLE]
    SMP_MODEL_CONFIGPATH: str = "models/*/conf.yaml"
    SMP_SUBNETS: list[Annotated[str, _text(r"subnet-[0-9a-f]+", "a subnet such as subnet-0a1b")]] = []
    SMP_SECURITYGROUPS: list[Annotated[str, _text(r"sg-[0-9a-f]+", "a security group such as sg-0a1b")]] = []
    SMP_MODELNAME: str
    kms_key: str | None = None
    lambda_role: Annotated[str, _ROLE]
    mlflow_tracking_uri: str | None = None
    schedule: Annotated[str, _text(r"(cron|rate)\(.+\)", "cron(...) or rate(...)")]
    tags: dict[str, str] = {}
    local: LocalPorts = LocalPorts()


class DataFile(Section):
    """One input of a job: a file or a prefix in S3."""

    sourceName: str
    fileName: Text

    @field_validator("fileName")
    @classmethod
    def _in_s3(cls, value: str | Parameter) -> str | Parameter:
        uri = value.default if isinstance(value, Parameter) else value
        if not str(uri).startswith("s3://"):
            raise ValueError(f"must be an S3 URI such as s3://bucket/prefix/, not {uri!r}")
        return value


class Channel(Section):
    """An input channel; without data files it is filled by the output of the same name of a chained step."""

    dataFiles: Annotated[list[DataFile], Field(max_length=1)] = []


Channels = Annotated[
    dict[str, Channel],
    BeforeValidator(lambda v: {k: c or {} for k, c in v.items()} if isinstance(v, dict) else v),
]


class Job(Section):
    """What processing and training jobs have in common."""

    image_uri: Text
    entry_point: str
    base_job_name: str | None = None
    instance_type: Text
    instance_count: PositiveInt = 1
    volume_size_in_gb: Annotated[int, Field(ge=1, le=16384)] = 30
    max_runtime_seconds: Annotated[int, Field(ge=1)] = 86400
    env: dict[str, Text] = {}
    tags: dict[str, str] = {}
    channels: Channels = {}


class ProcessingJob(Job):
    """A processing job: `outputs` are folders below /opt/ml/processing/output, named after themselves."""

    arguments: dict[str, Argument] = {}
    outputs: Annotated[list[str], Field(max_length=10)] = []


class TrainingJob(Job):
    """A training job in script mode. A hyperparameter that is a mapping is passed as JSON."""

    hyperparams: dict[str, Hyperparameter] = {}
    metric_definitions: dict[str, str] = {}


class Gate(Section):
    """The pipeline goes on only where the value at `json_path` in a JSON output reaches `minimum`."""

    output: str
    file: str
    json_path: str
    minimum: Number


class InferenceSpecification(Section):
    """How a registered model is served."""

    image_uri: Text
    supported_content_types: list[str]
    supported_response_MIME_types: list[str]
    SupportedTransformInstanceTypes: list[str] = []
    SupportedRealtimeInferenceInstanceTypes: list[str] = []
    approval_status: Text = "PendingManualApproval"


class Registry(Section):
    """The model package group and what each version carries."""

    model_package_group: Annotated[str, Field(pattern=_NAME, max_length=63)]
    description: Annotated[str, Field(max_length=512)] = ""
    InferenceSpecification: InferenceSpecification


class Unit(Section):
    """One model: its scripts and the sections that its steps use."""

    source_directory: str
    preprocess: ProcessingJob | None = None
    train: TrainingJob
    evaluate: ProcessingJob | None = None
    gate: Gate | None = None
    registry: Registry | None = None


class Models(Section):
    models: dict[str, Unit]


StepClass = Literal["Processing", "Training", "Metrics", "Condition", "Lambda"]
_SECTIONS = {"Training": "train", "Metrics": "evaluate", "Condition": "gate", "Lambda": "registry"}


class Step(Section):
    """One step of the graph; `section` names the part of the model's configuration that it runs."""

    step_name: Annotated[str, Field(pattern=_NAME, max_length=64)]
    step_class: StepClass
    step_type: Literal["preprocess", "train", "evaluate"] | None = None
    enable_cache: bool = False
    chain_input_source_step: list[str] = []

    @property
    def section(self) -> str | None:
        return self.step_type or _SECTIONS.get(self.step_class, "preprocess")


class Steps(Section):
    steps: Annotated[list[Step], Field(min_length=1)]


class Pipeline(Section):
    """sagemakerPipeline: the steps of each model and their order."""

    pipelineName: Annotated[str, Field(pattern=_NAME, max_length=256)]
    models: dict[str, Steps]
    dependencies: list[str] = []

    @property
    def chains(self) -> list[list[str]]:
        """``["a >> b >> c"]`` as ``[["a", "b", "c"]]``."""
        return [[name.strip() for name in chain.split(">>")] for chain in self.dependencies]


class ModelFile(Section):
    """models/<model>/conf.yaml."""

    conf: Models
    sagemakerPipeline: Pipeline | None = None
