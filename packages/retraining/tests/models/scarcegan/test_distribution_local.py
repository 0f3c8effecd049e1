"""A training job of two instances on the local services, asked for by an unmodified boto3."""

import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import MODEL

from local_sagemaker.core import s3
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import stack
from local_sagemaker.testing import make_settings
from model import training_data
from retraining.compile import code_package

WORDS = ["--epochs", "3", "--iterations_per_epoch", "20", "--batch_size", "32", "--cross_validation", "false"]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Settings]:
    settings = make_settings(tmp_path / ".local")
    stack.up(settings)
    yield settings
    stack.down(settings)


def test_two_instances_make_one_model(small: Path, tmp_path: Path, local: Settings) -> None:
    bucket, client = f"s3://{local.bucket}", local.client("s3")
    data = small / "output"
    code_package.stage(MODEL, tmp_path / "code", "train.py")
    folders = {name: data / name for name in training_data.CHANNELS} | {"code": tmp_path / "code"}
    channels = []
    for name, folder in folders.items():
        s3.upload(client, folder, [path for path in folder.rglob("*") if path.is_file()], f"{bucket}/{name}")
        source = {"S3DataType": "S3Prefix", "S3Uri": f"{bucket}/{name}/"}
        channels.append({"ChannelName": name, "DataSource": {"S3DataSource": source}})
    sagemaker = local.client("sagemaker")
    sagemaker.create_training_job(
        TrainingJobName="together",
        RoleArn="arn:aws:iam::123456789012:role/x",
        AlgorithmSpecification={
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/train.py"],
            "ContainerArguments": WORDS,
            "MetricDefinitions": [{"Name": "loss", "Regex": "Discriminator_Supervised_Loss=([-+0-9.eE]+);"}],
        },
        InputDataConfig=channels,
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 300},
        OutputDataConfig={"S3OutputPath": f"{bucket}/models"},
        CheckpointConfig={"S3Uri": f"{bucket}/checkpoints"},
    )
    deadline = time.monotonic() + 300
    while (job := sagemaker.describe_training_job(TrainingJobName="together"))["TrainingJobStatus"] in (
        *("InProgress", "Stopping"),
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    log = local.job_log("together").read_text()
    assert job["TrainingJobStatus"] == "Completed", log
    for rank in (1, 2):
        assert f"algo-{rank} | Instance {rank} of 2: waiting for all of" in log
    assert job["FinalMetricDataList"][0]["MetricName"] == "loss"
    with tarfile.open(fileobj=io.BytesIO(s3.read(client, job["ModelArtifacts"]["S3ModelArtifacts"]))) as tar:
        assert "candidates.json" in tar.getnames()
        assert "candidates/best-f1/1/saved_model.pb" in tar.getnames()
    kept = client.list_objects_v2(Bucket=local.bucket, Prefix="checkpoints/")["Contents"]
    assert [entry["Key"].rpartition("/")[2] for entry in kept] == ["model.npz"]
    assert "WARNING" not in log.replace("WARNING: All log messages before absl", "")
