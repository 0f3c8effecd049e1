"""Who may use the ports of the services: clients with the token; no web page and nobody else."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from jobs_to_run import Processing

from local_sagemaker.core import tokens
from local_sagemaker.core.settings import Settings

PORTS = ["sagemaker_port", "aws_port"]
EVIL = "https://evil.example"
# What pages of other origins send, and what the names of attackers look like in Host. {port} is ours.
OF_PAGES = [
    [("Host", "127.0.0.1:{port}"), ("Origin", EVIL)],
    [("Host", "127.0.0.1:{port}"), ("Origin", "null")],
    [("Host", "127.0.0.1:{port}"), ("Origin", "http://127.0.0.1:1")],
    [("Host", "127.0.0.1:{port}"), ("Origin", "https://127.0.0.1:{port}")],
    [("Host", "127.0.0.1:{port}"), ("Origin", "http://localhost.evil.example:{port}")],
    [("Host", "127.0.0.1:{port}"), ("Sec-Fetch-Site", "cross-site")],
    [("Host", "127.0.0.1:{port}"), ("Sec-Fetch-Site", "same-site")],
    [("Host", "127.0.0.1:{port}"), ("Sec-Fetch-Site", "none"), ("Origin", EVIL)],
    [("Host", "evil.example:{port}")],
    [("Host", "evil.example:{port}"), ("Origin", "http://evil.example:{port}")],
    [("Host", "127.0.0.1.evil.example:{port}")],
    [("Host", "localhost.evil.example:{port}"), ("Sec-Fetch-Site", "same-origin")],
    [("Host", "127.0.0.1")],
    [("Host", "localhost:1")],
    [("Host", "")],
    [],
]
OF_CLIENTS = [
    [("Host", "127.0.0.1:{port}")],
    [("Host", "LOCALHOST:{port}")],
    [("Host", "127.0.0.1:{port}"), ("Sec-Fetch-Site", "none")],
    [("Host", "127.0.0.1:{port}"), ("Sec-Fetch-Site", "same-origin"), ("Origin", "http://127.0.0.1:{port}")],
]
# Of each of AWS's protocols one operation that changes nothing, and the code of its error.
OPERATIONS = [
    ("s3", "list_buckets", "InvalidToken"),
    ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ("iam", "list_roles", "InvalidClientTokenId"),
    ("cloudformation", "list_stacks", "InvalidClientTokenId"),
    ("route53", "list_hosted_zones", "InvalidClientTokenId"),
    ("lambda", "list_functions", "UnrecognizedClientException"),
    ("scheduler", "list_schedules", "UnrecognizedClientException"),
    ("logs", "describe_log_groups", "UnrecognizedClientException"),
    ("events", "list_rules", "UnrecognizedClientException"),
    ("kms", "list_keys", "UnrecognizedClientException"),
    ("cloudwatch", "list_metrics", "UnrecognizedClientException"),
    ("sagemaker", "list_models", "UnrecognizedClientException"),
]

Headers = list[tuple[str, str]]


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest, local: Settings) -> int:
    number: int = getattr(local, request.param)
    return number


def ask(
    port: int, method: str, path: str, headers: Headers, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request with these very headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in [*headers, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value.format(port=port))
    connection.endheaders(body)
    response = connection.getresponse()
    answer = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return answer


def call(local: Settings, port: int) -> tuple[str, str, Headers]:
    """An operation of the service on `port` that everybody with the token may call."""
    token = ("X-Amz-Security-Token", local.session_token)
    if port == local.sagemaker_port:
        return "POST", "/", [token, ("X-Amz-Target", "SageMaker.ListModels")]
    return "GET", "/2015-03-31/functions/", [token]


@pytest.mark.parametrize("headers", OF_PAGES, ids=str)
def test_web_pages_are_refused(local: Settings, port: int, headers: Headers) -> None:
    method, path, signed = call(local, port)
    status, answered, body = ask(port, method, path, [*headers, *signed])
    if not headers:
        assert status in (400, 403)  # it is no HTTP/1.1 without Host
        return
    assert (status, [name for name in answered if name.startswith("access-control-")]) == (403, [])
    assert b"AccessDenied" in body
    status, answered, _ = ask(port, "OPTIONS", path, [*headers, ("Access-Control-Request-Method", "PUT")])
    assert (status, [name for name in answered if name.startswith("access-control-")]) == (403, [])


@pytest.mark.parametrize("headers", OF_CLIENTS, ids=str)
def test_clients_are_not(local: Settings, port: int, headers: Headers) -> None:
    method, path, signed = call(local, port)
    body = b"{}" if method == "POST" else b""
    status, answered, _ = ask(port, method, path, [*headers, *signed], body)
    assert (status, [name for name in answered if name.startswith("access-control-")]) == (200, [])


def test_a_bucket_may_be_named_by_the_host(local: Settings, s3: Any, name: str) -> None:
    s3.put_object(Bucket=local.bucket, Key=name, Body=b"content")
    headers = [("Host", f"{local.bucket}.localhost:{local.aws_port}")]
    token = ("X-Amz-Security-Token", local.session_token)
    assert ask(local.aws_port, "GET", f"/{name}", headers)[0] == 403
    status, _, body = ask(local.aws_port, "GET", f"/{name}", [*headers, token])
    assert (status, body) == (200, b"content")


def test_a_name_of_another_site_beside_ours_is_refused(local: Settings, port: int) -> None:
    method, path, signed = call(local, port)
    twice = [("Host", "127.0.0.1:{port}"), ("Host", "evil.example:{port}")]
    assert ask(port, method, path, [*twice, *signed])[0] in (400, 403)


@pytest.mark.parametrize(("service", "operation", "code"), OPERATIONS)
@pytest.mark.parametrize("token", [None, "local-sagemaker", "x:y"])
def test_without_the_token_a_client_is_told_where_it_is(
    local: Settings, service: str, operation: str, code: str, token: str | None
) -> None:
    """As in AWS, whatever the protocol: keys that a program brings along do not do."""
    client = boto3.client(
        service,
        endpoint_url=local.sagemaker_url if service == "sagemaker" else local.aws_url,
        region_name=local.region,
        aws_access_key_id=local.account,
        aws_secret_access_key="local",
        aws_session_token=token,
    )
    with pytest.raises(ClientError, match="`local-sagemaker env`") as caught:
        getattr(client, operation)()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(("service", "operation", "code"), OPERATIONS)
def test_with_it_each_of_them_answers(local: Settings, service: str, operation: str, code: str) -> None:
    getattr(local.client(service), operation)()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/%5Fministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/ready"),
        ("GET", "/_ministack/sqs/messages"),
        ("GET", "/_localstack/health"),
    ],
)
def test_nobody_administers_ministack(local: Settings, s3: Any, name: str, method: str, path: str) -> None:
    s3.put_object(Bucket=local.bucket, Key=name, Body=b"kept")
    token = ("X-Amz-Security-Token", local.session_token)
    host = ("Host", "127.0.0.1:{port}")
    assert ask(local.aws_port, method, path, [host, token], b"{}")[0] == 404
    assert ask(local.aws_port, method, path, [host], b"{}")[0] == 403
    assert s3.get_object(Bucket=local.bucket, Key=name)["Body"].read() == b"kept"


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body, headers, method=method)) as response:
        content: bytes = response.read()
    return content


def test_a_presigned_address_is_enough(local: Settings, s3: Any, name: str) -> None:
    target = {"Bucket": local.bucket, "Key": name}
    fetch(s3.generate_presigned_url("put_object", Params=target), "PUT", b"by address")
    assert fetch(s3.generate_presigned_url("get_object", Params=target)) == b"by address"


def test_a_presigned_form_is_enough(local: Settings, s3: Any, name: str) -> None:
    form = s3.generate_presigned_post(local.bucket, name)
    parts = [
        f'--X\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in form["fields"].items()
    ]
    file = '--X\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + "y" * 200_000
    body = "".join([*parts, file, "\r\n--X--\r\n"])
    kind = {"Content-Type": "multipart/form-data; boundary=X"}
    fetch(form["url"], "POST", body.encode(), **kind)
    assert s3.get_object(Bucket=local.bucket, Key=name)["Body"].read() == b"y" * 200_000
    wrong = body.replace(local.session_token, "wrong")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(form["url"], "POST", wrong.encode(), **kind)


FUNCTION = """
import os

