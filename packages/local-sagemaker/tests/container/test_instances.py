"""Jobs of several instances, asked for by an unmodified boto3 and run for real."""

import json
import sys
from typing import Any

import pytest
from clusters_to_run import TALK, process, resources, start, train
from jobs_to_run import Processing, Training, channel, source
from models_to_serve import Transforming, archive, sums

from local_sagemaker.container import sandbox
from local_sagemaker.container.cluster import Cluster
from local_sagemaker.core.settings import Settings

NAMED = sandbox.detect().resolves
SHARDED = {"S3DataDistributionType": "ShardedByS3Key"}


@pytest.fixture
def processing(local: Settings, sagemaker: Any, s3: Any) -> Processing:
    return Processing(local, sagemaker, s3)


@pytest.fixture
def training(local: Settings, sagemaker: Any, s3: Any) -> Training:
    return Training(local, sagemaker, s3)


def streams(settings: Settings, name: str) -> dict[str, list[str]]:
    """Host -> what CloudWatch Logs has of it."""
    logs, group = settings.client("logs"), "/aws/sagemaker/ProcessingJobs"
    messages = {}
    listed = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    for stream in listed:
        events = logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
        host = stream["logStreamName"].removeprefix(f"{name}/").rpartition("-")[0]
        messages[host] = [event["message"] for event in events]
    return messages


@pytest.mark.parametrize("count", [2, 3])
def test_objects_are_shared_or_given_to_all(processing: Processing, name: str, count: int) -> None:
    for key in "edcba":
        processing.put(f"{name}/parts/{key}.csv")
    processing.put(f"{name}/all/x")
    processing.put(f"{name}/all/y")
    script = """
        import json, os
        config = json.load(open("/opt/ml/config/resourceconfig.json"))
        rank = config["hosts"].index(config["current_host"]) + 1
        seen = {part: sorted(os.listdir(f"/opt/ml/processing/{part}")) for part in ("parts", "all")}
        print("told", json.dumps(config))
        open(f"/opt/ml/processing/out/{rank}.json", "w").write(json.dumps(seen))
    """
    inputs = [
        source("parts", processing.uri(f"{name}/parts/"), "/opt/ml/processing/parts", **SHARDED),
        source("all", processing.uri(f"{name}/all/"), "/opt/ml/processing/all"),
    ]
    job = process(processing, name, script, count, inputs=inputs)
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    assert processing.keys(f"{name}/out/") == [f"{rank + 1}.json" for rank in range(count)]
    for rank in range(count):
        key = f"{name}/out/{rank + 1}.json"
        body = processing.s3.get_object(Bucket=processing.settings.bucket, Key=key)["Body"].read()
        assert json.loads(body) == {
            "parts": [f"{letter}.csv" for letter in "abcde"[rank::count]],
            "all": ["x", "y"],
        }
    said = streams(processing.settings, name)
    assert sorted(said) == [f"algo-{rank + 1}" for rank in range(count)]
    for host, lines in said.items():
        told = next(line for line in lines if line.startswith("told "))
        assert f"{host} | {told}\n" in processing.log(name)
        config = json.loads(told.removeprefix("told "))
        assert len(config["hosts"]) == count
        if NAMED:
            assert config["current_host"] == host
            assert config["hosts"] == sorted(said)


def test_more_instances_than_objects(processing: Processing, name: str) -> None:
    processing.put(f"{name}/in/a")
    script = "import os; print(len(os.listdir('/opt/ml/processing/in')))"
    inputs = [source("in", processing.uri(f"{name}/in/"), **SHARDED)]
    job = process(processing, name, script, 2, inputs=inputs)
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    assert "algo-1 | 1\n" in processing.log(name)
    assert "algo-2 | 0\n" in processing.log(name)
    assert "input 'in': 0 of 1 object from" in processing.log(name)


def test_outputs_of_the_same_name_are_told(processing: Processing, name: str) -> None:
    script = """
        import json
        config = json.load(open("/opt/ml/config/resourceconfig.json"))
        open("/opt/ml/processing/out/same", "w").write(config["current_host"])
    """
    job = process(processing, name, script, 2)
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    assert "WARNING output 'made': " in processing.log(name)
    assert "has 1 of the same names, such as same" in processing.log(name)
    answer = processing.s3.get_object(Bucket=processing.settings.bucket, Key=f"{name}/out/same")
    assert answer["Body"].read().endswith(b"2"), "the last one stays"


