"""Tuning steps of pipelines: through boto3, and as SDK v3 makes them."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipelines_to_run import (
    Runner,
    compare,
    definition,
    get,
    processing,
    step,
    until,
)
from tuning_jobs_to_run import BOWL, X, arguments, put_source

from local_sagemaker.core.settings import Settings

ENABLED = {"Enabled": True, "ExpireAfter": "30d"}
OBJECTIVE = "Steps.Tune.BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value"


def tune(local: Settings, name: str, body: str = BOWL, **options: Any) -> dict[str, Any]:
    """A Tuning step; what its training jobs make is below s3://<bucket>/<name>/out."""
    members = options.pop("members", {})
    source = put_source(local, f"{name}/source.tar.gz", body)
    return step("Tune", "Tuning", arguments(source, f"s3://{local.bucket}/{name}/out", **options), **members)


def use_best(local: Settings, name: str) -> dict[str, Any]:
    """A step that reads the models of the best and the second training job, and prints which they are."""

    def channel(rank: int) -> dict[str, Any]:
        job = get(f"Steps.Tune.TrainingJobSummaries[{rank}].TrainingJobName")
        values = [f"s3://{local.bucket}/{name}/out", job, "output/model.tar.gz"]
        return {
            "InputName": f"rank{rank}",
            "S3Input": {
                "S3Uri": {"Std:Join": {"On": "/", "Values": values}},
                "LocalPath": f"/opt/ml/processing/rank{rank}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }

    read = "tar -xzOf /opt/ml/processing/rank{}/model.tar.gz arguments.json > $out/rank{}.json"
    out = "/opt/ml/processing/output/o"
    script = f"out={out}; mkdir -p $out; {read.format(0, 0)}; {read.format(1, 1)}; echo $BEST > $out/best"
    return step(
        "Use",
        "Processing",
        processing(
            script,
            {"o": f"s3://{local.bucket}/{name}/use"},
            ProcessingInputs=[channel(0), channel(1)],
            Environment={"BEST": get("Steps.Tune.BestTrainingJob.TrainingJobName")},
        ),
    )


def read(local: Settings, key: str) -> str:
    body = local.client("s3").get_object(Bucket=local.bucket, Key=key)["Body"].read()
    return str(body.decode())


def test_a_later_step_uses_the_best_model(local: Settings, runner: Runner, name: str) -> None:
    gate = step(
        "Gate",
        "Condition",
        {"Conditions": [compare("LessThan", get(OBJECTIVE), 1.0)], "IfSteps": [], "ElseSteps": []},
    )
    text = definition(tune(local, name, jobs=3, parallel=2), use_best(local, name), gate)
    done = runner.run(name, text)
    arn = done["PipelineExecutionArn"]
    assert done["PipelineExecutionStatus"] == "Succeeded", done
    steps = runner.steps(arn)
    assert steps["Gate"]["Metadata"]["Condition"]["Outcome"] == "True"
    tuning_arn = steps["Tune"]["Metadata"]["TuningJob"]["Arn"]
    tuning_job = tuning_arn.rpartition("/")[2]
    assert tuning_job.startswith(arn.rpartition("/")[2] + "-Tune-")
    listed = runner.client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=tuning_job, SortBy="FinalObjectiveMetricValue"
    )["TrainingJobSummaries"]
    assert read(local, f"{name}/use/best").strip() == listed[0]["TrainingJobName"]
    for rank in (0, 1):
        values = json.loads(read(local, f"{name}/use/rank{rank}.json"))["values"]
        assert values["x"] == listed[rank]["TunedHyperParameters"]["x"]
    tags = {tag["Key"]: tag["Value"] for tag in runner.client.list_tags(ResourceArn=tuning_arn)["Tags"]}
    assert tags["sagemaker:pipeline-execution-arn"] == arn


def test_the_name_is_short_enough_for_a_tuning_job(local: Settings, runner: Runner, name: str) -> None:
    one = tune(local, name, jobs=1) | {"Name": "A_step-with_a-very_long_name-that-goes-on"}
    done = runner.run(name, definition(one))
    assert done["PipelineExecutionStatus"] == "Succeeded"


def test_a_failed_tuning_job_fails_the_step_with_its_reason(
    local: Settings, runner: Runner, name: str
) -> None:
    done = runner.run(name, definition(tune(local, name, "sys.exit('no data')", jobs=2)))
    assert done["PipelineExecutionStatus"] == "Failed"
    reason = runner.steps(done["PipelineExecutionArn"])["Tune"]["FailureReason"]
    assert reason.startswith("No training job succeeded after 2 attempts.")
    assert "no data" in reason


def test_a_request_that_is_refused_fails_the_step(local: Settings, runner: Runner, name: str) -> None:
    done = runner.run(name, definition(tune(local, name, strategy="Hyperband")))
    reason = runner.steps(done["PipelineExecutionArn"])["Tune"]["FailureReason"]
    assert "Strategy 'Hyperband' is not supported" in reason


def test_stopping_the_execution_stops_the_training_jobs(local: Settings, runner: Runner, name: str) -> None:
    runner.create(name, definition(tune(local, name, "time.sleep(300)", parallel=2)))
    arn = runner.start(name)

    def children() -> list[dict[str, Any]]:
        job = runner.steps(arn).get("Tune", {}).get("Metadata", {}).get("TuningJob")
        if not job:
            return []
        listed: list[dict[str, Any]] = runner.client.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=job["Arn"].rpartition("/")[2]
        )["TrainingJobSummaries"]
        return listed

    until(lambda: len(children()) == 2)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Stopped"
    assert runner.statuses(arn) == {"Tune": "Stopped"}
    assert [job["TrainingJobStatus"] for job in children()] == ["Stopped", "Stopped"]


