"""The example's preprocessing step on real local services: its profile is kept in S3 from run to run."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pandas as pd
import pytest
import yaml
from projects import make_project

from local_sagemaker.daemon import stack
from retraining.cli.run import run_pipeline
from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.runs import targets

KEY = "profiles/scarcegan/profile.json"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configuration]:
    """A project whose pipeline is the preprocessing alone, with its services running and its data in S3."""
    folder = make_project(tmp_path_factory.mktemp("drift"))
    path = folder / "models" / "scarcegan" / "conf.yaml"
    content = yaml.safe_load(path.read_text())["conf"]
    model = content["models"]["scarcegan"]
    wanted = ("source_directory", "preprocess", "train")
    content["models"]["scarcegan"] = {key: model[key] for key in wanted}
    path.write_text(yaml.safe_dump({"conf": content}, sort_keys=False))
    order = folder / "conf" / "pipeline.yaml"
    pipeline = yaml.safe_load(order.read_text())["conf"]["sagemakerPipeline"]
    steps = pipeline["models"]["scarcegan"]["steps"]
    pipeline["models"]["scarcegan"]["steps"] = [{**steps[0], "enable_cache": False}]
    del pipeline["dependencies"]
    order.write_text(yaml.safe_dump({"conf": {"sagemakerPipeline": pipeline}}, sort_keys=False))
    loaded = configuration.load(folder)
    settings = targets.local_settings(loaded)
    stack.up(settings)
    simulate = [sys.executable, str(path.with_name("simulate.py")), "--out", str(folder / "rows")]
    subprocess.run([*simulate, "--players", "2000", "--days", "14"], check=True, capture_output=True)
    for file in (folder / "rows").glob("*/*.csv"):
        rows = pd.read_csv(file, dtype=str)
        for number, part in enumerate((rows.iloc[::2], rows.iloc[1::2])):
            text = part.to_csv(index=False)
            put(settings, f"data/{file.parent.name}/part-{number}.csv", text.encode())
    yield loaded
    stack.down(settings)


def put(settings: Any, key: str, content: bytes) -> None:
    settings.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=content)


def train_data_of(prepared: Configuration, *parameters: str) -> str:
    """Where the output train_data of a run with these parameters is."""
    execution = run_pipeline(prepared, "local", list(parameters)).execution
    assert execution.status == "Succeeded"
    step = next(item for item in execution.steps if item.name == "Preprocess")
    job = str(step.metadata["ProcessingJob"]["Arn"]).rpartition("/")[2]
    described = boto3.client("sagemaker").describe_processing_job(ProcessingJobName=job)
    outputs = described["ProcessingOutputConfig"]["Outputs"]
    uris = {output["OutputName"]: str(output["S3Output"]["S3Uri"]) for output in outputs}
    return uris["train_data"]


def drift_of(prepared: Configuration, *parameters: str) -> dict[str, Any]:
    """drift.json of a run with these parameters."""
    return dict(json.loads(get(f"{train_data_of(prepared, *parameters)}/drift.json")))


def get(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.fixture(autouse=True)
def _there(prepared: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in targets.local_settings(prepared).environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def test_a_run_is_measured_against_the_run_before(prepared: Configuration) -> None:
    settings = targets.local_settings(prepared)
    place = f"s3://{settings.bucket}/{KEY}"
    assert drift_of(prepared)["psi_max"] is None
    first = json.loads(get(place))
    assert first["previous"] is None
    rows = pd.read_csv(io.BytesIO(get(f"s3://{settings.bucket}/data/unlabelled/part-0.csv")), dtype=str)
    rows["deposit_mean"] = (rows["deposit_mean"].astype(float) * 5).astype(str)
    put(settings, "moved/part-0.csv", rows.to_csv(index=False).encode())
    moved = drift_of(prepared, f"UnlabelledData=s3://{settings.bucket}/moved/")
    assert moved["psi_max"] == moved["psi"]["deposit_mean"] > 0.25
    assert json.loads(get(place))["previous"] == first["current"]
    # The same data in another job: it is compared with the run before them, not with itself.
    again = drift_of(prepared, f"UnlabelledData=s3://{settings.bucket}/moved/")
    assert again == moved


def test_two_instances_write_parts_of_the_same_outputs(prepared: Configuration) -> None:
    place = train_data_of(prepared, "ProcessingInstanceCount=2")
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    objects = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/")["Contents"]
    names = {item["Key"].rpartition("/")[2] for item in objects}
    kinds = (("data", "csv"), ("statistics", "json"), ("profile", "json"), ("drift", "json"))
    kinds += (("data_quality", "json"), ("data_quality", "html"), ("splits", "json"))
    assert names == {f"{name}-algo-{host}.{kind}" for name, kind in kinds for host in (1, 2)}
    for host in (1, 2):
        kept = json.loads(get(f"s3://{bucket}/{KEY.replace('.json', '')}-algo-{host}.json"))
        assert kept["current"] == json.loads(get(f"{place}/profile-algo-{host}.json"))
