"""Processing jobs, asked for by an unmodified boto3 and run for real."""

import concurrent.futures
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jobs_to_run import ROLE, Processing, source, target


def test_a_job_turns_inputs_into_outputs(processing: Processing, name: str) -> None:
    processing.put(f"{name}/in/a.txt", b"a")
    processing.put(f"{name}/in/deep/er/{{b}} c.txt", b"b")
    arn = processing.start(
        name,
        "cd /opt/ml/processing && find in -type f | sort"
        " && mkdir out/deep && cp 'in/deep/er/{b} c.txt' out/deep/b"
        " && tr a z < in/a.txt > out/z",
        ProcessingInputs=[source("data", processing.uri(f"{name}/in/"))],
        ProcessingOutputConfig={"Outputs": [target("made", processing.uri(f"{name}/out"))]},
    )
    job = processing.wait(name)
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    assert job["ProcessingJobArn"] == arn == f"arn:aws:sagemaker:eu-west-1:123456789012:processing-job/{name}"
    assert "in/a.txt\nin/deep/er/{b} c.txt\n" in processing.log(name)
    assert processing.keys(f"{name}/out/") == ["deep/b", "z"]
    times = [job[key] for key in ("CreationTime", "ProcessingStartTime", "ProcessingEndTime")]
    assert times == sorted(times)
    assert "FailureReason" not in job
    assert job["ProcessingInputs"] == [source("data", processing.uri(f"{name}/in/"))]


def test_what_the_container_is_told(processing: Processing, name: str) -> None:
    script = (
        "cat /opt/ml/config/resourceconfig.json; echo; cat /opt/ml/config/processingjobconfig.json; echo;"
        ' echo "$@" $GREETING $AWS_REGION $PROCESSING_JOB_NAME; pwd; ls -d /opt/ml/processing/out'
    )
    job = processing.run(
        name,
        script,
        AppSpecification={"ContainerArguments": ["--x", "1"]},
        Environment={"GREETING": "hi"},
        ProcessingOutputConfig={"Outputs": [target("made", processing.uri(f"{name}/out"))]},
    )
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    lines = processing.log(name).splitlines()
    assert json.loads(lines[0]) == {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "current_instance_type": "ml.m5.large",
        "network_interface_name": "lo" if sys.platform == "linux" else "lo0",
    }
    config = json.loads(lines[1])
    assert config["ProcessingJobName"] == name
    assert config["AppSpecification"]["ContainerArguments"] == ["--x", "1"]
    assert lines[2] == f"--x 1 hi eu-west-1 {name}"
    assert lines[4] == "/opt/ml/processing/out"
    assert processing.keys(f"{name}/out") == []


def test_nothing_of_the_users_shell_is_seen(processing: Processing, name: str) -> None:
    processing.run(name, "env; for name in python3 pip3 python pip; do command -v $name; done")
    names = {line.partition("=")[0] for line in processing.log(name).splitlines() if "=" in line}
    assert names <= {
        *processing.settings.environment(),
        *("PATH", "HOME", "LANG", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_", "PYTHONUNBUFFERED"),
        *("PIP_DISABLE_PIP_VERSION_CHECK", "TF_CPP_MIN_LOG_LEVEL", "GIT_PYTHON_REFRESH", "TAR_OPTIONS"),
        *("PROCESSING_JOB_NAME", "PROCESSING_JOB_ARN"),
    }
    assert processing.log(name).count("/env/bin/p") >= 4, "python and pip are the job's own"


def test_python_sees_the_projects_packages_and_pip_is_there(processing: Processing, name: str) -> None:
    script = (
        "python3 -c 'import boto3, pip; pip.main' && python3 -m pip --version && pip uninstall --yes typing"
    )
    job = processing.run(name, script)
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    assert "Skipping typing as it is not installed" in processing.log(name)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo fine; echo 'ValueError: no rows' >&2; echo; exit 3",
            "AlgorithmError: ValueError: no rows, exit code: 3",
        ),
        (
            "echo not this; printf 'my words' > /opt/ml/output/message; exit 1",
            "AlgorithmError: my words, exit code: 1",
        ),
        ("exit 9", "AlgorithmError: the job printed nothing, exit code: 9"),
    ],
)
def test_why_a_job_failed(processing: Processing, name: str, script: str, reason: str) -> None:
    outputs = [
        target("lost", processing.uri(f"{name}/lost")),
        target("kept", processing.uri(f"{name}/kept"), "/opt/ml/processing/kept", "Continuous"),
    ]
    job = processing.run(
        name,
        f"touch /opt/ml/processing/out/x /opt/ml/processing/kept/x; {script}",
        ProcessingOutputConfig={"Outputs": outputs},
    )
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == reason
    assert job.get("ExitMessage") == ("my words" if "my words" in reason else None)
    assert processing.keys(f"{name}/lost") == []
    assert processing.keys(f"{name}/kept/") == ["x"]
    assert f"Failed: {reason}" in processing.log(name)


