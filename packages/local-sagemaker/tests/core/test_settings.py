"""The environment of clients, and our own clients: they reach these services whatever the shell has."""

import re
import subprocess
import sys
from pathlib import Path

import botocore
import pytest
from botocore import configprovider

from local_sagemaker.core.settings import Settings, session

_NAME = re.compile(r"""["'](AWS_[A-Z0-9_]+|BOTO[A-Z0-9_]+)["']""")
_PROGRAM = """
import boto3
for name in ("s3", "sts", "sagemaker", "lambda", "scheduler"):
    print(boto3.client(name).meta.endpoint_url)
print(boto3.client("sts").get_caller_identity()["Account"])
print(boto3.client("s3").list_buckets()["Buckets"][0]["Name"])
"""


def variables() -> set[str]:
    """Every variable that botocore reads."""
    files = Path(botocore.__file__).parent.glob("*.py")
    named = {name for file in files for name in _NAME.findall(file.read_text())}
    listed = (env for _, env, *_ in configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.values())
    for names in listed:
        named |= {names} if isinstance(names, str) else set(names or ())
    return named


def hostile(folder: Path) -> dict[str, str]:
    """A shell in which each variable of botocore, and the user's files, lead elsewhere or are nonsense."""
    (folder / ".aws").mkdir()
    (folder / ".aws" / "config").write_text(
        "[default]\nendpoint_url = http://127.0.0.1:9\nservices = away\nmax_attempts = nonsense\n"
        "sso_session = away\nsso_account_id = 1\nsso_role_name = away\ncredential_process = /bin/false\n"
        "[sso-session away]\nsso_start_url = https://127.0.0.1:9\nsso_region = eu-west-1\n"
        "[services away]\ns3 =\n  endpoint_url = http://127.0.0.1:9\n"
    )
    named = dict.fromkeys(variables(), "nonsense")
    return named | {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "AWS_CONFIG_FILE": str(folder / ".aws" / "config"),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_CSM_ENABLED": "true",
        "AWS_CSM_PORT": "9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "all_proxy": "socks5://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "SAGEMAKER_ENDPOINT_URL": "http://127.0.0.1:9",
    }


def test_botocore_reads_many_variables() -> None:
    assert {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_MAX_ATTEMPTS", "AWS_CSM_ENABLED"} <= variables()


def test_a_program_reaches_these_services_whatever_the_shell_has(local: Settings, tmp_path: Path) -> None:
    environment = local.environment(hostile(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    aws, ours = local.aws_url, local.sagemaker_url
    assert done.stdout.split() == [aws, aws, ours, aws, aws, local.account, local.bucket], done.stderr
    foreign = {name for name in environment if name.startswith(("AWS_", "BOTO", "SAGEMAKER_"))}
    assert foreign == {name for name in local.environment() if name.startswith("AWS_")}


def test_the_changes_make_the_environment(local: Settings, tmp_path: Path) -> None:
    shell = hostile(tmp_path)
    changed = dict(shell)
    for name, value in local.changes(shell).items():
        if value is None:
            del changed[name]
        else:
            changed[name] = value
    assert changed == local.environment(shell)


def test_our_own_clients_read_no_variable_and_no_file(
    local: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hostile(tmp_path).items():
        if name != "BOTOCORE_EXPERIMENTAL__PLUGINS":  # names modules to import, which a test must not
            monkeypatch.setenv(name, value)
    client = session(local).client("s3", endpoint_url=local.aws_url)
    assert client.meta.config.retries["mode"] == "legacy"
    assert client.meta.config.s3 == {}
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [local.bucket]
    frozen = session(local).get_credentials().get_frozen_credentials()
    assert frozen.access_key == local.account