def test_what_aws_lists_decides_whether_a_step_is_reused(local: Settings, runner: Runner, name: str) -> None:
    base = tune(local, name, jobs=1, members={"CacheConfig": ENABLED})
    runner.create(name, definition(base))

    def run(change: dict[str, Any]) -> bool:
        """True when the step's result was taken from the first execution."""
        changed = json.loads(json.dumps(base))
        changed["Arguments"]["TrainingJobDefinition"] |= change
        runner.client.update_pipeline(PipelineName=name, PipelineDefinition=definition(changed))
        done = runner.wait(runner.start(name))
        assert done["PipelineExecutionStatus"] == "Succeeded"
        return "CacheHitResult" in runner.steps(done["PipelineExecutionArn"])["Tune"]

    assert not run({})
    assert run({})
    assert run({"StoppingCondition": {"MaxRuntimeInSeconds": 60}, "Environment": {"A": "b"}})
    path = f"{name}/out/"
    for item in local.client("s3").list_objects_v2(Bucket=local.bucket, Prefix=path)["Contents"]:
        local.client("s3").delete_object(Bucket=local.bucket, Key=item["Key"])
    assert not run({}), "its model is gone"
    static = base["Arguments"]["TrainingJobDefinition"]["StaticHyperParameters"]
    assert not run({"StaticHyperParameters": static | {"epochs": "2"}})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Steps.Tune.BestTrainingJob.Nothing", "HyperParameterTrainingJobSummary has no 'Nothing'"),
        ("Steps.Tune.TrainingJobSummaries[0].Nothing", "HyperParameterTrainingJobSummary has no 'Nothing'"),
        ("Steps.Tune.ModelArtifacts", "has no 'ModelArtifacts'"),
    ],
)
def test_a_property_that_does_not_exist_is_refused(
    local: Settings, runner: Runner, name: str, path: str, message: str
) -> None:
    condition = compare("Equals", get(path), "x")
    gate = step("Gate", "Condition", {"Conditions": [condition], "IfSteps": [], "ElseSteps": []})
    with pytest.raises(ClientError) as raised:
        runner.create(name, definition(tune(local, name), gate))
    assert message in raised.value.response["Error"]["Message"]


def test_parameters_reach_the_ranges_and_the_limits(local: Settings, runner: Runner, name: str) -> None:
    ranges = {
        "ContinuousParameterRanges": [X["ContinuousParameterRanges"][0] | {"MaxValue": get("Parameters.Max")}]
    }
    one = tune(local, name, ranges=ranges)
    limits = one["Arguments"]["HyperParameterTuningJobConfig"]["ResourceLimits"]
    limits["MaxNumberOfTrainingJobs"] = get("Parameters.Jobs")
    declared = [
        {"Name": "Max", "Type": "String", "DefaultValue": "1"},
        {"Name": "Jobs", "Type": "Integer", "DefaultValue": 1},
    ]
    runner.create(name, definition(one, Parameters=declared))
    arn = runner.start(name, {"Max": "0.001", "Jobs": "2"})
    assert runner.wait(arn)["PipelineExecutionStatus"] == "Succeeded"
    tuning_job = runner.steps(arn)["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    listed = runner.client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=tuning_job
    )["TrainingJobSummaries"]
    assert len(listed) == 2
    assert all(float(job["TunedHyperParameters"]["x"]) <= 0.001 for job in listed)


