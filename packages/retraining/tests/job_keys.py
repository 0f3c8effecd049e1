"""The keys of a model's jobs: preprocess, train, tune, transform and evaluate."""

from typing import Any

from key import Key, Row, in_uploads, joined, keys

OWN = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/other:2"
NAMED = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
ROLE = "arn:aws:iam::111122223333:role/another"
MODEL = "conf/models/first"
STEPS = "conf/sagemakerPipeline/models"
URI = "s3://other-bucket/data/"
IN, OUT = "/opt/ml/processing/other/", "/opt/ml/processing/out"


def _version(section: str, place: str) -> list[Key]:
    row = ("framework_version", "1.4-2-cpu-py3", place, NAMED)
    return keys(f"{MODEL}/{section}", "", [row], "second", {"image_uri": "sagemaker-scikit-learn"})


def _files(here: str, place: str) -> list[Key]:
    """Where the data of the channel `here` stands."""
    short, bucket = {"dataFiles/0/fileName": "file.csv"}, {"s3BucketName": "own-bucket"}
    in_prefix = ("inputBucketPrefix", "below/it", place, "s3://own-bucket/below/it/file.csv")
    return [
        *keys(here, "", [("dataFiles/0/fileName", URI, place)]),
        *keys(here, "", [("s3BucketName", "own-bucket", place, "s3://own-bucket/file.csv")], "second", short),
        *keys(here, "", [in_prefix], "third", {**short, **bucket}),
    ]


def processing(section: str, step: str, channel: str, output: str, outputs: int) -> list[Key]:
    """The keys of a processing job; `channel` has a file; `outputs` are as many as it has."""
    here, at = f"{MODEL}/{section}", f"{step}/Arguments"
    cluster, limit = "ProcessingResources/ClusterConfig", "StoppingCondition/MaxRuntimeInSeconds"
    read = f"ProcessingInputs/InputName={channel}/S3Input"
    written_all = "ProcessingOutputConfig/Outputs"
    written = f"{written_all}/OutputName={output}/S3Output"
    script = in_uploads("other.py", f"{at}/ProcessingInputs/InputName=entrypoint/S3Input/S3Uri")
    rows: list[Row] = [
        ("image_uri", OWN, "AppSpecification/ImageUri"),
        ("base_job_name", f"my-{section}", "ProcessingJobName"),
        ("role", ROLE, "RoleArn"),
        ("kms_key", "own-key", "ProcessingOutputConfig/KmsKeyId"),
        ("kms_key", "own-key", f"{cluster}/VolumeKmsKeyId"),
        ("instance_type", "ml.c5.xlarge", f"{cluster}/InstanceType"),
        ("instance_count", 3, f"{cluster}/InstanceCount"),
        ("volume_size_in_gb", 77, f"{cluster}/VolumeSizeInGB"),
        ("max_runtime_seconds", 1234, limit),
        ("env/LEVEL", "debug", "Environment/LEVEL"),
        ("tags/team", "a", "Tags/Key=team/Value"),
        ("enable_network_isolation", True, "NetworkConfig/EnableNetworkIsolation"),
        ("s3_data_type", "ManifestFile", f"{read}/S3DataType"),
        ("s3_input_mode", "Pipe", f"{read}/S3InputMode"),
        ("s3_data_distribution_type", "ShardedByS3Key", f"{read}/S3DataDistributionType"),
        ("s3_upload_mode", "Continuous", f"{written}/S3UploadMode"),
        ("arguments/fraction", "0.9", "AppSpecification/ContainerArguments/1"),
        (f"outputs/{outputs}", "named", f"{written_all}/OutputName=named/OutputName"),
    ]
    folders: list[Row] = [
        ("inputLocalFilepath", IN, f"{read}/LocalPath", f"{IN}{channel}"),
        ("location/outputLocalFilepath", OUT, f"{written}/LocalPath", f"{OUT}/{output}"),
    ]
    source = "ProcessingInputs/InputName=named/S3Input/LocalPath"
    named = ("dataFiles/0/sourceName", "named", source, "/opt/ml/processing/input/named")
    own = ("inputLocalFilepath", "/opt/ml/own", f"{read}/LocalPath", f"/opt/ml/own/{channel}")
    return [
        *keys(here, at, rows),
        *keys(here, at, folders, "second"),
        *keys(here, at, [("max_runtime_in_seconds", 1235, limit)], "second"),
        *keys(f"{here}/channels/{channel}", at, [named], "fourth"),
        *keys(f"{here}/channels/{channel}", at, [own], "third"),
        *_version(section, f"{at}/AppSpecification/ImageUri"),
        *_files(f"{here}/channels/{channel}", f"{at}/{read}/S3Uri"),
        Key(f"{here}/entry_point", "other.py", shows=script),
    ]


