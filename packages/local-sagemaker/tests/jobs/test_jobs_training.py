"""Training jobs: plain ones through boto3, and the SDK's own drivers, unmodified."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jobs_to_run import Training, channel
from wheels import make_wheel


def test_channels_become_a_model(training: Training, name: str) -> None:
    training.put(f"{name}/data/a.csv", b"1,2")
    script = (
        "cat /opt/ml/input/config/hyperparameters.json /opt/ml/input/config/inputdataconfig.json; echo;"
        " mkdir /opt/ml/model/deep; cp /opt/ml/input/data/train/a.csv /opt/ml/model/deep;"
        " echo report > /opt/ml/output/data/report.txt"
    )
    job = training.run(
        name,
        script,
        HyperParameters={"epochs": "3"},
        InputDataConfig=[channel("train", training.uri(f"{name}/data/"), ContentType="text/csv")],
    )
    assert job["TrainingJobStatus"] == "Completed", training.log(name)
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert model == training.uri(f"models/{name}/output/model.tar.gz")
    assert training.unpack(model) == {"deep/a.csv": b"1,2"}
    assert training.unpack(model.replace("model.tar.gz", "output.tar.gz")) == {"report.txt": b"report\n"}
    line = next(line for line in training.log(name).splitlines() if line.startswith("{"))
    assert line.startswith('{"epochs": "3"}')
    told = json.loads(line.removeprefix('{"epochs": "3"}'))
    assert told["train"]["ContentType"] == "text/csv"


def test_the_course_of_a_job_is_told(training: Training, name: str) -> None:
    job = training.run(name, "sleep 1")
    transitions = job["SecondaryStatusTransitions"]
    assert [entry["Status"] for entry in transitions] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    moments = [moment for entry in transitions for moment in (entry["StartTime"], entry["EndTime"])]
    assert moments == sorted(moments)
    assert job["SecondaryStatus"] == "Completed"
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]


def test_the_last_value_of_each_metric_counts(training: Training, name: str) -> None:
    definitions = [
        {"Name": "loss", "Regex": r"loss=([-0-9.e]+)"},
        {"Name": "auc", "Regex": r"auc: (\S+)"},
        {"Name": "never", "Regex": r"never ([0-9]+)"},
    ]
    script = "echo loss=0.5; echo 'loss=0.25 auc: nan'; echo 'auc: 0.75' >&2; echo auc: high"
    job = training.run(name, script, AlgorithmSpecification={"MetricDefinitions": definitions})
    final = job["FinalMetricDataList"]
    assert [(entry["MetricName"], entry["Value"]) for entry in final] == [("loss", 0.25), ("auc", 0.75)]
    assert all(job["TrainingStartTime"] <= entry["Timestamp"] <= job["TrainingEndTime"] for entry in final)


def test_checkpoints_come_back(training: Training, name: str) -> None:
    script = "cd /opt/ml/checkpoints && cat *; echo step >> steps; exit "
    config = {"CheckpointConfig": {"S3Uri": training.uri(f"{name}/checkpoints")}}
    assert training.run(f"{name}-1", script + "1", **config)["TrainingJobStatus"] == "Failed"
    assert training.run(f"{name}-2", script + "0", **config)["TrainingJobStatus"] == "Completed"
    body = training.s3.get_object(Bucket=training.settings.bucket, Key=f"{name}/checkpoints/steps")[
        "Body"
    ].read()
    assert body == b"step\nstep\n"


def test_a_model_may_stay_unpacked(training: Training, name: str) -> None:
    target = {"S3OutputPath": training.uri(f"{name}/out"), "CompressionType": "NONE"}
    job = training.run(name, "echo 1 > /opt/ml/model/weights", OutputDataConfig=target)
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == training.uri(f"{name}/out/{name}/output/model/")
    assert training.keys(f"{name}/out/{name}/output/model/") == ["weights"]


def test_the_failure_file_is_the_reason(training: Training, name: str) -> None:
    job = training.run(name, "printf 'disk full' > /opt/ml/output/failure; echo noise; exit 2")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: disk full, exit code: 2"
    assert job["SecondaryStatus"] == "Failed"
    assert job["SecondaryStatusTransitions"][-1]["StatusMessage"] == job["FailureReason"]
    assert "ModelArtifacts" not in job or not job["ModelArtifacts"]["S3ModelArtifacts"]


def test_a_job_that_runs_too_long_keeps_its_model(training: Training, name: str) -> None:
    script = "trap 'echo half > /opt/ml/model/m; exit 0' TERM; while :; do sleep 0.05; done"
    job = training.run(name, script, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert training.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"m": b"half\n"}


@pytest.mark.parametrize(
    ("request_part", "member"),
    [
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0, "VolumeSizeInGB": 1}},
            "ResourceConfig.InstanceCount 0",
        ),
        ({"AlgorithmSpecification": {"TrainingInputMode": "Pipe"}}, "TrainingInputMode 'Pipe'"),
        (
            {"InputDataConfig": [channel("c", "s3://b/k", InputMode="Pipe")]},
            "InputDataConfig[c].InputMode 'Pipe'",
        ),
        ({"InputDataConfig": [channel("c", "s3://b/k", CompressionType="Gzip")]}, "CompressionType 'Gzip'"),
        ({"InputDataConfig": [channel("c", "s3://b/k", ShuffleConfig={"Seed": 1})]}, "ShuffleConfig"),
        (
            {"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "m", "Regex": "(unclosed"}]}},
            "Regex '(unclosed' of 'm'",
        ),
        (
            {"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "m", "Regex": "no group"}]}},
            "needs a group",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/input/data/"}},
            "CheckpointConfig.LocalPath '/opt/ml/input/data/' and the inputs' folder '/opt/ml/input' overlap",
        ),
        (
            {"TensorBoardOutputConfig": {"S3OutputPath": "s3://b/k", "LocalPath": "/opt/ml/model"}},
            "TensorBoardOutputConfig.LocalPath '/opt/ml/model' and the model's folder '/opt/ml/model' over",
        ),
    ],
)
def test_what_cannot_be_done_here_is_refused_by_name(
    training: Training, name: str, request_part: dict[str, Any], member: str
) -> None:
    with pytest.raises(ClientError) as caught:
        training.start(name, "true", **request_part)
    assert member in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match="Requested resource not found"):
        training.sagemaker.describe_training_job(TrainingJobName=name)


SDK = """
    import sys
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.processing import FrameworkProcessor
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode

    folder, bucket, name = sys.argv[1:]
    session, role = Session(default_bucket=bucket), "arn:aws:iam::123456789012:role/x"
    for epochs in (2, 99):
        ModelTrainer(
            sagemaker_session=session, role=role, base_job_name=f"{name}-{epochs}",
            training_image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1",
            source_code=SourceCode(
                source_dir=folder, entry_script="train.py", requirements="requirements.txt"
            ),
            compute=Compute(instance_type="ml.m5.large", instance_count=1),
            hyperparameters={"epochs": epochs},
            output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/{name}/models"),
        ).train(
            input_data_config=[InputData(channel_name="train", data_source=f"s3://{bucket}/{name}/in/")],
            wait=False, logs=False,
        )
    FrameworkProcessor(
        image_uri="image", command=["python3"], role=role, instance_count=1, instance_type="ml.m5.large",
        sagemaker_session=session,
    ).run(
        code="process.py", source_dir=folder, job_name=f"{name}-process", wait=False, logs=False,
        arguments=["--word", "two words"],
        outputs=[ProcessingOutput(output_name="out", s3_output=ProcessingS3Output(
            s3_uri=f"s3://{bucket}/{name}/out", local_path="/opt/ml/processing/output",
            s3_upload_mode="EndOfJob"))],
    )