SDK = """
    import sys
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
    from sagemaker.core.processing import FrameworkProcessor
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join
    from sagemaker.core.workflow.parameters import ParameterString
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TuningStep
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode, StoppingCondition
    from sagemaker.train.tuner import HyperparameterTuner

    folder, bucket, name = sys.argv[1:]
    session, role = PipelineSession(default_bucket=bucket), "arn:aws:iam::123456789012:role/x"
    word = ParameterString("Word", default_value="hello")
    execution = ExecutionVariables.PIPELINE_EXECUTION_ID
    output = Join(on="/", values=[f"s3://{bucket}/{name}", execution, "models"])
    trainer = ModelTrainer(
        sagemaker_session=session, role=role, base_job_name=name, training_image="image:1",
        source_code=SourceCode(source_dir=folder, entry_script="train.py", requirements="requirements.txt"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        hyperparameters={"epochs": "3", "word": word},
        output_data_config=OutputDataConfig(s3_output_path=output),
    )
    tuner = HyperparameterTuner(
        model_trainer=trainer, objective_metric_name="loss", objective_type="Minimize",
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.e+-]+)"}],
        hyperparameter_ranges={
            "rate": ContinuousParameter(0.001, 0.1, "Logarithmic"),
            "depth": IntegerParameter(1, 4),
            "kind": CategoricalParameter(["a", "b"]),
        },
        strategy="Bayesian", max_jobs=4, max_parallel_jobs=2, random_seed=5,
    )
    tune = TuningStep(
        name="Tune",
        step_args=tuner.tune(inputs=[InputData(channel_name="train", data_source=f"s3://{bucket}/{name}/in/")]),
        cache_config=CacheConfig(enable_caching=True, expire_after="P30D"),
    )
    use = ProcessingStep(name="Use", step_args=FrameworkProcessor(
        image_uri="image", command=["python3"], role=role, instance_count=1, instance_type="ml.m5.large",
        sagemaker_session=session,
    ).run(
        code="use.py", source_dir=folder,
        inputs=[ProcessingInput(input_name="model", s3_input=ProcessingS3Input(
            s3_uri=Join(on="/", values=[
                # Not `output`: a cached tuning job wrote where its own execution did.
                tune.properties.TrainingJobDefinition.OutputDataConfig.S3OutputPath,
                tune.properties.BestTrainingJob.TrainingJobName,
                "output/model.tar.gz",
            ]),
            local_path="/opt/ml/processing/input/model", s3_data_type="S3Prefix", s3_input_mode="File"))],
        outputs=[ProcessingOutput(output_name="out", s3_output=ProcessingS3Output(
            s3_uri=f"s3://{bucket}/{name}/use", local_path="/opt/ml/processing/output",
            s3_upload_mode="EndOfJob"))],
        arguments=["--top", tune.get_top_model_s3_uri(0, bucket, name)],
    ))
    pipeline = Pipeline(name=name, parameters=[word], steps=[tune, use], sagemaker_session=session)
    pipeline.upsert(role_arn=role)

    # Without a pipeline.
    trainer.sagemaker_session = Session(default_bucket=bucket)
    trainer.hyperparameters = {"epochs": "4", "word": "bye"}
    trainer.output_data_config = OutputDataConfig(s3_output_path=f"s3://{bucket}/{name}/alone")
    tuner.tune(inputs={"train": f"s3://{bucket}/{name}/in/"}, job_name=name + "-alone", wait=True)
    print("best:", tuner.best_training_job())
"""
TRAIN = """
    import argparse, os
    parser = argparse.ArgumentParser()
    for name, kind in (("rate", float), ("depth", int), ("kind", str), ("epochs", int), ("word", str)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    given = parser.parse_args()
    data = open(os.environ["SM_CHANNEL_TRAIN"] + "/a.txt").read()
    open(os.environ["SM_MODEL_DIR"] + "/m", "w").write(
        f"{data} {given.word} {given.epochs} {os.environ['TRAINING_JOB_NAME']}"
    )
    print(f"loss={given.rate + (given.kind == 'a') + abs(given.depth - 2)}")
"""
USE = """
    import sys, tarfile
    with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as archive:
        model = archive.extractfile("m").read().decode()
    open("/opt/ml/processing/output/made", "w").write(f"{model} {sys.argv[2]}")
"""


def test_what_the_sdk_makes_runs_unchanged(
    local: Settings, runner: Runner, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "requirements.txt").write_text("packaging\n")
    (folder / "train.py").write_text(textwrap.dedent(TRAIN))
    (folder / "use.py").write_text(textwrap.dedent(USE))
    local.client("s3").put_object(Bucket=local.bucket, Key=f"{name}/in/a.txt", Body=b"data")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SAGEMAKER_VALIDATE_ROLE": "false"}
    compiled = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SDK), str(folder), local.bucket, name],
        env=environment | local.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stderr
    alone = runner.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=f"{name}-alone")
    assert f"best: {alone['BestTrainingJob']['TrainingJobName']}" in compiled.stdout
    done = runner.wait(runner.start(name))
    assert done["PipelineExecutionStatus"] == "Succeeded", done
    steps = runner.steps(done["PipelineExecutionArn"])
    job = runner.client.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    )
    assert job["TrainingJobStatusCounters"]["Completed"] == 4
    best = job["BestTrainingJob"]["TrainingJobName"]
    made = f"data hello 3 {best} s3://{local.bucket}/{name}/{best}/output/model.tar.gz"
    assert read(local, f"{name}/use/made") == made
    again = runner.wait(runner.start(name))
    assert again["PipelineExecutionStatus"] == "Succeeded", again
    assert "CacheHitResult" in runner.steps(again["PipelineExecutionArn"])["Tune"]
    assert read(local, f"{name}/use/made") == made
