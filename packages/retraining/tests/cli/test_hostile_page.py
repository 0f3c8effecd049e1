"""A real browser opens a page of somebody else, which attacks every port that a project opens."""

import base64
import http.client
import io
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import COMMAND, make_project

from local_sagemaker import Settings, stack
from retraining.config import configuration
from retraining.runs.targets import local_settings

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGE = Path(__file__).with_name("hostile.html").read_text()
NAME = "evil.example"  # the browser finds it on this machine
ROLE = "arn:aws:iam::111122223333:role/known"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def archive(mark: Path) -> bytes:
    """The code of a function that leaves the file `mark` when it runs."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as code:
        code.writestr("code.py", f"def handler(event, context):\n    open({str(mark)!r}, 'w').close()\n")
    return content.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = local_settings(configuration.load(make_project(tmp_path / "project")))
    stack.up(settings)
    yield settings
    stack.down(settings)


@contextmanager
def mlflow_pages(project: Path) -> Iterator[int]:
    """`retrain ui`, as soon as it answers; its port."""
    port: int = yaml.safe_load((project / "conf" / "project.yaml").read_text())["local"]["mlflow_port"]
    process = subprocess.Popen(
        [*COMMAND, "ui"], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        while process.poll() is None:
            try:
                DIRECT.open(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail(process.communicate()[1])
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@contextmanager
def site(page: str) -> Iterator[tuple[int, "queue.Queue[list[list[Any]]]"]]:
    """A web server with the one `page`: its port, and what the page reports."""
    reports: queue.Queue[list[list[Any]]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, reports
        server.shutdown()


def visit(host: str, port: int, profile: Path, reports: "queue.Queue[list[list[Any]]]") -> list[list[Any]]:
    """What the page at `port` reports when the browser has opened it as one of `host`."""
    words = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    words += ["--no-first-run", "--no-proxy-server", f"--user-data-dir={profile}"]
    words += [f"--host-resolver-rules=MAP {NAME} 127.0.0.1", f"http://{host}:{port}/"]
    with (profile.parent / "browser.log").open("wb") as log:
        browser = subprocess.Popen(
            list(map(str, words)), stdout=log, stderr=log, start_new_session=True, env=os.environ
        )
        try:
            return reports.get(timeout=300)
        except queue.Empty:
            pytest.fail((profile.parent / "browser.log").read_text())
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def status(port: int, method: str, headers: dict[str, str]) -> int:
    """Of MLflow's answer to the creation of an experiment (POST) or to the list of them (GET)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    action = "create" if method == "POST" else "search?max_results=9"
    body = b'{"name": "evil"}' if method == "POST" else None
    with closing(connection):
        connection.request(method, f"/api/2.0/mlflow/experiments/{action}", body, headers)
        return connection.getresponse().status


def experiments(port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=99"
    with DIRECT.open(url) as answer:
        return [experiment["name"] for experiment in json.load(answer)["experiments"]]


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")
def test_nothing_that_a_page_sends_has_an_effect(settings: Settings, tmp_path: Path) -> None:
    """A page from elsewhere, and one of another program on this machine."""
    s3, functions, sagemaker = (settings.client(name) for name in ("s3", "lambda", "sagemaker"))
    marks = {name: tmp_path / f"{name} ran" for name in ("known", "evil")}
    functions.create_function(
        FunctionName="known",
        Runtime="python3.12",
        Role=ROLE,
        Handler="code.handler",
        Code={"ZipFile": archive(marks["known"])},
    )
    s3.put_object(Bucket=settings.bucket, Key="key", Body=b"secret content")
    with mlflow_pages(settings.root.parent) as mlflow:
        before = experiments(mlflow)
        given = {
            "aws": settings.aws_port,
            "sagemaker": settings.sagemaker_port,
            "mlflow": mlflow,
            "bucket": settings.bucket,
            "key": "key",
            "known": "known",
            "code": base64.b64encode(archive(marks["evil"])).decode(),
        }
        page = PAGE.replace("/*given*/ {}", json.dumps(given))
        with site(page) as (port, reports):
            outcomes = visit(NAME, port, tmp_path / "profile", reports)
            more = visit("127.0.0.1", port, tmp_path / "another profile", reports)
        assert len(outcomes) == len(more) == 3 * (2 * 16 + 6) + 3, "the page did all that it came for"
        for kind, method, url, response, code, text in [*outcomes, *more]:
            # To read any answer would be a fault too: that none of them is readable makes them all "error".
            assert (kind, response, text) in [
                ("cors", "error", ""),
                ("no-cors", "error", ""),
                ("no-cors", "opaque", ""),
                ("form", "loaded", ""),
                ("websocket", "error", ""),
            ], f"{method} {url}: {code}"
        assert status(mlflow, "GET", {}) == 200
        for method in ("GET", "POST"):  # as after DNS rebinding, when all is one origin for the browser
            assert status(mlflow, method, {"Host": f"{NAME}:{mlflow}"}) == 403
        for origin in (f"https://{NAME}", "null", "http://127.0.0.1:1"):
            assert status(mlflow, "POST", {"Origin": origin, "Content-Type": "text/plain"}) == 403
        navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        link = {"Sec-Fetch-Site": "cross-site"} | navigation
        assert [status(mlflow, method, link) for method in ("GET", "POST")] == [200, 403]
        assert status(mlflow, "GET", link | {"Sec-Fetch-Dest": "iframe"}) == 403
        assert experiments(mlflow) == before
    assert [function["FunctionName"] for function in functions.list_functions()["Functions"]] == ["known"]
    assert [name for name, mark in marks.items() if mark.exists()] == []
    assert s3.get_object(Bucket=settings.bucket, Key="key")["Body"].read() == b"secret content"
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert settings.client("iam").list_roles()["Roles"] == []
