"""MLflow's own pages."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path

import boto3

from retraining import console
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.results import experiments
from retraining.runs import targets
from retraining.runs.targets import PlaceName


def serve(configuration: Configuration, place: PlaceName) -> None:
    """Bring the runs up to date and open the pages, here or those of the managed tracking server.

    Raises:
        UserError: the port is in use, or no tracking server is configured.
    """
    {"local": _serve_here, "aws": _open_managed}[place](configuration)


def _serve_here(configuration: Configuration) -> None:
    port = targets.mlflow_port(configuration)
    _catch_up(configuration)
    url = f"http://127.0.0.1:{port}"
    runs = url + experiments.page(configuration)
    command = [sys.executable, "-P", "-m", "retraining.results.mlflow_server", str(port)]
    command += [os.environ["MLFLOW_TRACKING_URI"], f"s3://{configuration.project.bucket}/mlflow"]
    log = configuration.root / ".local" / "logs" / "mlflow.log"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with log.open("w") as words:
        # In a session of its own: the server has helpers, and all of them are ended together.
        environment = targets.service_environment(configuration)
        server = subprocess.Popen(
            command, env=environment, stdout=words, stderr=words, start_new_session=True
        )
        try:
            _wait_for(url, server, log)
            console.out().print(f"MLflow: {runs} (stop with Ctrl-C)", markup=False)
            if sys.stdout.isatty():
                webbrowser.open(runs)
            server.wait()
        except KeyboardInterrupt:
            console.note("stopping")
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until the server answers.

    Raises:
        UserError: it ends before.
    """
    while server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):
            return
        time.sleep(0.2)
    raise UserError(f"MLflow's server ended with code {server.returncode}; see {log}")


def _open_managed(configuration: Configuration) -> None:
    arn = configuration.project.mlflow_tracking_uri
    if not arn:
        raise UserError(
            "conf/project.yaml: mlflow_tracking_uri is null: set it to a managed tracking server's ARN"
        )
    _catch_up(configuration)
    client = boto3.client("sagemaker")
    answer = client.create_presigned_mlflow_tracking_server_url(TrackingServerName=arn.rsplit("/", 1)[-1])
    console.out().print(answer["AuthorizedUrl"], markup=False)
    webbrowser.open(answer["AuthorizedUrl"])


def _catch_up(configuration: Configuration) -> None:
    late = experiments.catch_up(configuration)
    if late:
        console.note(f"logged {late} executions that had no complete run")
