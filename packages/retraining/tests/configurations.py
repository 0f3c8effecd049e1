"""A small good configuration of two models, and ways to make it bad."""

import re
from pathlib import Path

import pytest

from retraining.config import configuration
from retraining.errors import UserError

PROJECT = "conf/project.yaml"
CHURN = "models/churn/conf.yaml"
TUNED = "models/tuned/conf.yaml"
TEXTS = {
    PROJECT: """\
project: demo
description: A project under test
SMP_ACCOUNTID: '111122223333'
SMP_REGION: eu-west-1
SMP_S3BUCKETNAME: demo-bucket
SMP_ROLE: arn:aws:iam::111122223333:role/demo
SMP_MODEL_CONFIGPATH: models/*/conf.yaml
SMP_SUBNETS: []
SMP_SECURITYGROUPS: []
SMP_MODELNAME: churn
kms_key: null
schedule: cron(0 3 ? * MON *)
tags: {team: data}
retry: [{exceptions: [Step.THROTTLING], max_attempts: 3}]
local: {sagemaker_port: 8571, aws_port: 8572, mlflow_port: 8573}
""",
    CHURN: """\
conf:
  models:
    churn:
      source_directory: models/churn
      preprocess:
        image_uri: tensorflow-training:2.11.0-cpu-py39
        entry_point: preprocess.py
        instance_type: {parameter: MachineType, default: ml.m5.xlarge}
        max_runtime_seconds: 600
        env: {MODE: fast}
        tags: {stage: data}
        arguments: {folds: {parameter: Folds, default: 3}}
        channels:
          raw:
            dataFiles: [{sourceName: raw, fileName: s3://SMP_S3BUCKETNAME/raw/}]
        outputs: [features, test]
      train:
        image_uri: tensorflow-training:2.11.0-cpu-py39
        entry_point: train.py
        instance_count: 1
        volume_size_in_gb: 30
        max_runtime_seconds: 3600
        use_spot_instances: true
        max_wait_seconds: 7200
        channels: features
        hyperparams: {epochs: {parameter: Epochs, default: 4}}
        metric_definitions: {recall: 'recall=([0-9.]+)'}
      transform:
        entry_point: inference.py
        strategy: MultiRecord
        split_type: Line
        content_type: text/csv
        channels: test
      evaluate:
        image_uri: tensorflow-training:2.11.0-cpu-py39
        entry_point: evaluate.py
        channels: {test: , model: }
        outputs: [report]
      gate:
        output: report
        file: report.json
        json_path: recall
        minimum: {parameter: MinimumRecall, default: 0.7}
      lambda:
        entry_point: tell.py
        timeout_seconds: 60
      registry:
        model_package_group: churn
        InferenceSpecification:
          image_uri: tensorflow-inference:2.11.0-cpu
          supported_content_types: [text/csv]
          supported_response_MIME_types: [application/json]
          approval_status: Approved
  sagemakerPipeline:
    pipelineName: SMP_PROJECT-pipeline
    models:
      churn:
        steps:
          - {step_name: Prepare, step_class: Processing, step_type: preprocess, enable_cache: true}
          - {step_name: Train, step_class: Training, chain_input_source_step: [Prepare]}
          - {step_name: Create, step_class: CreateModel}
          - {step_name: Predict, step_class: Transform, chain_input_source_step: [Prepare]}
          - {step_name: Measure, step_class: Metrics, chain_input_source_step: [Prepare, Train]}
          - {step_name: Gate, step_class: Condition, chain_input_source_step: [Measure], else_step: Stop}
          - {step_name: Stop, step_class: Fail, error_message: too weak}
          - {step_name: Register, step_class: Lambda, step_type: registry}
          - {step_name: Tell, step_class: Lambda}
      tuned:
        steps:
          - {step_name: Search, step_class: Tuning}
    dependencies:
      - Prepare >> Train >> Create >> Predict >> Measure >> Gate >> Register >> Tell
      - Register >> Search
""",
    TUNED: """\
conf:
  models:
    tuned:
      source_directory: models/tuned
      train:
        image_uri: pytorch-training:2.0.0-cpu-py310
        entry_point: train.py
        hyperparams: {layers: 2}
        metric_definitions: {loss: 'loss=([0-9.]+)'}
      tune:
        objective_metric_name: loss
        objective_type: Minimize
        max_jobs: 4
        hyperparameter_ranges:
          rate: {min: 0.001, max: 0.1, scaling: Logarithmic}
          layers: {min: 1, max: 4}
""",
}
# What each line of an error begins with.
PLACE = re.compile(r"([\w./*-]+\.yaml(:\d+)?|environment variable SMP_\w+|parameters): \S")
SCRIPTS = (
    *(f"models/churn/{name}.py" for name in ("preprocess", "train", "evaluate", "inference")),
    "models/tuned/train.py",
    "lambdas/tell.py",
    "lambdas/champion.py",
    "lambdas/register_models.py",
)


def make(root: Path) -> Path:
    """The good configuration, as a project in `root`."""
    for name in SCRIPTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("def handler(event, context): ...\n" if "lambdas" in name else "")
    for name, text in TEXTS.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


def edit(root: Path, file: str, old: str, new: str) -> int:
    """Replace `old`; the line of the sign ``@@`` in `new`, which is taken out, or that of `old`."""
    path = root / file
    text = path.read_text() if path.exists() else ""
    assert text.count(old) >= 1, old
    start = text.index(old)
    before = text[:start] + new[: max(new.find("@@"), 0)]
    path.write_text(text.replace(old, new.replace("@@", ""), 1))
    return before.count("\n") + 1


def lines_of(root: Path, environment: str | None = None) -> list[str]:
    """The lines of the error that loading ends with, each beginning with a place."""
    with pytest.raises(UserError) as caught:
        configuration.load(root, environment)
    lines = str(caught.value).splitlines()
    for line in lines:
        assert PLACE.match(line), line
    return lines


def refused(root: Path, file: str, old: str, new: str) -> list[str]:
    """The lines after one edit, with ``{here}`` for the file and line of the edit."""
    place = f"{file}:{edit(root, file, old, new)}:"
    return [line.replace(place, "{here}:") for line in lines_of(root)]


def written_out(text: str) -> str:
    """``<x * 3>`` as ``xxx``, ``<t x 2>`` as ``t0: x, t1: x``."""
    text = re.sub(r"<(.) \* (\d+)>", lambda match: match[1] * int(match[2]), text)
    return re.sub(
        r"<(\w) x (\d+)>", lambda match: ", ".join(f"{match[1]}{n}: x" for n in range(int(match[2]))), text
    )
