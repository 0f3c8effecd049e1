"""The keys of conf.sagemakerPipeline."""

from job_keys import STEPS
from key import Key, joined
from keyed_project import ABSENT
from model_keys import retry

_OF_FIRST, _OF_SECOND = f"{STEPS}/first/steps", f"{STEPS}/second/steps"
_ELSE = {f"{_OF_FIRST}/9/disabled": False}
_PREFIXED = {"Get": "Steps.Preprocess.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri"}
PIPELINE = [
    Key("conf/sagemakerPipeline/pipelineName", "named", "pipeline/PipelineExperimentConfig/ExperimentName"),
    Key(
        "conf/sagemakerPipeline/pipelineName",
        "named",
        shows=lambda it: it.definition.name == "named",
    ),
    Key("conf/sagemakerPipeline/dependencies/1", "Second >> Train", "Train/DependsOn/1", "Second"),
    Key(
        f"{_OF_SECOND}/2/step_name",
        "Named",
        "Named/Arguments/ProcessingJobName",
        "demo-Named",
        variant="model",
    ),
    Key(
        f"{_OF_SECOND}/2/step_class",
        "Processing",
        "SecondMeasure/Arguments/ProcessingInputs/0/InputName",
        "Second-input-train",
        variant="third",
        beside={f"{_OF_SECOND}/2/step_type": "evaluate"},
    ),
    Key(
        f"{_OF_SECOND}/0/step_type",
        "evaluate",
        "SecondPreprocess/Arguments/ProcessingResources/ClusterConfig/VolumeSizeInGB",
        50,
    ),
    Key(f"{_OF_SECOND}/2/disabled", True, "SecondMeasure", ABSENT, variant="fourth"),
    *(
        Key(f"{_OF_FIRST}/{index}/enable_cache", True, f"{step}/CacheConfig/Enabled")
        for index, step in ((1, "Tune"), (2, "Train"), (4, "Transform"), (5, "Measure"), (7, "Call"))
    ),
    *(
        Key(
            f"{_OF_FIRST}/{index}/cache_expires_after",
            "PT7H",
            f"{step}/CacheConfig/ExpireAfter",
            beside={f"{_OF_FIRST}/{index}/enable_cache": True},
        )
        for index, step in (
            (0, "Preprocess"),
            (1, "Tune"),
            (2, "Train"),
            (4, "Transform"),
            (5, "Measure"),
            (7, "Call"),
        )
    ),
    *(
        key
        for index, step in (
            (0, "Preprocess"),
            (1, "Tune"),
            (2, "Train"),
            (3, "Create"),
            (4, "Transform"),
            (8, "Register"),
        )
        for key in retry(f"{_OF_FIRST}/{index}/retry", [step], "")
    ),
    Key(
        f"{_OF_SECOND}/1/chain_input_source_step",
        ["SecondPreprocess"],
        "Second/Arguments/InputDataConfig/ChannelName=SecondPreprocess-train/DataSource/S3DataSource/S3Uri",
        {"Get": "Steps.SecondPreprocess.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"},
        variant="third",
    ),
    Key(
        f"{_OF_FIRST}/4/chain_input_additional_prefix",
        "x/test.csv",
        "Transform/Arguments/TransformInput/DataSource/S3DataSource/S3Uri",
        joined(_PREFIXED, "x/test.csv"),
    ),
    Key(f"{_OF_FIRST}/6/else_step", "Stop", "Gate/Arguments/ElseSteps/0/Name", beside=_ELSE),
    Key(
        f"{_OF_FIRST}/9/error_message",
        "Too bad",
        "Stop/Arguments/ErrorMessage",
        beside={**_ELSE, f"{_OF_FIRST}/6/else_step": "Stop"},
    ),
]
