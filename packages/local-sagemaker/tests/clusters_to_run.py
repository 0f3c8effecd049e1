"""Processing and training jobs of several instances, to be run in tests."""

import textwrap
from typing import Any

from jobs_to_run import Processing, Training, channel, source, target

from local_sagemaker.core.settings import Settings

# Waits for its own turn to connect; answers with the host's name. Both listen on the same port.
TALK = """
    import json, os, socket, sys, time
    config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
    hosts, me = config["hosts"], config["current_host"]
    peer = next(host for host in hosts if host != me)
    server = socket.create_server((me, 7777))
    deadline = time.monotonic() + 30
    while True:
        try:
            client = socket.create_connection((peer, 7777), 5)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    client.sendall(f"hello from {me}".encode())
    client.shutdown(socket.SHUT_WR)
    said = server.accept()[0].makefile().read()
    rank = hosts.index(me) + 1
    print(f"loss={rank}.5")
    open(f"/opt/ml/model/heard-{rank}", "w").write(said)
    open(f"/opt/ml/output/data/config-{rank}", "w").write(json.dumps(config))
"""


def cluster(count: int) -> dict[str, Any]:
    return {"ClusterConfig": {"InstanceCount": count, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}


def resources(count: int) -> dict[str, Any]:
    return {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}


def put_program(settings: Settings, s3: Any, name: str, program: str) -> str:
    """Where the script of a job lies that runs it from its folder for code."""
    s3.put_object(Bucket=settings.bucket, Key=f"{name}/code/run.py", Body=textwrap.dedent(program).encode())
    return f"s3://{settings.bucket}/{name}/code/"


def process(processing: Processing, name: str, program: str, count: int, **more: Any) -> dict[str, Any]:
    """Run a Python program as a processing job; what Describe says then."""
    code = put_program(processing.settings, processing.s3, name, program)
    inputs = [source("code", code, "/opt/ml/processing/input/code"), *more.pop("inputs", [])]
    return processing.run(
        name,
        "",
        AppSpecification={"ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py"]},
        ProcessingResources=cluster(count),
        ProcessingInputs=inputs,
        ProcessingOutputConfig={"Outputs": [target("made", processing.uri(f"{name}/out"))]},
    )


def start(training: Training, name: str, program: str, **more: Any) -> None:
    """Start a Python program as a training job on two instances."""
    code = put_program(training.settings, training.s3, name, program)
    specification = {"ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/run.py"]}
    training.start(
        name,
        "",
        AlgorithmSpecification=specification | more.pop("AlgorithmSpecification", {}),
        InputDataConfig=[channel("code", code)],
        ResourceConfig=resources(2),
        **more,
    )


def train(training: Training, name: str, program: str, **more: Any) -> dict[str, Any]:
    start(training, name, program, **more)
    return training.wait(name)