def test_a_missing_input_is_named(processing: Processing, name: str) -> None:
    uri = processing.uri(f"{name}/nothing/")
    job = processing.run(name, "true", ProcessingInputs=[source("risky", uri)])
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == f"ClientError: Data download failed: no objects at {uri} (input 'risky')"


def test_a_missing_bucket_is_named(processing: Processing, name: str) -> None:
    job = processing.run(name, "true", ProcessingInputs=[source("risky", f"s3://not-{name}/x")])
    assert job["FailureReason"].startswith(f"ClientError: Data download failed: s3://not-{name}/x: ")


@pytest.mark.parametrize(
    ("uri", "files"),
    [
        ("run/1", ["b.csv"]),
        ("run/1/", ["b.csv"]),
        ("run/1/b.csv", ["b.csv"]),
        ("run/", ["1/b.csv", "10/c.csv", "a.csv"]),
        ("run/1/b", ["b.csv"]),
    ],
)
def test_which_objects_a_prefix_means(processing: Processing, name: str, uri: str, files: list[str]) -> None:
    for key in ("run/a.csv", "run/1/b.csv", "run/10/c.csv", "run/1/"):
        processing.put(f"{name}/{key}")
    script = "cd /opt/ml/processing/in && find . -type f | sort"
    processing.run(name, script, ProcessingInputs=[source("data", processing.uri(f"{name}/{uri}"))])
    listed = [line[2:] for line in processing.log(name).splitlines() if line.startswith("./")]
    assert listed == files
    assert ("left out 1" in processing.log(name)) == (uri == "run/1")


def test_a_job_with_network_isolation_reaches_no_service(processing: Processing, name: str) -> None:
    program = (
        "import os, urllib.request as u; u.urlopen(os.environ['AWS_ENDPOINT_URL_SAGEMAKER'] + '/health')"
    )
    script = f'python3 -c "{program}"'
    assert processing.run(name, script)["ProcessingJobStatus"] == "Completed"
    isolated = processing.run(f"{name}-2", script, NetworkConfig={"EnableNetworkIsolation": True})
    if "rewritten paths" in processing.log(name):
        pytest.skip("this machine lets nobody have a network of their own")
    assert isolated["ProcessingJobStatus"] == "Failed"


def test_stop_lets_the_job_finish_its_last_act(processing: Processing, name: str, sagemaker: Any) -> None:
    script = (
        "trap 'echo bye > /opt/ml/processing/out/bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    )
    outputs = [target("kept", processing.uri(f"{name}/out"), mode="Continuous")]
    processing.start(name, script, ProcessingOutputConfig={"Outputs": outputs})
    processing.wait_for(name, "ready")
    sagemaker.stop_processing_job(ProcessingJobName=name)
    assert processing.wait(name)["ProcessingJobStatus"] == "Stopped"
    assert processing.keys(f"{name}/out/") == ["bye"]
    with pytest.raises(ClientError, match="is in status Stopped") as caught:
        sagemaker.stop_processing_job(ProcessingJobName=name)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_job_may_not_run_longer_than_it_asked_for(processing: Processing, name: str) -> None:
    job = processing.run(name, "sleep 300", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["ProcessingJobStatus"] == "Stopped"
    assert job["FailureReason"] == "MaxRuntimeExceeded: the job ran longer than 1 s"


def test_a_name_is_taken_for_ever(processing: Processing, name: str, sagemaker: Any) -> None:
    processing.run(name, "true")
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        processing.start(name, "true")


@pytest.mark.parametrize(
    ("request_part", "member"),
    [
        (
            {
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
                },
                "NetworkConfig": {"EnableNetworkIsolation": True},
            },
            "NetworkConfig.EnableNetworkIsolation with InstanceCount 2",
        ),
        ({"ProcessingInputs": [source("a", "s3://b/c", S3InputMode="Pipe")]}, "S3InputMode 'Pipe'"),
        (
            {"ProcessingInputs": [source("a", "s3://b/c", S3DataType="ManifestFile")]},
            "S3DataType 'ManifestFile'",
        ),
        (
            {"ProcessingInputs": [source("a", "s3://b/c", S3CompressionType="Gzip")]},
            "S3CompressionType 'Gzip'",
        ),
        (
            {"ProcessingInputs": [source("a", "s3://b/c", "/opt/ml/../../etc")]},
            "LocalPath '/opt/ml/../../etc'",
        ),
        ({"ProcessingInputs": [source("a", "s3://b/c", "/data")]}, "LocalPath '/data'"),
        (
            {
                "ProcessingInputs": [
                    source("a", "s3://b/c"),
                    source("b", "s3://b/d", "/opt/ml/processing/in/"),
                ]
            },
            "LocalPath '/opt/ml/processing/in/' is also ProcessingInputs[a].S3Input.LocalPath",
        ),
        *(
            (
                {
                    "ProcessingInputs": [source("a", "s3://b/c", read)],
                    "ProcessingOutputConfig": {"Outputs": [target("o", "s3://b/d", written)]},
                },
                f"ProcessingInputs[a].S3Input.LocalPath '{read}' and"
                f" ProcessingOutputConfig.Outputs[o].S3Output.LocalPath '{written}' overlap",
            )
            for read, written in (
                ("/opt/ml/processing/x", "/opt/ml/processing/x/"),
                ("/opt/ml/processing/x/y", "/opt/ml/processing/x"),
                ("/opt/ml/processing/x", "/opt/ml/processing/x/y"),
            )
        ),
        (
            {"ProcessingInputs": [{"InputName": "a", "DatasetDefinition": {"LocalPath": "/x"}}]},
            "DatasetDefinition",
        ),
        (
            {
                "ProcessingOutputConfig": {
                    "Outputs": [{"OutputName": "o", "FeatureStoreOutput": {"FeatureGroupName": "g"}}]
                }
            },
            "FeatureStoreOutput",
        ),
    ],
)
def test_what_cannot_be_done_here_is_refused_by_name(
    processing: Processing, name: str, request_part: dict[str, Any], member: str
) -> None:
    with pytest.raises(ClientError) as caught:
        processing.start(name, "true", **request_part)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert member in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match="Could not find requested job with name"):
        processing.sagemaker.describe_processing_job(ProcessingJobName=name)


