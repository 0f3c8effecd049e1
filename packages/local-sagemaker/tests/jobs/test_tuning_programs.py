"""Script mode: programs of training jobs whose request names no entrypoint, as in framework images."""

import io
import json
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipelines_to_run import training, until

from local_sagemaker.core.settings import Settings
from local_sagemaker.jobs import script_mode


def pack(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


def run(
    local: Settings, name: str, content: bytes, program: str, hyperparameters: dict[str, str] | None = None
) -> dict[str, Any]:
    """The training job's description once it has ended."""
    key = f"{name}/source.tar.gz"
    local.client("s3").put_object(Bucket=local.bucket, Key=key, Body=content)
    request = training("", f"s3://{local.bucket}/{name}/out")
    del request["AlgorithmSpecification"]["ContainerEntrypoint"]
    given = {"sagemaker_program": program, "sagemaker_submit_directory": f"s3://{local.bucket}/{key}"}
    client = local.client("sagemaker")
    client.create_training_job(
        TrainingJobName=name, HyperParameters=given | (hyperparameters or {}), **request
    )

    def ended() -> bool:
        status = client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
        return status not in ("InProgress", "Stopping")

    until(ended)
    job: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
    return job


def test_a_shell_script_with_its_arguments(local: Settings, name: str) -> None:
    script = '#!/bin/sh\necho "in $(pwd), $SM_HP_RATE, $SM_CURRENT_HOST:" "$@"\n'
    job = run(local, name, pack({"run.sh": script}), "run.sh", {"rate": "0.10", "on": "true", "w": "a b"})
    assert job["TrainingJobStatus"] == "Completed"
    assert "in /opt/ml/code, 0.1, algo-1: --on True --rate 0.1 -w a b" in local.job_log(name).read_text()


def test_json_texts_are_decoded_as_sdk_v2_sends_them(local: Settings, name: str) -> None:
    job = run(local, name, pack({"a/run.py": "print('here')"}), '"a/run.py"')
    assert job["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"other.py": ""}, "has no file 'run.py', which sagemaker_program names"),
        (None, "cannot be unpacked"),
        ({"../../outside.py": ""}, "cannot be unpacked"),
        ({"run.py": "raise ValueError('bad data')"}, "AlgorithmError: ValueError: bad data"),
    ],
)
def test_what_is_wrong_with_the_program_is_said(
    local: Settings, name: str, files: dict[str, str] | None, reason: str
) -> None:
    job = run(local, name, b"no archive" if files is None else pack(files), "run.py")
    assert job["TrainingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), VALUES, max_size=4))
def test_every_hyperparameter_is_one_argument(given_values: dict[str, str]) -> None:
    own = {script_mode.PROGRAM: "run.py", script_mode.SOURCE: "s3://b/k", script_mode.OBJECTIVE: "loss"}
    words = script_mode.command({"HyperParameters": {**given_values, **own}})[4:]
    assert words[:2] == ["python3", "run.py"]
    shown = [name for name in given_values if not name.startswith("sagemaker_") and name not in own]
    assert [word.lstrip("-") for word in words[2::2]] == [name.lstrip("-") for name in sorted(shown)]
    for name, word in zip(sorted(shown), words[3::2], strict=True):
        try:
            decoded = json.loads(given_values[name])
        except ValueError:
            assert word == given_values[name]
        else:
            assert isinstance(decoded, dict) or word == ("" if decoded is None else str(decoded))
