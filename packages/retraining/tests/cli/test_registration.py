"""A model is registered once, whatever else happens to its executions; and what is proposed next works."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from projects import TEMPLATE
from tiny_project import CHAIN, IMAGE, MODEL, STEPS, Tiny, retrain, running

REGISTRY = {
    "description": "A tiny model",
    "ModelRepack": True,
    "model_quality": {"output": "evaluation", "file": "evaluation.json"},
    "InferenceSpecification": {
        "image_uri": IMAGE,
        "supported_content_types": ["text/csv"],
        "supported_response_MIME_types": ["text/csv"],
    },
}
TELL = {
    "entry_point": "tell.py",
    "inputs": {"fails": {"parameter": "Fails", "default": "no"}},
    "outputs": ["told"],
}
TOLD = """
def handler(event, context):
    if event["fails"] == "yes":
        raise RuntimeError("nobody to tell")
    return {"told": "yes"}
"""
REGISTER = {"step_name": "Register", "step_class": "Lambda", "step_type": "registry"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """Train, evaluate, gate, register, and a last step that may fail."""
    with running(tmp_path_factory.mktemp("tiny")) as project:
        shutil.copy(TEMPLATE / "lambdas" / "register_models.py", project.root / "lambdas")
        project.write("models/tiny/inference.py", "")
        project.write("lambdas/tell.py", TOLD)
        configure(project, REGISTER)
        yield project


def configure(tiny: Tiny, register: dict[str, Any]) -> None:
    model = MODEL | {"registry": REGISTRY, "lambda": TELL}
    tiny.configure(model, [*STEPS[:4], register, STEPS[4]], f"{CHAIN.replace('Tell', 'Register')} >> Tell")


def versions() -> list[dict[str, Any]]:
    client = boto3.client("sagemaker")
    listed = client.list_model_packages(ModelPackageGroupName="demo-tiny", SortOrder="Ascending")
    return [
        client.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        for item in listed["ModelPackageSummaryList"]
    ]


def commands(shown: str) -> list[str]:
    """What a run proposes: a line each, without the `cd` before them."""
    lines = shown[shown.index("Next:\n") :].splitlines()[1:]
    assert lines[0].startswith("  cd ")
    return [line.partition("  # ")[0].strip() for line in lines[1:]]


def ends_well(tiny: Tiny, command: str) -> bool:
    """Whether a proposed command works as it stands; pages are opened, and closed."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"cd {shlex.quote(str(tiny.root))} && exec {command}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tiny.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if shlex.split(command)[-1] == "ui":
        assert process.stdout
        opened = next((line for line in process.stdout if line.startswith("MLflow: http")), None)
        process.terminate()
        process.wait()
        return opened is not None
    said = process.communicate()
    assert process.returncode == 0, said
    return True


def test_a_failed_run_names_what_it_registered(tiny: Tiny) -> None:
    failed = retrain(tiny, "run", "--param", "Fails=yes")
    assert failed.returncode == 2, failed.stdout
    assert failed.stderr.splitlines()[-1].startswith("Error: step Tell failed: ")
    assert "1 model version registered\nversion      candidate  status" in failed.stdout
    assert "demo-tiny/1" in failed.stdout
    (version,) = versions()
    assert version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation.json")
    # The same parameters would fail again.
    proposed = commands(failed.stdout)
    assert [shlex.split(command)[-1] for command in proposed] == ["1", "plan", "ui"]
    assert all(ends_well(tiny, command) for command in proposed[:2])


def test_a_model_is_registered_once(tiny: Tiny) -> None:
    """Its training is a cache hit, and so is the job that adds the inference code to it."""
    for _ in range(2):
        again = retrain(tiny, "run")
        assert again.returncode == 0, again.stderr
        said = re.search(r"(Nothing new registered: .*) \((.*): cache hits\)", again.stdout)
        assert said is not None
        assert said[1] == "Nothing new registered: the models are in the registry already"
        assert set(said[2].split(", ")) == {"Preprocess", "Train", "Train-RepackModel", "Evaluate"}
    assert len(versions()) == 1


