"""A local command reaches this machine only, and one with --on aws never the local services."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import COMMAND
from tiny_project import Tiny, retrain, running

from retraining.runs import targets

NO_NETWORK = Path(__file__).parents[1] / "no_network.py"
AWAY = "http://203.0.113.9"
CONFIG = f"""
[default]
endpoint_url = {AWAY}
services = away
region = us-west-1
retry_mode = nonsense
max_attempts = nonsense
credential_process = touch called
[profile work]
sso_session = away
sso_account_id = 111122223333
sso_role_name = away
[sso-session away]
sso_start_url = https://203.0.113.9
sso_region = eu-west-1
[services away]
s3 =
  endpoint_url = {AWAY}
"""
HOSTILE = {
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_PROFILE": "work",
    "AWS_ENDPOINT_URL_SAGEMAKER": AWAY,
    "AWS_ENDPOINT_URL_S3": AWAY,
    "AWS_CSM_ENABLED": "true",
    "AWS_CSM_HOST": "203.0.113.9",
    "AWS_MAX_ATTEMPTS": "nonsense",
    "AWS_RETRY_MODE": "nonsense",
    "AWS_STS_REGIONAL_ENDPOINTS": "nonsense",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": AWAY,
    "MLFLOW_TRACKING_URI": AWAY,
    "MLFLOW_REGISTRY_URI": AWAY,
    "MLFLOW_S3_ENDPOINT_URL": AWAY,
    "MLFLOW_DISABLE_TELEMETRY": "false",
    "HTTP_PROXY": f"{AWAY}:3128",
    "HTTPS_PROXY": f"{AWAY}:3128",
    "ALL_PROXY": f"{AWAY}:3128",
    "http_proxy": f"{AWAY}:3128",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("places")) as project:
        yield project


def in_a_namespace(folder: Path, commands: list[list[str]]) -> list[dict[str, object]]:
    """What each of the commands did in `folder`, run in a hostile shell without a way out."""
    enter = ["unshare", "--net", "--map-root-user"]
    if not shutil.which("ip") or subprocess.run([*enter, "true"], check=False).returncode:
        pytest.skip("network namespaces or the program ip are not available here")
    (folder / ".aws").mkdir(exist_ok=True)
    (folder / ".aws" / "config").write_text(CONFIG)
    done = subprocess.run(
        [*enter, sys.executable, NO_NETWORK, json.dumps(commands)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)} | HOSTILE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    results: list[dict[str, object]] = json.loads(done.stdout)
    return results


def test_a_local_command_sends_nothing_to_others(tmp_path: Path) -> None:
    project = Tiny(tmp_path / "project").root
    caller = "import boto3; boto3.client('s3').list_buckets()"
    commands = [
        [sys.executable, "-c", "import socket; socket.socket().connect_ex(('203.0.113.9', 443))"],
        *([*COMMAND, *words.split()] for words in ("run", "plan", "runs", "models list", "data --list")),
        [*COMMAND, "local", "run", "--", sys.executable, "-c", caller],
        [*COMMAND, "local", "down"],
    ]
    control, *ours = in_a_namespace(project, commands)
    assert control["elsewhere"] == ["203.0.113.9"]
    for words, result in zip(commands[1:], ours, strict=True):
        assert (result["code"], result["elsewhere"]) == (0, []), (words, result["said"])
    assert not (project / "called").exists()


IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Account>111122223333</Account><UserId>a</UserId><Arn>arn:aws:iam::111122223333:user/a</Arn>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Aws(http.server.ThreadingHTTPServer):
    """AWS, as far as `retrain runs` asks it; `asked` has the operations."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        assert isinstance(self.server, Aws)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        operation = self.headers.get("X-Amz-Target") or re.findall("Action=(\\w+)", body)[0]
        self.server.asked.append(operation)
        answer = IDENTITY if operation == "GetCallerIdentity" else '{"PipelineExecutionSummaries": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Aws() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


ASKED = ["GetCallerIdentity", "SageMaker.ListPipelineExecutions"]
KEYS = "aws_access_key_id = a\naws_secret_access_key = b\n"


def write_profile(tiny: Tiny, text: str) -> None:
    folder = tiny.root / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(text)


def test_in_aws_the_variables_of_local_env_do_not_count(tiny: Tiny, aws: Aws) -> None:
    """Those that another shell of this project has, with a profile that the user chose afterwards."""
    write_profile(tiny, f"[profile work]\n{KEYS}endpoint_url = {aws.url}\n")
    local = targets.local_settings(tiny.configuration).environment()
    done = retrain(tiny, "runs", "--on", "aws", **local, AWS_PROFILE="work")
    assert done.returncode == 0, done.stderr
    assert aws.asked == ASKED
    assert "no executions yet" in done.stdout


@pytest.mark.parametrize(
    "profile",
    [
        "endpoint_url = {local}\n",
        "endpoint_url = {localhost}\n",
        "endpoint_url = {aws}\nservices = own\n[services own]\nsagemaker =\n  endpoint_url = {sagemaker}\n",
    ],
)
def test_in_aws_a_profile_that_leads_here_is_refused(tiny: Tiny, aws: Aws, profile: str) -> None:
    settings = targets.local_settings(tiny.configuration)
    urls = {
        "local": settings.aws_url,
        "localhost": settings.aws_url.replace("127.0.0.1", "localhost"),
        "sagemaker": settings.sagemaker_url,
        "aws": aws.url,
    }
    write_profile(tiny, f"[default]\n{KEYS}{profile.format(**urls)}")
    done = retrain(tiny, "runs", "--on", "aws")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(r"Error: --on aws: http://\S+ is no AWS but local services: unset AWS_ENDPOINT_URL", line)
    assert aws.asked == (ASKED[:1] if "{aws}" in profile else [])


def test_in_aws_the_variables_of_another_project_are_refused(tiny: Tiny, aws: Aws) -> None:
    write_profile(tiny, f"[default]\n{KEYS}")
    settings = targets.local_settings(tiny.configuration)
    done = retrain(
        tiny,
        "runs",
        "--on",
        "aws",
        AWS_ENDPOINT_URL=aws.url,
        AWS_ENDPOINT_URL_SAGEMAKER=settings.sagemaker_url,
    )
    assert (done.returncode, aws.asked) == (2, ASKED[:1])
    assert f"{settings.sagemaker_url} is no AWS but local services" in done.stderr


@pytest.mark.parametrize("variable", ["AWS_MAX_ATTEMPTS", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_RETRY_MODE"])
def test_in_aws_a_variable_that_makes_no_sense_is_one_line(tiny: Tiny, aws: Aws, variable: str) -> None:
    write_profile(tiny, f"[default]\n{KEYS}endpoint_url = {aws.url}\n")
    done = retrain(tiny, "runs", "--on", "aws", **{variable: "nonsense"})
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert [line for line in done.stderr.splitlines() if line.startswith("Error: AWS: ")], done.stderr
