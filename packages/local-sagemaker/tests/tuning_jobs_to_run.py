"""Requests of small tuning jobs: a program in script mode, as AWS's framework images run it."""

import io
import tarfile
from typing import Any

from pipelines_to_run import ROLE

from local_sagemaker.core.settings import Settings

METRIC = {"Name": "loss", "Regex": "loss=([-+0-9.e]+)"}
# The loss is lowest, 0, at x = 0.3.
BOWL = "print('loss=%r' % ((float(values['x']) - 0.3) ** 2))"
_HEAD = """\
import json, os, sys, time
values = json.load(open("/opt/ml/input/config/hyperparameters.json"))
with open(os.environ["SM_MODEL_DIR"] + "/arguments.json", "w") as file:
    json.dump({"arguments": sys.argv[1:], "values": values, "hps": json.loads(os.environ["SM_HPS"])}, file)
"""


def put_source(settings: Settings, key: str, body: str, **files: str) -> str:
    """Upload a folder of `train.py`, whose last lines are `body`, and `files`; its URI."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in {"train.py": _HEAD + body + "\n", **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    settings.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=content.getvalue())
    return f"s3://{settings.bucket}/{key}"


def number(name: str, low: float, high: float, scaling: str = "Linear") -> dict[str, str]:
    return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}


X = {"ContinuousParameterRanges": [number("x", 0.0, 1.0)]}


def arguments(
    source: str,
    output: str,
    jobs: int = 3,
    parallel: int = 1,
    strategy: str = "Random",
    ranges: dict[str, Any] | None = None,
    objective: str = "Minimize",
    static: dict[str, str] | None = None,
    limits: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    **config: Any,
) -> dict[str, Any]:
    """The request without a name: `config` are more members of HyperParameterTuningJobConfig."""
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": objective, "MetricName": METRIC["Name"]},
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": jobs,
                "MaxParallelTrainingJobs": parallel,
                **(limits or {}),
            },
            "ParameterRanges": ranges or X,
            "RandomSeed": 7,
            **config,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [METRIC],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": output},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "StaticHyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": source,
                **(static or {}),
            },
            **(training or {}),
        },
    }