def test_another_training_is_another_version_and_what_is_proposed_works(tiny: Tiny) -> None:
    other = retrain(tiny, "run", "--param", "Rows=4")
    assert other.returncode == 0, other.stderr
    assert len(versions()) == 2
    proposed = commands(other.stdout)
    assert [shlex.split(command)[-1] for command in proposed] == ["2", "Epochs=40", "plan", "ui"]
    assert "--param Rows=4" in proposed[1]
    assert all(ends_well(tiny, command) for command in proposed)
    assert len(versions()) == 3


def test_two_runs_at_the_same_moment_register_one_version_each(tiny: Tiny) -> None:
    """Each trains a model of its own."""
    before = len(versions())
    both = [
        subprocess.Popen(
            [*shlex.split(f"{sys.executable} -m retraining run --param Rows={rows}")],
            cwd=tiny.root,
            env={"PATH": os.environ["PATH"], "HOME": str(tiny.root)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for rows in (5, 6)
    ]
    assert [process.wait() for process in both] == [0, 0]
    new = versions()[before:]
    assert len(new) == 2
    assert len({item["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] for item in new}) == 2


def test_a_failed_gate_proposes_what_passes(tiny: Tiny) -> None:
    failed = retrain(tiny, "run", "--param", "MinimumAccuracy=0.95")
    assert failed.returncode == 2
    proposed = commands(failed.stdout)
    assert "--param MinimumAccuracy=0.9" in proposed[0]
    assert ends_well(tiny, proposed[0])


def test_a_disabled_model_proposes_no_parameter(tiny: Tiny) -> None:
    model = MODEL | {"registry": REGISTRY, "lambda": TELL}
    disabled = {
        "source_directory": "models/tiny",
        "disabled": True,
        "train": MODEL["train"] | {"hyperparams": {"epochs": {"parameter": "OtherEpochs", "default": 3}}},
    }
    fixed = model | {"train": MODEL["train"] | {"hyperparams": {"depth": 4}}}
    tiny.configure(fixed, [*STEPS[:4], REGISTER, STEPS[4]], f"{CHAIN.replace('Tell', 'Register')} >> Tell")
    (tiny.root / "models" / "a_disabled").mkdir()
    other = {"conf": {"models": {"a_disabled": disabled}}}
    tiny.write("models/a_disabled/conf.yaml", yaml.safe_dump(other))
    ran = retrain(tiny, "run")
    shutil.rmtree(tiny.root / "models" / "a_disabled")
    assert ran.returncode == 0, ran.stderr
    assert "OtherEpochs" not in ran.stdout


def test_a_place_and_an_environment_are_kept_in_what_is_proposed(tiny: Tiny) -> None:
    configure(tiny, REGISTER)
    tiny.write("conf/dev.yaml", "description: another one\n")
    ran = retrain(tiny, "--env", "dev", "run")
    assert ran.returncode == 0, ran.stderr
    proposed = commands(ran.stdout)
    assert all(command.endswith(" --env dev") for command in proposed)
    assert ends_well(tiny, next(command for command in proposed if "plan" in command))


def test_a_registration_by_sagemaker_is_noted(tiny: Tiny) -> None:
    configure(tiny, {"step_name": "Register", "step_class": "RegisterModel"})
    checked = retrain(tiny, "check")
    assert checked.returncode == 0, checked.stderr
    assert (
        "step 'Register': SageMaker's RegisterModel adds a version in each run, also where nothing was "
        "trained: for each model once, write step_class: Lambda, step_type: registry"
    ) in checked.stderr
    configure(tiny, REGISTER)
    assert "Register" not in retrain(tiny, "check").stderr


def test_the_function_that_registers_is_there(tiny: Tiny, tmp_path: Path) -> None:
    function = tiny.root / "lambdas" / "register_models.py"
    moved = shutil.move(function, tmp_path)
    refused = retrain(tiny, "check")
    shutil.move(moved, function)
    assert refused.returncode == 2
    assert "step 'Register': step_type: no file 'register_models.py' in lambdas" in refused.stderr
