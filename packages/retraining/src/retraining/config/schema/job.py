"""What describes the jobs of a model: their images, scripts, machines and data."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from retraining.config.schema.fields import (
    NAME,
    Bucket,
    ChannelName,
    ContainerPath,
    ContentType,
    DataFileName,
    Env,
    Image,
    InstanceCount,
    JobInstanceType,
    JobName,
    KmsKey,
    OrEmpty,
    OutputName,
    Role,
    S3Uri,
    ScriptPath,
    ServingImage,
    Tags,
    TransformInstanceType,
    VolumeSize,
)
from retraining.config.schema.parameter import Parameter, default_of
from retraining.config.schema.values import (
    Argument,
    Flag,
    Hyperparameter,
    Number,
    Section,
    Text,
    Whole,
    is_finite,
    number,
    one_of,
    text,
)
from retraining.errors import seen

PROCESSING_SECONDS = 5 * 86400
TRAINING_SECONDS = 28 * 86400


def _or_none(value: Any) -> Any:
    return [] if value is None else value


class DataFile(Section):
    """One input of a job: a file or a prefix in S3."""

    sourceName: Annotated[str, text(r".{1,256}", "a string of at most 256 characters")] | None = None
    fileName: DataFileName


class Location(Section):
    """The folder of a channel's output in the container."""

    outputLocalFilepath: ContainerPath | None = None


class Channel(Section):
    """An input of a job, or, without data files, a name that a chained step's output fills."""

    s3BucketName: Bucket | None = None
    inputBucketPrefix: str = ""
    dataFiles: Annotated[list[DataFile], BeforeValidator(_or_none)] = []
    inputLocalFilepath: ContainerPath | None = None
    location: Annotated[Location, OrEmpty] = Location()

    @model_validator(mode="after")
    def _files_have_a_bucket(self) -> "Channel":
        for file in self.dataFiles:
            name = default_of(file.fileName)
            is_uri = str(name).startswith("s3://")
            if isinstance(file.fileName, Parameter) and self.s3BucketName and not is_uri:
                raise ValueError(f"write the full URI, s3://..., into the parameter, not {seen(name)}")
            if not is_uri and not self.s3BucketName:
                raise ValueError(
                    "fileName must be an S3 URI such as s3://bucket/prefix/, or a key in s3BucketName, "
                    f"not {seen(name)}; `retrain data --from` puts files of your machine there"
                )
        return self


def _channels(value: Any) -> Any:
    """A bare name is a channel without data files; so is an empty one."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, dict):
        return {name: {} if content is None else content for name, content in value.items()}
    return value


Channels = Annotated[dict[ChannelName, Channel], BeforeValidator(_channels)]


class Job(Section):
    """What processing and training jobs have in common. Defaults are the framework's."""

    image_uri: Image
    framework_version: str | None = None
    entry_point: ScriptPath
    base_job_name: JobName | None = None
    role: Role | None = None
    kms_key: KmsKey | None = None
    instance_type: JobInstanceType = "ml.m5.2xlarge"
    instance_count: InstanceCount = 1
    volume_size_in_gb: VolumeSize = 32
    env: Env = {}
    tags: Tags = {}
    enable_network_isolation: bool | None = None
    channels: Channels = {}


class ProcessingJob(Job):
    """A processing job; `outputs` are folders below /opt/ml/processing/output, named after themselves."""

    max_runtime_seconds: Annotated[
        Whole, number(1, PROCESSING_SECONDS, f"1 to {PROCESSING_SECONDS} seconds (5 days)")
    ] = 3000
    arguments: Annotated[dict[str, Argument], OrEmpty] = {}
    outputs: Annotated[list[OutputName], BeforeValidator(_or_none), Field(max_length=10)] = []
    inputLocalFilepath: ContainerPath = "/opt/ml/processing/input"
    location: Annotated[Location, OrEmpty] = Location()
    s3_data_type: Annotated[Text, one_of("S3Prefix", "ManifestFile")] = "S3Prefix"
    s3_input_mode: Annotated[Text, one_of("File", "Pipe")] = "File"
    s3_data_distribution_type: Annotated[Text, one_of("FullyReplicated", "ShardedByS3Key")] = (
        "FullyReplicated"
    )
    s3_upload_mode: Annotated[Text, one_of("EndOfJob", "Continuous")] = "EndOfJob"


class EvaluationJob(ProcessingJob):
    """The processing job that writes the model-quality JSON."""

    volume_size_in_gb: VolumeSize = 50
    max_runtime_seconds: Annotated[
        Whole, number(1, PROCESSING_SECONDS, f"1 to {PROCESSING_SECONDS} seconds (5 days)")
    ] = 3600
    content_type: ContentType = "application/json"


class TrainingJob(Job):
    """A training job in script mode. A hyperparameter that is a mapping or a list is passed as JSON."""

    max_runtime_seconds: Annotated[
        Whole, number(1, TRAINING_SECONDS, f"1 to {TRAINING_SECONDS} seconds (28 days)")
    ] = 3000
    hyperparams: Annotated[dict[str, Hyperparameter], OrEmpty, Field(max_length=100)] = {}
    metric_definitions: Annotated[dict[str, str], OrEmpty, Field(max_length=40)] = {}
    input_mode: Annotated[Text, one_of("File", "Pipe", "FastFile")] = "File"
    distribution: Annotated[Text, one_of("FullyReplicated", "ShardedByS3Key")] = "FullyReplicated"
    content_type: ContentType | None = None
    output_path: S3Uri | None = None
    model_data_uri: S3Uri | None = None
    use_spot_instances: Flag = False
    max_wait_seconds: Annotated[Whole, number(1, TRAINING_SECONDS, "1 to 2419200 seconds")] | None = None
    checkpoint_s3_uri: S3Uri | None = None
    checkpoint_local_path: ContainerPath = "/opt/ml/checkpoints"