# Where outputs are not declared, a channel is an output too.
UNDECLARED = [
    Key(
        f"conf/models/second/{section}/channels/train/location/outputLocalFilepath",
        OUT,
        f"{step}/Arguments/ProcessingOutputConfig/Outputs/OutputName={output}/S3Output/LocalPath",
    )
    for section, step, output in (
        ("preprocess", "SecondPreprocess", "train"),
        ("evaluate", "SecondMeasure", "model_evaluation_metrics"),
    )
]

_QUALITY = {f"{MODEL}/registry/model_quality": {"output": "evaluation", "file": "quality.json"}}
_STATISTICS = "Register/Arguments/ModelMetrics/ModelQuality/Statistics"
PROCESSING = [
    *processing("preprocess", "Preprocess", "raw", "train", 2),
    *processing("evaluate", "Measure", "truth", "evaluation", 1),
    Key(f"{MODEL}/evaluate/content_type", "text/json", f"{_STATISTICS}/ContentType", beside=_QUALITY),
    *UNDECLARED,
]


def training(at: str, parameters: str) -> list[Key]:
    """The keys of the training job, which show at `at`; hyperparameters stand below `parameters`."""
    here = f"{MODEL}/train"
    own = "InputDataConfig/ChannelName=more"
    limits, place = "StoppingCondition", "DataSource/S3DataSource"
    rows: list[Row] = [
        ("image_uri", OWN, "AlgorithmSpecification/TrainingImage"),
        ("role", ROLE, "RoleArn"),
        ("kms_key", "own-key", "OutputDataConfig/KmsKeyId"),
        ("kms_key", "own-key", "ResourceConfig/VolumeKmsKeyId"),
        ("instance_type", "ml.c5.xlarge", "ResourceConfig/InstanceType"),
        ("instance_count", 3, "ResourceConfig/InstanceCount"),
        ("volume_size_in_gb", 77, "ResourceConfig/VolumeSizeInGB"),
        ("max_runtime_seconds", 1234, f"{limits}/MaxRuntimeInSeconds"),
        ("max_wait_seconds", 2345, f"{limits}/MaxWaitTimeInSeconds"),
        ("use_spot_instances", True, "EnableManagedSpotTraining"),
        ("checkpoint_s3_uri", URI, "CheckpointConfig/S3Uri"),
        ("checkpoint_local_path", "/opt/ml/kept", "CheckpointConfig/LocalPath"),
        ("env/LEVEL", "debug", "Environment/LEVEL"),
        ("enable_network_isolation", True, "EnableNetworkIsolation"),
        ("hyperparams/layers", "two", f"{parameters}/layers"),
        ("metric_definitions/LOSS", "LOSS=(.*)", "AlgorithmSpecification/MetricDefinitions/Name=LOSS/Regex"),
        ("input_mode", "FastFile", f"{own}/InputMode"),
        ("distribution", "ShardedByS3Key", f"{own}/{place}/S3DataDistributionType"),
        ("content_type", "text/json", f"{own}/ContentType"),
        ("output_path", URI, "OutputDataConfig/S3OutputPath"),
        ("model_data_uri", URI, f"InputDataConfig/ChannelName=model/{place}/S3Uri"),
    ]
    spelling = ("max_runtime_in_seconds", 1235, f"{limits}/MaxRuntimeInSeconds")
    return [
        *keys(here, at, rows),
        *keys(here, at, [spelling], "second"),
        *_version("train", f"{at}/AlgorithmSpecification/TrainingImage"),
        *_files(f"{here}/channels/more", f"{at}/{own}/{place}/S3Uri"),
    ]


_DRIVERS = "Train/Arguments/InputDataConfig/ChannelName=sm_drivers/DataSource/S3DataSource/S3Uri"
TRAINING = [
    *training("Train/Arguments", "HyperParameters"),
    *training("Tune/Arguments/TrainingJobDefinition", "StaticHyperParameters"),
    *keys(f"{MODEL}/train", "Train/Arguments", [("base_job_name", "my-train", "TrainingJobName")]),
    *keys(f"{MODEL}/train", "Train/Arguments", [("tags/team", "a", "Tags/Key=team/Value")]),
    Key(f"{MODEL}/train/entry_point", "other.py", shows=in_uploads("other.py", _DRIVERS)),
]

