"""MLflow's own pages."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from pathlib import Path

import boto3

from retraining import console
from retraining.config.configuration import Outline
from retraining.errors import UserError
from retraining.results import experiments, mlflow_view
from retraining.runs import interruption, targets
from retraining.runs.targets import PlaceName


def serve(outline: Outline, place: PlaceName) -> None:
    """Bring the runs up to date and open the pages, here or those of the managed tracking server.

    Raises:
        UserError: the port is in use, or no tracking server is configured.
    """
    {"local": _serve_here, "aws": _open_managed}[place](outline)


def _serve_here(outline: Outline) -> None:
    port = targets.mlflow_port(outline)
    url = f"http://127.0.0.1:{port}"
    artifacts = f"s3://{outline.project.bucket}/mlflow"
    words = [sys.executable, "-P", "-m", "retraining.results.mlflow_server", str(port)]
    words += [os.environ["MLFLOW_TRACKING_URI"], artifacts]
    log = outline.root / ".local" / "logs" / "mlflow.log"
    console.note(f"starting MLflow's pages on port {port}")
    with (
        log.open("w") as said,
        interruption.started(
            words, env=targets.service_environment(outline), stdout=said, stderr=said
        ) as server,
    ):
        pages = url + _runs(url, outline, server, log)
        console.line(f"MLflow: {pages} (stop with Ctrl-C)")
        sys.stdout.flush()
        if sys.stdout.isatty():
            webbrowser.open(pages)
        _catch_up(outline)
        server.wait()
        raise UserError(f"MLflow's server ended with code {server.returncode}; see {log}")


def _runs(url: str, outline: Outline, server: "subprocess.Popen[bytes]", log: Path) -> str:
    """The path of the list of runs, once the server answers; of all experiments before the first run.

    Raises:
        UserError: it ends before.
    """
    name = urllib.parse.quote(outline.pipeline_name)
    question = f"{url}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None:
        try:
            with opener.open(question, timeout=30) as response:
                return mlflow_view.path(json.load(response)["experiment"])
        except urllib.error.HTTPError:
            return "/"
        except OSError:
            time.sleep(0.1)
    raise UserError(f"MLflow's server ended with code {server.returncode}; see {log}")


def _open_managed(outline: Outline) -> None:
    arn = outline.project.mlflow_tracking_uri
    if not arn:
        raise UserError(
            "conf/project.yaml: mlflow_tracking_uri is null: set it to a managed tracking server's ARN"
        )
    _catch_up(outline)
    client = boto3.client("sagemaker")
    answer = client.create_presigned_mlflow_tracking_server_url(TrackingServerName=arn.rsplit("/", 1)[-1])
    console.line(answer["AuthorizedUrl"])
    webbrowser.open(answer["AuthorizedUrl"])


def _catch_up(outline: Outline) -> None:
    """Log what is not in MLflow yet; the pages open whatever becomes of it."""
    if outline.whole is None:
        console.note("the newest executions are logged when the configuration is right")
        return
    try:
        late = experiments.catch_up(outline.whole)
    except Exception as error:
        if "RETRAIN_DEBUG" in os.environ:
            raise
        console.note(f"the newest executions were not logged: {experiments.in_one_line(error)}")
        return
    if late:
        console.note(f"logged {late} executions that had no complete run: reload the page to see them")