def _choice(value: Any) -> Any:
    is_text = isinstance(value, str) and len(value) <= 256
    if not is_text and not is_finite(value):
        raise ValueError(
            f"a string of at most 256 characters or a finite number is expected, not {seen(value)}"
        )
    return value


def _off(value: Any) -> Any:
    """YAML reads Off without quotes as false."""
    return "Off" if value is False else value


class Range(Section):
    """What a tuned hyperparameter may be: from `min` to `max`, or one of `values`."""

    min: Number | None = None
    max: Number | None = None
    scaling: Annotated[str, one_of("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")] = "Auto"
    values: Annotated[list[Annotated[str | int | float, BeforeValidator(_choice)]], Field(max_length=30)] = []

    @model_validator(mode="after")
    def _one_kind(self) -> "Range":
        if bool(self.values) == (self.min is not None or self.max is not None):
            raise ValueError("a range is either {min: ..., max: ...} or {values: [...]}")
        if self.values:
            if self.scaling != "Auto":
                raise ValueError(f"scaling {self.scaling} is for ranges with min and max: leave it out")
            texts = [str(value) for value in self.values]
            if len(set(texts)) < len(texts):
                raise ValueError("a value is listed twice in values")
        elif self.min is None or self.max is None:
            raise ValueError("a range needs both min and max")
        else:
            low, high = (float(default_of(v)) for v in (self.min, self.max))
            self._check_bounds(low, high)
        return self

    def _check_bounds(self, low: float, high: float) -> None:
        if low >= high:
            raise ValueError(f"min {low:g} must be below max {high:g}")
        if self.scaling == "Logarithmic" and low <= 0:
            raise ValueError(f"Logarithmic scaling needs a min above 0, not {low:g}")
        if self.scaling == "ReverseLogarithmic" and not 0 <= low < high < 1:
            raise ValueError("ReverseLogarithmic scaling needs 0 <= min < max < 1")


class TuningJob(Section):
    """A search over hyperparameters; each try is the model's training job."""

    base_job_name: (
        Annotated[str, text(rf"(?=.{{1,32}}$){NAME}", "a name of at most 32 letters, digits and -")] | None
    ) = None
    strategy: Annotated[str, one_of("Bayesian", "Random", "Grid", "Hyperband")] = "Bayesian"
    objective_metric_name: Annotated[str, Field(min_length=1, max_length=255)]
    objective_type: Annotated[str, one_of("Maximize", "Minimize")] = "Maximize"
    hyperparameter_ranges: Annotated[
        dict[Annotated[str, text(r".{1,256}", "a name of 1 to 256 characters")], Range],
        Field(min_length=1, max_length=30),
    ]
    max_jobs: Annotated[Whole, number(1, 750, "1 to 750 jobs")] = 10
    max_parallel_jobs: Annotated[Whole, number(1, 100, "1 to 100 jobs")] = 2
    max_runtime_in_seconds: Annotated[Whole, number(120, 15768000, "120 to 15768000 seconds")] | None = None
    early_stopping_type: Annotated[str, one_of("Off", "Auto"), BeforeValidator(_off)] = "Off"
    random_seed: Annotated[int, number(0, 2147483647, "a whole number from 0 to 2147483647")] | None = None
    tags: Tags = {}


JsonPath = Annotated[Text, text(r"\$.{0,62}", "a JSONPath of at most 63 characters that begins with $")]


class TransformJob(Section):
    """Batch transform of one channel with the trained model."""

    image_uri: ServingImage | None = None
    framework_version: str | None = None
    entry_point: ScriptPath | None = None
    base_job_name: JobName | None = None
    kms_key: KmsKey | None = None
    role: Role | None = None
    instance_type: TransformInstanceType = "ml.m5.2xlarge"
    instance_count: InstanceCount = 1
    strategy: Annotated[Text, one_of("SingleRecord", "MultiRecord")] | None = None
    assemble_with: Annotated[Text, one_of("None", "Line")] | None = None
    split_type: Annotated[Text, one_of("None", "Line", "RecordIO", "TFRecord")] | None = None
    join_source: Annotated[Text, one_of("None", "Input")] | None = None
    input_filter: JsonPath | None = None
    output_filter: JsonPath | None = None
    content_type: ContentType = "text/csv"
    accept: ContentType | None = None
    max_payload: Annotated[Whole, number(0, 100, "0 to 100 MB")] | None = None
    max_concurrent_transforms: Annotated[Whole, number(0, 100, "0 to 100")] | None = None
    max_runtime_seconds: Annotated[Whole, number(1, 3600, "1 to 3600 seconds for an invocation")] | None = (
        None
    )
    output_path: S3Uri | None = None
    env: Annotated[Env, Field(max_length=16)] = {}
    tags: Tags = {}
    enable_network_isolation: bool | None = None
    channels: Annotated[Channels, Field(max_length=1)] = {}