import boto3


def handler(event, context):
    boto3.client("s3").list_buckets()
    boto3.client("sagemaker").list_models()
    return os.environ["AWS_SESSION_TOKEN"]
"""
JOB = "python3 -c '{}'".format(
    "; ".join(
        (
            "import boto3, os",
            'boto3.client("s3").list_buckets()',
            'boto3.client("sagemaker").list_models()',
            'print(os.environ["AWS_SESSION_TOKEN"])',
        )
    )
)


def calls_of(local: Settings, role: str) -> list[str]:
    """What the logs say of the calls of a role, without their times."""
    logs = [(local.logs / name).read_text() for name in ("aws.log", "sagemaker.log")]
    lines = [line for log in logs for line in log.splitlines() if f" role {role}: " in line]
    return [line.partition(": ")[2] for line in lines]


def test_the_calls_of_a_function_are_its_roles(
    local: Settings, make_function: Callable[..., str], name: str
) -> None:
    client = local.client("lambda")
    make_function(name, FUNCTION)
    client.update_function_configuration(FunctionName=name, Role=f"arn:aws:iam::123456789012:role/{name}")
    token = json.load(client.invoke(FunctionName=name)["Payload"])
    assert token == tokens.of_role(local.session_token, name)
    assert calls_of(local, name) == ["'s3 GET /'", "'sagemaker SageMaker.ListModels'"]
    code = client.get_function(FunctionName=name)["Code"]["Location"]
    assert fetch(code).startswith(b"PK")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(code.partition("&X-Amz-Security-Token")[0])


def test_the_calls_of_a_job_are_its_roles(processing: Processing, name: str) -> None:
    local = processing.settings
    job = processing.run(name, JOB, RoleArn=f"arn:aws:iam::123456789012:role/{name}")
    assert job["ProcessingJobStatus"] == "Completed", processing.log(name)
    assert tokens.of_role(local.session_token, name) in processing.log(name)
    assert local.session_token not in processing.log(name)
    assert calls_of(local, name) == ["'s3 GET /'", "'sagemaker SageMaker.ListModels'"]


def test_an_assumed_role_may_call(local: Settings, name: str) -> None:
    role = f"arn:aws:iam::{local.account}:role/path/{name}"
    given = local.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    client = boto3.client(
        "sts",
        endpoint_url=local.aws_url,
        region_name=local.region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    assert client.get_caller_identity()["Arn"].endswith(f":assumed-role/{name}/session")
    assert calls_of(local, name) == ["'sts POST /'"]
