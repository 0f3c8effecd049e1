"""Steps whose results are taken from an earlier execution."""

from collections.abc import Callable
from typing import Any

from pipelines_to_run import Runner, definition, processing, step, training

from local_sagemaker.core.settings import Settings

ENABLED = {"Enabled": True, "ExpireAfter": "30d"}


def sources(runner: Runner, arn: str) -> dict[str, str | None]:
    """step -> the execution that its result was taken from, if any."""
    return {
        name: item.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
        for name, item in runner.steps(arn).items()
    }


def run(runner: Runner, name: str, **parameters: str) -> str:
    done = runner.wait(runner.start(name, parameters))
    assert done["PipelineExecutionStatus"] == "Succeeded"
    return str(done["PipelineExecutionArn"])


def pipeline(bucket: str, name: str, cache: Any) -> str:
    script = 'mkdir -p /opt/ml/processing/output/o && echo "$WORD" > /opt/ml/processing/output/o/word.txt'
    prepare = step(
        "Prepare",
        "Processing",
        processing(
            script, {"o": f"s3://{bucket}/{name}/o"}, Environment={"WORD": {"Get": "Parameters.Word"}}
        ),
        CacheConfig=cache,
    )
    uri = {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri"}
    channel = {"ChannelName": "o", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
    train = step(
        "Train",
        "Training",
        training("true", f"s3://{bucket}/{name}/t", InputDataConfig=[channel]),
        CacheConfig=cache,
    )
    declared = [{"Name": "Word", "Type": "String", "DefaultValue": "a"}]
    return definition(prepare, train, Parameters=declared)


def test_the_same_step_is_reused(local: Settings, runner: Runner, name: str) -> None:
    runner.create(name, pipeline(local.bucket, name, ENABLED))
    first = run(runner, name)
    assert sources(runner, first) == {"Prepare": None, "Train": None}
    second = run(runner, name)
    third = run(runner, name)
    for hit in (second, third):
        assert sources(runner, hit) == {"Prepare": first, "Train": first}
        for step_name in ("Prepare", "Train"):
            assert runner.steps(hit)[step_name]["Metadata"] == runner.steps(first)[step_name]["Metadata"]
    other = run(runner, name, Word="b")
    assert sources(runner, other) == {"Prepare": None, "Train": first}


def test_reuse_survives_an_update_of_the_pipeline(local: Settings, runner: Runner, name: str) -> None:
    text = pipeline(local.bucket, name, ENABLED)
    runner.create(name, text)
    first = run(runner, name)
    runner.client.update_pipeline(PipelineName=name, PipelineDefinition=text)
    assert sources(runner, run(runner, name)) == {"Prepare": first, "Train": first}


def test_without_caching_or_after_its_time_nothing_is_reused(
    local: Settings, runner: Runner, name: str
) -> None:
    for index, cache in enumerate(({"Enabled": False}, {"Enabled": True, "ExpireAfter": "PT0S"})):
        runner.create(f"{name}-{index}", pipeline(local.bucket, name, cache))
        for _ in range(2):
            arn = run(runner, f"{name}-{index}")
            assert sources(runner, arn) == {"Prepare": None, "Train": None}


def test_another_pipeline_does_not_share(local: Settings, runner: Runner, name: str) -> None:
    for index in range(2):
        runner.create(f"{name}-{index}", pipeline(local.bucket, name, ENABLED))
        assert sources(runner, run(runner, f"{name}-{index}")) == {"Prepare": None, "Train": None}


def test_failed_steps_are_not_reused(local: Settings, runner: Runner, name: str) -> None:
    flag = local.root / f"{name}-flag"
    runner.create(
        name, definition(step("S", "Processing", processing(f"test -e {flag}"), CacheConfig=ENABLED))
    )
    assert runner.wait(runner.start(name))["PipelineExecutionStatus"] == "Failed"
    flag.touch()
    assert sources(runner, run(runner, name)) == {"S": None}
    flag.unlink()


def test_a_lambda_is_reused_with_its_outputs(
    runner: Runner, make_function: Callable[[str, str], str], name: str
) -> None:
    function = make_function(
        name, "import uuid\n\ndef handler(event, context):\n    return {'id': str(uuid.uuid4())}\n"
    )
    outputs = [{"OutputName": "id", "OutputType": "String"}]
    call = step(
        "Call", "Lambda", {"a": 1}, FunctionArn=function, OutputParameters=outputs, CacheConfig=ENABLED
    )
    value = {"Get": "Steps.Call.OutputParameters['id']"}
    condition = {"Type": "Equals", "LeftValue": value, "RightValue": "x"}
    check = step("Check", "Condition", {"Conditions": [condition], "IfSteps": [], "ElseSteps": []})
    runner.create(name, definition(call, check))
    first = run(runner, name)
    second = run(runner, name)
    assert sources(runner, second) == {"Call": first, "Check": None}
    assert runner.steps(second)["Call"]["Metadata"] == runner.steps(first)["Call"]["Metadata"]