"""
TRAIN = """
    import argparse, os, tiny_dependency
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    epochs = parser.parse_args().epochs
    if epochs == 99:
        raise ValueError("too many epochs")
    data = open(os.environ["SM_CHANNEL_TRAIN"] + "/a.txt").read()
    open(os.environ["SM_MODEL_DIR"] + "/m", "w").write(f"{data} {epochs} {tiny_dependency.VALUE}")
"""
PROCESS = """
    import sys, tiny_dependency
    open("/opt/ml/processing/output/made", "w").write(f"{sys.argv[1:]} {tiny_dependency.VALUE}")
"""


def test_the_sdks_drivers_run_unmodified(training: Training, name: str, tmp_path: Path) -> None:
    """ModelTrainer and FrameworkProcessor, with a requirement that the project does not have."""
    folder, wheels = tmp_path / "source", tmp_path / "wheels"
    folder.mkdir()
    wheels.mkdir()
    make_wheel(wheels)
    (folder / "requirements.txt").write_text(
        f"--no-index\n--find-links {wheels}\ntiny-dependency==1.5\nboto3\n"
    )
    (folder / "train.py").write_text(textwrap.dedent(TRAIN))
    (folder / "process.py").write_text(textwrap.dedent(PROCESS))
    training.put(f"{name}/in/a.txt", b"hello")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SAGEMAKER_VALIDATE_ROLE": "false"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SDK), str(folder), training.settings.bucket, name],
        env=environment | training.settings.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [
        entry["TrainingJobName"] for entry in training.sagemaker.list_training_jobs()["TrainingJobSummaries"]
    ]
    good, bad = (next(job for job in names if job.startswith(f"{name}-{epochs}")) for epochs in (2, 99))

    description = training.wait(good)
    assert description["TrainingJobStatus"] == "Completed", training.log(good)
    assert training.unpack(description["ModelArtifacts"]["S3ModelArtifacts"]) == {"m": b"hello 2 42"}

    description = training.wait(bad)
    assert description["FailureReason"] == "AlgorithmError: ValueError: too many epochs, exit code: 1"

    deadline = time.monotonic() + 90
    while training.sagemaker.describe_processing_job(ProcessingJobName=f"{name}-process")[
        "ProcessingJobStatus"
    ] in ("InProgress", "Stopping"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    made = training.s3.get_object(Bucket=training.settings.bucket, Key=f"{name}/out/made")["Body"].read()
    assert made == b"['--word', 'two words'] 42", training.log(f"{name}-process")
    installs = [training.log(job).count("installing requirements") for job in (good, bad, f"{name}-process")]
    assert sum(installs) == 1, "installed once, for all three"
