"""Files in the format of AWS's dynamic SageMaker pipelines framework, and what they compile to."""

import json
import re
from itertools import pairwise
from typing import Any

from keyed_project import Compiled

VARIABLES = {
    "SMP_ACCOUNTID": "111122223333",
    "SMP_REGION": "eu-west-1",
    "SMP_S3BUCKETNAME": "wine-bucket",
    "SMP_ROLE": "arn:aws:iam::111122223333:role/wine",
    "SMP_MODEL_CONFIGPATH": "*/conf/conf.yaml",
    "SMP_SUBNETS": "'subnet-0a, subnet-0b'",
    "SMP_SECURITYGROUPS": "sg-0c",
}
PROJECT = """
conf:
  s3Bucket: SMP_S3BUCKETNAME
  modelConfigFilePath: SMP_MODEL_CONFIGPATH
  sagemakerNetworkSecurity:
    role: SMP_ROLE
    subnets: SMP_SUBNETS
    security_groups_id: SMP_SECURITYGROUPS
"""
IMAGE = "SMP_ACCOUNTID.dkr.ecr.SMP_REGION.amazonaws.com/wine:3"
REGISTRY = f"""
      registry:
        ModelRepack: "False"
        InferenceSpecification:
          image_uri: "{IMAGE}"
          supported_content_types:
            - application/json
          supported_response_MIME_types:
            - application/json
          approval_status: PendingManualApproval
"""


def scripts(folder: str, *names: str) -> dict[str, str]:
    return {f"{folder}/{name}": "print('here')\n" for name in names}


def types(compilation: Compiled) -> dict[str, str]:
    return {name: step["Type"] for name, step in compilation.steps.items()}


def explicit(compilation: Compiled) -> set[tuple[str, str]]:
    """Edges that stand in DependsOn."""
    return {
        (before, name) for name, step in compilation.steps.items() for before in step.get("DependsOn", [])
    }


def referred(compilation: Compiled) -> set[tuple[str, str]]:
    """Edges that follow from what a step reads."""
    return {
        (before, name)
        for name, step in compilation.steps.items()
        for before in re.findall(r'"Get": "Steps\.([A-Za-z0-9_-]+)\.', json.dumps(step["Arguments"]))
    }


def inputs(compilation: Compiled, step: str) -> dict[str, tuple[str, Any]]:
    """Container path and URI of what a processing job reads, by name, without its code."""
    listed = compilation.at(f"{step}/Arguments/ProcessingInputs")
    return {
        item["InputName"]: (item["S3Input"]["LocalPath"], item["S3Input"]["S3Uri"])
        for item in listed
        if item["InputName"] not in ("code", "entrypoint")
    }


def outputs(compilation: Compiled, step: str) -> dict[str, str]:
    listed = compilation.at(f"{step}/Arguments/ProcessingOutputConfig/Outputs")
    return {item["OutputName"]: item["S3Output"]["LocalPath"] for item in listed}


def channels(compilation: Compiled, step: str) -> dict[str, Any]:
    listed = compilation.at(f"{step}/Arguments/InputDataConfig")
    return {
        item["ChannelName"]: item["DataSource"]["S3DataSource"]["S3Uri"]
        for item in listed
        if item["ChannelName"] not in ("code", "sm_drivers")
    }


def output(step: str, name: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}


def chain(*names: str) -> set[tuple[str, str]]:
    return set(pairwise(names))


def red(model: str = "red", pipeline: str = "") -> str:
    """One model with all sections of the framework."""
    return f"""
conf:
  models:
    {model}:
      source_directory: {model}/scripts
      preprocess:
        image_uri: {IMAGE}
        entry_point: split.py
        channels:
          train:
            dataFiles:
              - sourceName: bottles
                fileName: s3://SMP_S3BUCKETNAME/wine/bottles.csv
      train:
        image_uri: {IMAGE}
        entry_point: fit.py
      transform:
        image_uri: {IMAGE}
        entry_point: taste.py
        channels:
          train:
      evaluate:
        image_uri: {IMAGE}
        entry_point: judge.py
        channels: train
        content_type: application/json
{REGISTRY}
{pipeline}
"""


def steps(model: str) -> str:
    return f"""
      {model}:
        steps:
          - step_name: {model}-Split
            step_class: Processing
            step_type: preprocess
            enable_cache: True
          - step_name: {model}-Fit
            step_class: Training
            enable_cache: False
            chain_input_source_step:
              - {model}-Split
          - step_name: {model}-Model
            step_class: CreateModel
          - step_name: {model}-Taste
            step_class: Transform
            enable_cache: True
            chain_input_source_step:
              - {model}-Split
            chain_input_additional_prefix: held_out/x.csv
          - step_name: {model}-Judge
            step_class: Metrics
            enable_cache: True
            chain_input_source_step:
              - {model}-Split
              - {model}-Taste
          - step_name: {model}-Shelf
            step_class: RegisterModel
"""


def order(model: str) -> str:
    names = ("Split", "Fit", "Model", "Taste", "Judge", "Shelf")
    return "      - " + " >> ".join(f"{model}-{name}" for name in names)


def pipeline(*models: str) -> str:
    listed = "".join(steps(model) for model in models)
    orders = "\n".join(order(model) for model in models)
    return (
        f"  sagemakerPipeline:\n    pipelineName: wine\n    models:\n{listed}\n    dependencies:\n{orders}\n"
    )
