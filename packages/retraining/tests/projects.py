"""Projects to test with: one or several of the examples, with ports of their own."""

import shutil
import sys
from pathlib import Path

import yaml

from local_sagemaker.testing import free_ports
from retraining.scaffold.source import EXAMPLES

TEMPLATE = Path(__file__).parents[3] / "{{cookiecutter.project_slug}}"
COMMAND = [sys.executable, "-m", "retraining"]
# Of the example `scarcegan`.
CANDIDATES = ["best-recall", "best-precision", "best-f1", "lowest-loss"]
STEPS = ["Preprocess", "Train", "Evaluate", "QualityGate", "Register"]


def make_project(folder: Path, main: str = "scarcegan", *others: str) -> Path:
    """A project of these models, with a configuration that does not depend on the answers of the template."""
    ignored = shutil.ignore_patterns("__pycache__", "tests", "pipeline.yaml")
    (folder / "conf").mkdir(parents=True)
    for name in (main, *others):
        shutil.copytree(EXAMPLES / name, folder / "models" / name, ignore=ignored)
        if (EXAMPLES / name / "pipeline.yaml").is_file():
            shutil.copy(EXAMPLES / name / "pipeline.yaml", folder / "conf")
    shutil.copytree(TEMPLATE / "lambdas", folder / "lambdas", ignore=ignored)
    shutil.copy(TEMPLATE / "pipeline.py", folder / "pipeline.py")
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
