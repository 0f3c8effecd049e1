"""The pytest plugin, as a team uses it: in a folder of its own, without any configuration."""

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import json
import os
import pathlib
import boto3
import pytest


def record(settings):
    path = pathlib.Path("root.json")
    roots = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*roots, str(settings.root)]))


def test_a_client(local_sagemaker):
    record(local_sagemaker)
    local_sagemaker.client("s3").put_object(Bucket=local_sagemaker.bucket, Key="a", Body=b"from another test")
    assert local_sagemaker.client("sagemaker").list_pipelines()["PipelineSummaries"] == []


@pytest.mark.parametrize("number", [1, 2])
def test_code_that_makes_its_own_clients(local_sagemaker_env, number):
    record(local_sagemaker_env)
    assert boto3.client("sts").get_caller_identity()["Account"] == local_sagemaker_env.account
    body = boto3.client("s3").get_object(Bucket=local_sagemaker_env.bucket, Key="a")["Body"].read()
    assert body == b"from another test"
    assert boto3.client("sagemaker").list_models()["Models"] == []


def test_the_environment_is_as_before(local_sagemaker):
    assert os.environ["AWS_PROFILE"] == "work"
    assert "AWS_ENDPOINT_URL" not in os.environ
    assert os.environ["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9"
"""


def run_pytest(folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_ours.py").write_text(TESTS)
    done = run_pytest(tmp_path, AWS_PROFILE="work", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    roots = set(json.loads((tmp_path / "root.json").read_text()))
    assert len(roots) == 1, "one start for all tests"
    assert not (Path(roots.pop()) / "services.json").exists(), "the services have ended"


def test_the_variables_of_a_users_own_services_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "test_ours.py").write_text(
        "import os\n\ndef test_ports():\n    assert not [name for name in os.environ if 'LOCAL_' in name]\n"
    )
    names = ("LOCAL_SAGEMAKER_PORT", "LOCAL_AWS_PORT", "LOCAL_MLFLOW_PORT", "LOCAL_SAGEMAKER_HOME")
    places = dict.fromkeys(names, "1")
    done = run_pytest(tmp_path, **places)
    assert "1 passed" in done.stdout, done.stdout


def test_a_session_that_uses_no_fixture_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_nothing():\n"
        "    assert not {'boto3', 'local_sagemaker.core', 'local_sagemaker.daemon'} & set(sys.modules)\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_fixtures_are_listed_with_what_they_are(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--fixtures", "-v")
    assert "local_sagemaker [session scope]" in done.stdout
    assert "local_sagemaker_env" in done.stdout
