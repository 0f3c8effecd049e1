"""What the services keep from other users, and from whoever reads their environments."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from jobs_to_run import Processing
from wheels import make_wheel

from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import programs, stack
from local_sagemaker.testing import make_settings

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "hidden-key",
    "AWS_SESSION_TOKEN": "hidden-token",
    "GITHUB_TOKEN": "hidden-github",
    "HTTPS_PROXY": "http://me:hidden-word@proxy.example:1",
    "http_proxy": "http://me:hidden-word@proxy.example:1",
    "PIP_EXTRA_INDEX_URL": "https://me:hidden-word@index.example",
}


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = make_settings(tmp_path / ".local")
    yield settings
    stack.down(settings)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode()


def pids(settings: Settings) -> list[int]:
    return [service["pid"] for service in stack.status(settings)["services"]]


def test_no_secret_is_in_an_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the root's own token: every function and job can read what a server of the same user holds."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    wheels = settings.root.parent / "wheels"
    wheels.mkdir()
    make_wheel(wheels)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    stack.up(settings)
    for pid in pids(settings):
        shown = environment_of(pid)
        assert "hidden-" not in shown
        assert "PIP_" not in shown
        assert settings.session_token not in shown
        assert settings.session_token not in Path(f"/proc/{pid}/cmdline").read_text()
    assert "hidden-" not in repr(settings)
    # What pip needs came by another way.
    processing = Processing(settings, settings.client("sagemaker"), settings.client("s3"))
    processing.put("code/requirements.txt", b"tiny-dependency\n")
    driver = (
        b"python install_requirements.py requirements.txt && python -c 'import tiny_dependency; print(1)'"
    )
    processing.put("code/run.sh", driver)
    job = processing.run(
        "installs",
        "",
        AppSpecification={"ContainerEntrypoint": ["sh", "/opt/ml/processing/input/code/run.sh"]},
        ProcessingInputs=[
            {
                "InputName": "code",
                "S3Input": {
                    "S3Uri": f"s3://{settings.bucket}/code",
                    "LocalPath": "/opt/ml/processing/input/code",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
    )
    assert "installing requirements: tiny-dependency" in processing.log("installs"), job
    assert "Successfully installed tiny-dependency" in processing.log("installs"), job


def test_the_folder_is_the_users_alone(settings: Settings) -> None:
    """Also one that an earlier version made for everybody."""
    settings.root.mkdir(mode=0o755)
    stack.up(settings)
    assert mode(settings.root) == 0o700
    assert mode(settings.root / "token") == 0o600


def test_services_without_the_token_are_started_again(settings: Settings) -> None:
    """Those of a version that checked none, for example, which answer anybody."""
    stack.up(settings)
    before = pids(settings)
    record = settings.root / "services.json"
    known = json.loads(record.read_text())
    del known["token"]
    record.write_text(json.dumps(known))
    (settings.root / "token").unlink()
    stack.up(settings)
    assert not set(before) & set(pids(settings))
    settings.client("sagemaker").list_models()
    settings.client("s3").list_buckets()


def test_the_token_outlives_stops_and_resets(settings: Settings) -> None:
    """A shell that has it goes on; another root has another one."""
    stack.up(settings)
    token = settings.session_token
    client = settings.client("s3")
    stack.reset(settings)
    stack.up(settings)
    assert settings.session_token == token
    client.list_buckets()


def test_a_root_that_was_made_again_has_another_token(settings: Settings) -> None:
    stack.up(settings)
    before = settings.client("s3")
    stack.down(settings)
    (settings.root / "token").unlink()
    with pytest.raises(LocalError, match="has no session token yet"):
        settings.client("s3")
    stack.up(settings)
    settings.client("s3").list_buckets()
    with pytest.raises(ClientError, match="`local-sagemaker env`"):
        before.list_buckets()


def test_the_variables_lead_any_program_to_the_services(settings: Settings) -> None:
    stack.up(settings)
    program = "import boto3; boto3.client('s3').list_buckets(); boto3.client('sagemaker').list_models()"
    run = {"capture_output": True, "text": True, "check": False}
    shell = {"PATH": os.environ["PATH"], "HOME": str(settings.root.parent)}
    # None: what the shell of this test has for AWS, and this program's does not
    ours = {name: value for name, value in programs.environment(settings).items() if value is not None}
    done = subprocess.run([sys.executable, "-c", program], env=shell | ours, **run)
    assert done.returncode == 0, done.stderr
    assert programs.run(settings, [sys.executable, "-c", program]) == 0
