"""A project in a folder of its own, with its own ports, for tests that change it."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml

from local_sagemaker import stack
from retraining import configuration, places
from retraining.configuration import Configuration

ROOT = Path(__file__).parents[2]

# Of the model `scarcegan` as the template has it.
GROUPS = "risky,dormant,normal,heavy"
CANDIDATES = ["best-recall", "best-precision", "best-f1", "lowest-loss"]
STEPS = ["Preprocess", "Train", "Evaluate", "QualityGate", "Register"]


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
    ports = [int(item.getsockname()[1]) for item in sockets]
    for item in sockets:
        item.close()
    return ports


def model_folder(name: str) -> Path:
    """The folder of a model of the project or of its examples; where it is gone, the test is skipped."""
    places = [ROOT / parent / name for parent in ("models", "examples")]
    found = next((place for place in places if (place / "conf.yaml").is_file()), None)
    if found is None:
        pytest.skip(f"the model {name} is neither in models/ nor in examples/")
    return found


def sample_project(folder: Path) -> Path:
    """A project of `scarcegan` as it was shipped, for tests that run it; skipped where it was changed."""
    conf = yaml.safe_load((model_folder("scarcegan") / "conf.yaml").read_text())["conf"]
    unit = conf["models"]["scarcegan"]
    pipeline = conf.get("sagemakerPipeline", {}).get("models", {}).get("scarcegan", {})
    found = {
        "groups": unit.get("preprocess", {}).get("arguments", {}).get("groups"),
        "candidates": list(unit.get("train", {}).get("hyperparams", {}).get("candidates", ())),
        "steps": [step.get("step_name") for step in pipeline.get("steps", ())],
    }
    for what, shipped in {"groups": GROUPS, "candidates": CANDIDATES, "steps": STEPS}.items():
        if found[what] != shipped:
            pytest.skip(f"scarcegan has other {what} than those shipped: {found[what]}")
    return make_project(folder)


def make_project(folder: Path, main: str = "scarcegan", *others: str) -> Path:
    """A project of these models, with a configuration that does not depend on the answers of the template."""
    ignored = shutil.ignore_patterns("__pycache__", "tests")
    for name in (main, *others):
        shutil.copytree(model_folder(name), folder / "models" / name, ignore=ignored)
    shutil.copytree(ROOT / "lambdas", folder / "lambdas", ignore=ignored)
    shutil.copy(ROOT / "pipeline.py", folder / "pipeline.py")
    (folder / "conf").mkdir()
    sagemaker, aws, mlflow = free_ports(3)
    settings = {
        "project": "demo",
        "description": "A project under test",
        "SMP_ACCOUNTID": "111122223333",
        "SMP_REGION": "eu-west-1",
        "SMP_S3BUCKETNAME": "sagemaker-eu-west-1-111122223333",
        "SMP_ROLE": "arn:aws:iam::111122223333:role/demo-sagemaker",
        "SMP_MODEL_CONFIGPATH": "models/*/conf.yaml",
        "SMP_SUBNETS": [],
        "SMP_SECURITYGROUPS": [],
        "SMP_MODELNAME": main,
        "kms_key": None,
        "lambda_role": "arn:aws:iam::111122223333:role/demo-lambda",
        "mlflow_tracking_uri": None,
        "schedule": "cron(0 3 ? * MON *)",
        "tags": {"project": "demo"},
        "local": {"sagemaker_port": sagemaker, "aws_port": aws, "mlflow_port": mlflow},
    }
    (folder / "conf" / "project.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.fixture
def on_local(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configuration]:
    """The project's configuration, with its local services running and boto3 pointing at them."""
    found = configuration.load(project)
    settings = places.local_settings(found)
    stack.up(settings)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    # Another test's default session would keep that test's credentials.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield found
    stack.down(settings)