def test_a_request_without_a_command_is_refused(processing: Processing, name: str) -> None:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    with pytest.raises(ClientError, match=r"AppSpecification\.ContainerEntrypoint is needed"):
        processing.sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            AppSpecification={"ImageUri": "image"},
            ProcessingResources={"ClusterConfig": cluster},
        )


def test_a_completed_job_leaves_its_log_and_request_only(processing: Processing, name: str) -> None:
    processing.run(name, "echo hello")
    folder = processing.settings.jobs / name
    assert sorted(entry.name for entry in folder.iterdir()) == ["log.txt", "request.json"]
    assert json.loads((folder / "request.json").read_text())["ProcessingJobName"] == name


def test_a_failed_job_leaves_what_it_saw_and_made(processing: Processing, name: str) -> None:
    processing.put(f"{name}/a")
    processing.run(
        name, "echo x > /opt/ml/half-made; exit 1", ProcessingInputs=[source("i", processing.uri(f"{name}/"))]
    )
    folder = processing.settings.jobs / name / "ml"
    assert (folder / "half-made").read_text() == "x\n"
    assert (folder / "processing" / "in" / "a").exists()
    assert not (folder / "env").exists()


def test_the_log_is_in_cloudwatch(processing: Processing, name: str) -> None:
    processing.run(name, "echo one; echo; echo two >&2")
    logs = processing.settings.client("logs")
    group = "/aws/sagemaker/ProcessingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    assert len(streams) == 1
    assert streams[0]["logStreamName"].startswith(f"{name}/algo-1-")
    events = logs.get_log_events(
        logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True
    )
    messages = [event["message"] for event in events["events"]]
    assert messages[:3] == ["one", " ", "two"]


def test_many_jobs_at_once_do_not_see_each_other(processing: Processing, name: str) -> None:
    script = "echo $ME > /opt/ml/me; sleep 0.2; test $(cat /opt/ml/me) = $ME; ls /opt/ml/me*"
    names = [f"{name}-{number}" for number in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda job: processing.run(job, script, Environment={"ME": job}), names))
    assert [result["ProcessingJobStatus"] for result in results] == ["Completed"] * 6


def test_output_that_is_no_text_does_not_break_the_log(processing: Processing, name: str) -> None:
    job = processing.run(name, r"printf 'bad \377\376 bytes\n0%%\r50%%\r100%%\nno newline'; exit 1")
    assert job["FailureReason"] == "AlgorithmError: no newline, exit code: 1"
    assert "100%" in processing.log(name)
    assert "50%" not in processing.log(name)


def test_the_logs_place_is_known(processing: Processing, name: str) -> None:
    processing.run(name, "true")
    assert processing.settings.job_log(name) == Path(processing.settings.root) / "jobs" / name / "log.txt"
    assert processing.log(name).endswith("[local-sagemaker] Completed\n")