@pytest.mark.parametrize("others", [0, 1])
def test_instances_talk_and_make_one_model(training: Training, name: str, others: int) -> None:
    """Beside them another job uses the same port: its addresses are others."""
    metrics = {"MetricDefinitions": [{"Name": "loss", "Regex": r"loss=([0-9.]+)"}]}
    names = [name, *(f"{name}-{number}" for number in range(others))]
    for job in names:
        start(training, job, TALK, AlgorithmSpecification=metrics)
    for job in names:
        description = training.wait(job)
        assert description["TrainingJobStatus"] == "Completed", training.log(job)
        model = description["ModelArtifacts"]["S3ModelArtifacts"]
        heard = training.unpack(model)
        data = training.unpack(model.replace("model.tar.gz", "output.tar.gz"))
        assert sorted(heard) == ["heard-1", "heard-2"]
        config = json.loads(data["config-1"])
        first, second = config["hosts"]
        assert heard == {
            "heard-1": f"hello from {second}".encode(),
            "heard-2": f"hello from {first}".encode(),
        }
        assert config["instance_groups"] == [
            {
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.m5.large",
                "hosts": [first, second],
            }
        ]
        assert config["current_group_name"] == "homogeneousCluster"
        assert description["FinalMetricDataList"][0]["Value"] in (1.5, 2.5)
        assert training.log(job).count("loss=") == 2


def test_the_framework_image_knows_all_hosts(training: Training, name: str) -> None:
    program = "import os; print(os.environ['SM_CURRENT_HOST'], 'of', os.environ['SM_HOSTS'])"
    training.put(f"{name}/source/sourcedir.tar.gz", archive({"train.py": program}))
    answer = training.sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn="arn:aws:iam::123456789012:role/x",
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": training.uri(f"{name}/source/sourcedir.tar.gz"),
        },
        ResourceConfig=resources(2),
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        OutputDataConfig={"S3OutputPath": training.uri("models")},
    )
    assert answer["TrainingJobArn"]
    assert training.wait(name)["TrainingJobStatus"] == "Completed", training.log(name)
    lines = [line for line in training.log(name).splitlines() if " of [" in line]
    hosts = json.loads(lines[0].partition(" of ")[2])
    assert sorted(lines) == [
        f'algo-{rank + 1} | {host} of ["{hosts[0]}","{hosts[1]}"]' for rank, host in enumerate(hosts)
    ]


def test_a_checkpoint_that_only_one_changes_stays_changed(training: Training, name: str) -> None:
    """The others have the old one on their disks as well."""
    script = """
        import json
        config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
        if config["current_host"] == config["hosts"][0]:
            open("/opt/ml/checkpoints/state", "a").write("step ")
    """
    state = {"S3Uri": training.uri(f"{name}/checkpoints")}
    for number in (1, 2):
        job = train(training, f"{name}-{number}", script, CheckpointConfig=state)
        assert job["TrainingJobStatus"] == "Completed", training.log(f"{name}-{number}")
        assert "WARNING checkpoints" not in training.log(f"{name}-{number}")
    key = f"{name}/checkpoints/state"
    body = training.s3.get_object(Bucket=training.settings.bucket, Key=key)["Body"].read()
    assert body == b"step step "


def test_a_channel_is_shared_by_key(training: Training, name: str) -> None:
    for number in range(5):
        training.put(f"{name}/data/{number}", str(number).encode())
    data = channel("train", training.uri(f"{name}/data/"))
    data["DataSource"]["S3DataSource"] |= SHARDED
    job = training.run(
        name,
        'cd /opt/ml/input/data/train; cat * > "/opt/ml/model/$(ls | head -1)"',
        InputDataConfig=[data],
        ResourceConfig=resources(2),
    )
    assert job["TrainingJobStatus"] == "Completed", training.log(name)
    assert training.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"0": b"024", "1": b"13"}


def test_a_transform_shares_its_objects(local: Settings, sagemaker: Any, s3: Any, name: str) -> None:
    transforming = Transforming(local, sagemaker, s3)
    transforming.model(name, sums())
    for number in range(3):
        transforming.put(f"{name}/in/{number}.csv", f"{number},2\n".encode())
    job = transforming.run(name, count=2)
    assert job["TransformJobStatus"] == "Completed", transforming.log(name)
    assert sorted(transforming.outputs(name)) == [f"{number}.csv.out" for number in range(3)]
    assert "algo-2 | [local-sagemaker] output: 1 file to" in transforming.log(name)


def test_addresses_differ_between_instances_and_jobs() -> None:
    first, again, other = (Cluster.make(seed, 100, named=True) for seed in ("a", "a", "b"))
    assert first == again
    assert len({*first.addresses, *other.addresses}) == 200
    assert first.hosts == other.hosts == tuple(f"algo-{number + 1}" for number in range(100))
    assert all(address.startswith("127.") for address in first.addresses)
    assert not any(address.startswith("127.0.") for address in first.addresses)
    assert sys.platform != "linux" or first.unreachable() == []
    nameless = Cluster.make("a", 3, named=False)
    assert nameless.hosts == nameless.addresses
    assert Cluster.make("a", 1, named=False).hosts == ("algo-1",)
