"""A project whose jobs take no time, on its own local services, for tests that run it many times."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from projects import COMMAND, make_project

from local_sagemaker.daemon import stack
from retraining.compile import definition
from retraining.config import configuration
from retraining.planning import plan
from retraining.planning.plan import Plan
from retraining.runs import arguments, deployment, executions, targets
from retraining.runs.selection import ALL_STEPS, Choice

IMAGE = "sagemaker-scikit-learn:1.4-2-cpu-py3"
WRITE = 'import os, sys\nos.makedirs({0!r}, exist_ok=True)\nopen({0!r} + "/{1}", "w").write({2!r})\n'
OUTPUT = "/opt/ml/processing/output/"
SCRIPTS = {
    "preprocess.py": "import rows\n"
    + WRITE.format(f"{OUTPUT}train", "a.csv", "1")
    + WRITE.format(f"{OUTPUT}test", "a.csv", "2"),
    "rows.py": "ROWS = 3\n",
    "train.py": WRITE.format("/opt/ml/model", "model.txt", "model"),
    "evaluate.py": WRITE.format(f"{OUTPUT}evaluation", "evaluation.json", '{"accuracy": 0.9}'),
}
MODEL = {
    "source_directory": "models/tiny",
    "preprocess": {
        "image_uri": IMAGE,
        "entry_point": "preprocess.py",
        "instance_type": "ml.m5.large",
        "arguments": {"rows": {"parameter": "Rows", "default": 3}},
        "outputs": ["train", "test"],
    },
    "train": {
        "image_uri": IMAGE,
        "entry_point": "train.py",
        "instance_type": {"parameter": "TrainingInstanceType", "default": "ml.m5.large"},
        "channels": {"train": None},
        "hyperparams": {"epochs": {"parameter": "Epochs", "default": 20}, "depth": 4},
    },
    "evaluate": {
        "image_uri": IMAGE,
        "entry_point": "evaluate.py",
        "instance_type": "ml.m5.large",
        "channels": {"model": None, "test": None},
        "outputs": ["evaluation"],
    },
    "gate": {
        "output": "evaluation",
        "file": "evaluation.json",
        "json_path": "accuracy",
        "minimum": {"parameter": "MinimumAccuracy", "default": 0.5},
    },
    "lambda": {"entry_point": "tell.py", "timeout_seconds": 60, "outputs": ["told"]},
}
STEPS = [
    {"step_name": "Preprocess", "step_class": "Processing", "step_type": "preprocess", "enable_cache": True},
    {
        "step_name": "Train",
        "step_class": "Training",
        "enable_cache": True,
        "chain_input_source_step": ["Preprocess"],
    },
    {
        "step_name": "Evaluate",
        "step_class": "Metrics",
        "enable_cache": True,
        "chain_input_source_step": ["Train", "Preprocess"],
    },
    {"step_name": "Gate", "step_class": "Condition", "chain_input_source_step": ["Evaluate"]},
    {"step_name": "Tell", "step_class": "Lambda"},
]
CHAIN = "Evaluate >> Gate >> Tell"
JOBS = ("Preprocess", "Train", "Evaluate")


class Tiny:
    """A project whose three jobs take no time, on its own local services."""

    def __init__(self, root: Path) -> None:
        self.root = make_project(root)
        shutil.rmtree(root / "models")
        shutil.rmtree(root / "lambdas")
        (root / "lambdas").mkdir()
        (root / "models" / "tiny").mkdir(parents=True)
        settings = yaml.safe_load((root / "conf" / "project.yaml").read_text())
        (root / "conf" / "project.yaml").write_text(yaml.safe_dump(settings | {"SMP_MODELNAME": "tiny"}))
        self.reset()

    def reset(self) -> None:
        """The sources as they were at first."""
        for name, text in SCRIPTS.items():
            self.write(f"models/tiny/{name}", text)
        self.write("lambdas/tell.py", "def handler(event, context):\n    return {'told': 'yes'}\n")
        self.configure(MODEL, STEPS, CHAIN)

    def configure(self, model: dict[str, Any], steps: list[dict[str, Any]], chain: str) -> None:
        pipeline = {
            "pipelineName": "demo-tiny",
            "models": {"tiny": {"steps": steps}},
            "dependencies": [chain],
        }
        for path, conf in {
            "models/tiny/conf.yaml": {"models": {"tiny": model}},
            "conf/pipeline.yaml": {"sagemakerPipeline": pipeline},
        }.items():
            self.write(path, yaml.safe_dump({"conf": conf}, sort_keys=False))

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    @property
    def configuration(self) -> configuration.Configuration:
        return configuration.load(self.root)

    def plan(self, *given: str, choice: Choice = ALL_STEPS) -> Plan:
        return plan.make_plan(self.configuration, "local", list(given), choice)

    def run(self, *given: str) -> dict[str, bool]:
        """Run the pipeline; whether each step was a cache hit."""
        project = self.configuration
        compiled = definition.compile_pipeline(project)
        deployment.deploy(project, compiled)
        values = arguments.parse(project, list(given))
        *_, last = executions.watch(executions.start(compiled.name, {**values, "GitCommit": "unknown"}))
        assert last.status == "Succeeded", last.failure
        return {step.name: step.cache_hit for step in last.steps}

    def comes_true(self, *given: str) -> dict[str, tuple[str, ...]]:
        """Plan, run, and compare step by step; the reasons of the steps that ran, as planned."""
        planned = self.plan(*given)
        ran = self.run(*given)
        outcomes = {step.name: step.cache for step in planned.steps if step.change != "removed"}
        assert {name: outcomes[name] == "hit" for name in ran} == ran
        return {step.name: step.reasons for step in planned.steps if step.cache == "miss"}


@contextmanager
def running(root: Path) -> Iterator[Tiny]:
    """The project in `root` with its services running, and boto3 pointing at them."""
    project = Tiny(root)
    settings = targets.local_settings(project.configuration)
    stack.up(settings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.environment().items():
            patch.setenv(name, value)
        # Another test's default session would keep that test's credentials.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield project
    stack.down(settings)


def retrain(tiny: Tiny, *arguments_: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments_],
        cwd=tiny.root,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tiny.root), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def step(planned: Plan, name: str) -> plan.PlannedStep:
    return next(step for step in planned.steps if step.name == name)