_JOB, _RANGES = "HyperParameterTuningJobConfig", "HyperParameterTuningJobConfig/ParameterRanges"
_EPOCHS = f"{_RANGES}/IntegerParameterRanges/Name=epochs"
TUNING = [
    *keys(
        f"{MODEL}/tune",
        "Tune/Arguments",
        [
            ("base_job_name", "my-tune", "HyperParameterTuningJobName"),
            ("strategy", "Random", f"{_JOB}/Strategy"),
            ("objective_metric_name", "LOSS", f"{_JOB}/HyperParameterTuningJobObjective/MetricName"),
            ("objective_type", "Minimize", f"{_JOB}/HyperParameterTuningJobObjective/Type"),
            ("hyperparameter_ranges/epochs/min", 2, f"{_EPOCHS}/MinValue", "2"),
            ("hyperparameter_ranges/epochs/max", 8, f"{_EPOCHS}/MaxValue", "8"),
            ("hyperparameter_ranges/epochs/scaling", "Linear", f"{_EPOCHS}/ScalingType"),
            (
                "hyperparameter_ranges/depth/values",
                ["3", "6"],
                f"{_RANGES}/CategoricalParameterRanges/0/Values",
            ),
            ("max_jobs", 20, f"{_JOB}/ResourceLimits/MaxNumberOfTrainingJobs"),
            ("max_parallel_jobs", 4, f"{_JOB}/ResourceLimits/MaxParallelTrainingJobs"),
            ("max_runtime_in_seconds", 7200, f"{_JOB}/ResourceLimits/MaxRuntimeInSeconds"),
            ("early_stopping_type", "Auto", f"{_JOB}/TrainingJobEarlyStoppingType"),
            ("random_seed", 0, f"{_JOB}/RandomSeed"),
            ("tags/team", "a", "Tags/Key=team/Value"),
        ],
    ),
]

_CHANNEL = f"{MODEL}/transform/channels/test"
_INPUT = "Transform/Arguments/TransformInput/DataSource/S3DataSource/S3Uri"
_OUTPUT = "Transform/Arguments/TransformOutput/S3OutputPath"
_UNCHAINED: dict[str, Any] = {f"{STEPS}/first/steps/4/chain_input_source_step": []}
_SHORT = {**_UNCHAINED, f"{_CHANNEL}/dataFiles": [{"fileName": "file.csv"}]}
_BUCKET = {f"{_CHANNEL}/s3BucketName": "own-bucket"}
TRANSFORM = [
    *keys(
        f"{MODEL}/transform",
        "Transform/Arguments",
        [
            ("base_job_name", "my-transform", "TransformJobName"),
            ("kms_key", "own-key", "TransformOutput/KmsKeyId"),
            ("kms_key", "own-key", "TransformResources/VolumeKmsKeyId"),
            ("instance_type", "ml.c5.xlarge", "TransformResources/InstanceType"),
            ("instance_count", 3, "TransformResources/InstanceCount"),
            ("strategy", "MultiRecord", "BatchStrategy"),
            ("assemble_with", "Line", "TransformOutput/AssembleWith"),
            ("split_type", "Line", "TransformInput/SplitType"),
            ("join_source", "Input", "DataProcessing/JoinSource"),
            ("input_filter", "$[1:]", "DataProcessing/InputFilter"),
            ("output_filter", "$[0]", "DataProcessing/OutputFilter"),
            ("content_type", "application/jsonlines", "TransformInput/ContentType"),
            ("max_payload", 7, "MaxPayloadInMB"),
            ("max_concurrent_transforms", 3, "MaxConcurrentTransforms"),
            ("max_runtime_seconds", 123, "ModelClientConfig/InvocationsTimeoutInSeconds"),
            ("output_path", URI, "TransformOutput/S3OutputPath"),
            ("env/LEVEL", "debug", "Environment/LEVEL"),
            ("tags/team", "a", "Tags/Key=team/Value"),
        ],
    ),
    # Not beside a join, which wants it to be the content type.
    *keys(
        f"{MODEL}/transform",
        "Transform/Arguments",
        [("accept", "application/json", "TransformOutput/Accept")],
        "second",
    ),
    *keys(
        f"{MODEL}/transform",
        "Create/Arguments",
        [
            ("image_uri", OWN, "PrimaryContainer/Image"),
            ("entry_point", "other.py", "PrimaryContainer/Environment/SAGEMAKER_PROGRAM"),
            ("role", ROLE, "ExecutionRoleArn"),
            ("enable_network_isolation", True, "EnableNetworkIsolation"),
        ],
    ),
    *keys(
        f"{MODEL}/transform",
        "Transform/Arguments",
        [("max_runtime_in_seconds", 124, "ModelClientConfig/InvocationsTimeoutInSeconds")],
        "second",
    ),
    *_version("transform", "Create/Arguments/PrimaryContainer/Image"),
    Key(f"{_CHANNEL}/dataFiles/0/fileName", URI, _INPUT, variant="second", beside=_UNCHAINED),
    Key(
        f"{_CHANNEL}/inputBucketPrefix",
        "below/it",
        _INPUT,
        "s3://own-bucket/below/it/file.csv",
        variant="third",
        beside={**_SHORT, **_BUCKET},
    ),
    Key(
        f"{_CHANNEL}/s3BucketName",
        "own-bucket",
        _OUTPUT,
        joined("s3://own-bucket/keys", {"Get": "Execution.PipelineExecutionId"}, "Transform"),
        variant="third",
    ),
]

JOBS = [*PROCESSING, *TRAINING, *TUNING, *TRANSFORM]
