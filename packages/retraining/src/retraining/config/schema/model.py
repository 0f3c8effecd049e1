"""What describes one model: a section for each job, and how it is registered."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from retraining.config.schema.fields import (
    NAME,
    SPELLINGS,
    CacheExpiry,
    ContentType,
    Image,
    InstanceType,
    KmsKey,
    Network,
    OrEmpty,
    OutputName,
    RelativePath,
    ResponseType,
    RetryPolicy,
    Role,
    Tags,
    TransformInstanceType,
)
from retraining.config.schema.job import EvaluationJob, ProcessingJob, TrainingJob, TransformJob, TuningJob
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.values import Argument, Number, Section, Text, number, one_of, text
from retraining.errors import seen


def _same_key(*names: str) -> BeforeValidator:
    """Several spellings of one key: all but the first are renamed, two at once are an error."""

    def rename(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        given = [name for name in names if name in value]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} mean the same: keep one")
        return {names[0] if name in names else name: content for name, content in value.items()}

    return BeforeValidator(rename)


class JsonFile(Section):
    """A JSON file in an output of the evaluation."""

    output: OutputName
    file: RelativePath


_PART = r"""[^\s.\[\]'"*?$]+(\[[0-9]+\])*"""
GatePath = Annotated[str, text(rf"{_PART}(\.{_PART})*", "a path such as gate.recall or metrics[0].value")]


class Champion(Section):
    """The newest approved package of the group, which a candidate must not fall behind."""

    json_path: GatePath | None = None
    tolerance: Annotated[Number, number(0, 1e308, "a finite number from 0", whole=False)] = 0.0


class Gate(Section):
    """The pipeline continues only where the value at `json_path` is within the bound."""

    output: OutputName
    file: RelativePath
    json_path: GatePath
    minimum: Number | None = None
    maximum: Number | None = None
    champion: Champion | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Gate":
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("give either minimum (greater is better) or maximum (smaller is better)")
        return self

    @property
    def bound(self) -> float | Parameter | None:
        """The one of the two bounds that is given."""
        return self.minimum if self.maximum is None else self.maximum


_RESERVED = "_HANDLER|_X_AMZN_TRACE_ID|AWS_.*|LAMBDA_.*|PROJECT"
LambdaVariable = Annotated[
    str,
    text(
        rf"(?!({_RESERVED})$)[A-Za-z][A-Za-z0-9_]+",
        "a name of two or more letters, digits and _, a letter first, which neither AWS nor `retrain` sets,",
    ),
]
FunctionFile = Annotated[
    str, text(r"[A-Za-z0-9_-]{1,64}\.py", "a Python file in lambdas/ such as register_models.py")
]


class LambdaFunction(Section):
    """A Lambda function: one file in lambdas/ that the project deploys, or one that exists."""

    entry_point: FunctionFile | None = None
    function_arn: (
        Annotated[
            str,
            text(
                r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?",
                "a function's ARN",
            ),
        ]
        | None
    ) = None
    handler: Annotated[str, text(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a Python function")] = "handler"
    timeout_seconds: Annotated[
        int, number(1, 600, "1 to 600 seconds, the longest that a pipeline waits for a function,")
    ] = 300
    memory_size_in_mb: Annotated[int, number(128, 10240, "128 to 10240 MB")] = 128
    env: Annotated[dict[LambdaVariable, str], OrEmpty] = {}
    inputs: Annotated[dict[str, Argument], OrEmpty] = {}
    outputs: Annotated[list[Annotated[str, text(r"[A-Za-z0-9_]{1,64}", "a name")]], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _one_origin(self) -> "LambdaFunction":
        if (self.entry_point is None) == (self.function_arn is None):
            raise ValueError("give either entry_point (a file in lambdas/) or function_arn (one that exists)")
        own = {"handler", "timeout_seconds", "memory_size_in_mb", "env"} & self.model_fields_set
        if self.function_arn is not None and own:
            raise ValueError(f"{', '.join(sorted(own))}: a function that exists has its own: leave it out")
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError("an output is listed twice in outputs")
        if sum(len(name.encode()) + len(value.encode()) for name, value in self.env.items()) > 4096:
            raise ValueError("AWS Lambda allows 4096 bytes of names and values in env")
        return self


class InferenceSpecification(Section):
    """How a registered model is served."""

    image_uri: Image
    framework_version: str | None = None
    supported_content_types: Annotated[list[ContentType], Field(min_length=1)]
    supported_response_MIME_types: Annotated[list[ResponseType], Field(min_length=1)]
    SupportedTransformInstanceTypes: Annotated[list[TransformInstanceType], Field(min_length=1)] = [
        "ml.m5.2xlarge"
    ]
    SupportedRealtimeInferenceInstanceTypes: Annotated[list[InstanceType], Field(min_length=1)] = [
        "ml.m5.2xlarge"
    ]
    approval_status: Annotated[Text, one_of("PendingManualApproval", "Approved", "Rejected")] = (
        "PendingManualApproval"
    )


def _repack(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"true or false is expected, not {seen(value)}")
    return value


class Registry(Section):
    """The model package group and what each version carries."""

    model_package_group: (
        Annotated[
            str, text(rf"(?=.{{1,63}}$){NAME}", "a name of at most 63 letters, digits and inner hyphens")
        ]
        | None
    ) = None
    description: Annotated[str, text(r"[^\x00-\x1f\x7f]{0,1024}", "one line of at most 1024 characters")] = ""
    ModelRepack: Annotated[bool, BeforeValidator(_repack)] = True
    model_quality: JsonFile | None = None
    InferenceSpecification: InferenceSpecification


_RUNTIME = ("max_runtime_seconds", SPELLINGS["max_runtime_seconds"])
_DESCRIPTION = ("description", SPELLINGS["description"])


class Model(Section):
    """One model: its scripts and the sections that its steps use."""

    source_directory: RelativePath
    name: (
        Annotated[str, text(rf"(?=.{{1,63}}$){NAME}", "a name of at most 63 letters, digits and -")] | None
    ) = None
    disabled: bool = False
    role: Role | None = None
    kms_key: KmsKey | None = None
    network: Network | None = None
    tags: Tags = {}
    retry: list[RetryPolicy] | None = None
    cache_expires_after: CacheExpiry | None = None
    preprocess: Annotated[ProcessingJob, _same_key(*_RUNTIME)] | None = None
    train: Annotated[TrainingJob, _same_key(*_RUNTIME)]
    tune: TuningJob | None = None
    transform: Annotated[TransformJob, _same_key(*_RUNTIME)] | None = None
    evaluate: Annotated[EvaluationJob, _same_key(*_RUNTIME)] | None = None
    gate: Gate | None = None
    lambda_: Annotated[LambdaFunction | None, Field(alias="lambda")] = None
    registry: Annotated[Registry, _same_key(*_DESCRIPTION)] | None = None

    def section(self, name: str) -> Any:
        """The section of this name in the file; None where the model has none."""
        return getattr(self, "lambda_" if name == "lambda" else name)
