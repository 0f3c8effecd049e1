"""A small project that uses every section, and what a compilation of it shows."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from projects import TEMPLATE

from retraining.compile.definition import Definition, compile_pipeline
from retraining.config import configuration
from retraining.config.configuration import Configuration

IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/own:1"
ABSENT = "<absent>"
SCRIPTS = ("preprocess.py", "train.py", "evaluate.py", "inference.py", "other.py", "below/other.py")

PROJECT = """
project: demo
SMP_ACCOUNTID: "111122223333"
SMP_REGION: eu-west-1
SMP_S3BUCKETNAME: demo-bucket
SMP_ROLE: arn:aws:iam::111122223333:role/demo-role
SMP_MODEL_CONFIGPATH: models/first/conf.yaml
"""

MODELS = f"""
conf:
  models:
    first:
      source_directory: models/first
      preprocess:
        image_uri: {IMAGE}
        entry_point: preprocess.py
        arguments: {{fraction: 0.5}}
        channels:
          raw: {{dataFiles: [{{sourceName: raw, fileName: s3://demo-bucket/raw/}}]}}
        outputs: [train, test]
      train:
        image_uri: {IMAGE}
        entry_point: train.py
        hyperparams: {{epochs: 1, seed: 1}}
        metric_definitions: {{AUC: "AUC=([0-9.]+);"}}
        channels:
          train:
          more: {{dataFiles: [{{sourceName: more, fileName: s3://demo-bucket/more/}}]}}
      tune:
        objective_metric_name: AUC
        hyperparameter_ranges:
          epochs: {{min: 1, max: 9}}
          rate: {{min: 0.1, max: 0.9}}
          depth: {{values: [2, 4]}}
      transform:
        channels: {{test: }}
      evaluate:
        image_uri: {IMAGE}
        entry_point: evaluate.py
        channels:
          transform:
          truth: {{dataFiles: [{{sourceName: truth, fileName: s3://demo-bucket/truth/}}]}}
        outputs: [evaluation]
      gate:
        output: evaluation
        file: evaluation.json
        json_path: gate.auc
        minimum: 0.5
      lambda:
        entry_point: announce.py
      registry:
        InferenceSpecification:
          image_uri: {IMAGE}
          supported_content_types: [text/csv]
          supported_response_MIME_types: [text/csv]
    second:
      source_directory: models/first
      preprocess: {{image_uri: {IMAGE}, entry_point: preprocess.py}}
      train: {{image_uri: {IMAGE}, entry_point: train.py}}
      evaluate: {{image_uri: {IMAGE}, entry_point: evaluate.py}}
  sagemakerPipeline:
    pipelineName: keys
    models:
      first:
        steps:
          - {{step_name: Preprocess, step_class: Processing, step_type: preprocess, enable_cache: true}}
          - {{step_name: Tune, step_class: Tuning, chain_input_source_step: [Preprocess]}}
          - {{step_name: Train, step_class: Training, chain_input_source_step: [Preprocess]}}
          - {{step_name: Create, step_class: CreateModel}}
          - {{step_name: Transform, step_class: Transform, chain_input_source_step: [Preprocess]}}
          - {{step_name: Measure, step_class: Metrics, chain_input_source_step: [Transform]}}
          - {{step_name: Gate, step_class: Condition, chain_input_source_step: [Measure]}}
          - {{step_name: Call, step_class: Lambda, chain_input_source_step: [Measure]}}
          - {{step_name: Register, step_class: RegisterModel}}
          - {{step_name: Stop, step_class: Fail, error_message: not good enough, disabled: true}}
      second:
        steps:
          - {{step_name: SecondPreprocess, step_class: Processing, step_type: preprocess}}
          - {{step_name: Second, step_class: Training}}
          - {{step_name: SecondMeasure, step_class: Metrics, chain_input_source_step: [Second]}}
    dependencies:
      - Preprocess >> Train >> Create >> Transform >> Measure >> Gate >> Call >> Register
"""

# A model that only another glob finds.
EXTRA = f"""
conf:
  models:
    extra: {{source_directory: models/first, train: {{image_uri: {IMAGE}, entry_point: train.py}}}}
"""


def path_of(text: str) -> list[str | int]:
    """``a/b/0`` as ``["a", "b", 0]``."""
    return [int(part) if part.isdigit() else part for part in text.split("/")]


def documents(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The base configuration as ``{"project": ..., "conf": ...}`` with values set at their paths."""
    content = {"project": yaml.safe_load(PROJECT), **yaml.safe_load(MODELS)}
    for text, value in settings.items():
        parts = path_of(text)
        place: Any = content
        for part, following in pairwise(parts):
            inner: Any = [] if isinstance(following, int) else {}
            if isinstance(place, list):
                place += [inner] * (part == len(place))
            elif place.get(part) is None:
                place[part] = inner
            place = place[part]
        if isinstance(place, list) and parts[-1] == len(place):
            place.append(None)
        place[parts[-1]] = deepcopy(value)
    return content


def write(folder: Path, content: dict[str, Any]) -> Path:
    """The project's files in an empty folder."""
    for script in SCRIPTS:
        for source in ("first", "elsewhere"):
            path = folder / "models" / source / script
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"print({source!r}, {script!r})\n")
    (folder / "conf").mkdir()
    (folder / "lambdas").mkdir()
    for function in ("announce.py", "register.py", "champion.py"):
        source = "def handler(event, context): return {}\n\n\nmain = handler\n"
        (folder / "lambdas" / function).write_text(source)
    (folder / "pipeline.py").write_text((TEMPLATE / "pipeline.py").read_text())
    (folder / "conf" / "project.yaml").write_text(yaml.safe_dump(content["project"], sort_keys=False))
    model = yaml.safe_dump({"conf": content["conf"]}, sort_keys=False)
    (folder / "models" / "first" / "conf.yaml").write_text(model)
    (folder / "models" / "elsewhere" / "conf.yaml").write_text(EXTRA)
    return folder


@dataclass(frozen=True)
class Compiled:
    """A loaded and compiled project."""

    configuration: Configuration
    definition: Definition

    @cached_property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.definition.text)
        return content

    @cached_property
    def steps(self) -> dict[str, Any]:
        """All steps by name, those behind conditions too."""
        return {step["Name"]: step for step in _flat(self.content["Steps"])}

    def at(self, place: str) -> Any:
        """The value at a place such as ``Train/Arguments/InputDataConfig/ChannelName=train/InputMode``."""
        first, *parts = place.split("/")
        value: Any = self.content if first == "pipeline" else self.steps.get(first, ABSENT)
        for part in parts:
            key, equals, wanted = part.partition("=")
            if isinstance(value, list):
                matching = (item for item in value if str(item.get(key)) == wanted) if equals else None
                value = (
                    next(matching, ABSENT)
                    if matching
                    else (value[int(part)] if int(part) < len(value) else ABSENT)
                )
            else:
                value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
        return value

    def uploaded(self, uri: str) -> dict[str, bytes]:
        """The objects below a URI, by the rest of their keys."""
        objects = {f"s3://{bucket}/{key}": body for (bucket, key), body in self.definition.uploads.items()}
        return {key[len(uri) :]: body for key, body in objects.items() if key.startswith(uri)}


def _flat(steps: list[Any]) -> list[Any]:
    flat = []
    for step in steps:
        flat.append(step)
        if step["Type"] == "Condition":
            flat += _flat([*step["Arguments"]["IfSteps"], *step["Arguments"]["ElseSteps"]])
    return flat


def compiled(folder: Path, settings: Mapping[str, Any]) -> Compiled:
    """The base project with `settings`, compiled."""
    loaded = configuration.load(write(folder, documents(settings)))
    return Compiled(loaded, compile_pipeline(loaded))
