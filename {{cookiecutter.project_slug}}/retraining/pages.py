"""MLflow's own pages."""

import os
import socket
import subprocess
import sys
import threading
import webbrowser

import boto3

from retraining import experiments, output, places
from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.places import PlaceName

OPEN_AFTER_SECONDS = 4.0


def serve(configuration: Configuration, place: PlaceName) -> None:
    """Bring the runs up to date and open the pages, here or those of the managed tracking server.

    Raises:
        UserError: the port is in use, or no tracking server is configured.
    """
    {"local": _serve_here, "aws": _open_managed}[place](configuration)


def _serve_here(configuration: Configuration) -> None:
    port = places.port("LOCAL_MLFLOW_PORT", configuration.project.local.mlflow_port)
    _require_free(port)
    _catch_up(configuration)
    url = f"http://127.0.0.1:{port}"
    runs = url + experiments.page(configuration)
    output.out.print(f"MLflow: {runs} (stop with Ctrl-C)", markup=False)
    if sys.stdout.isatty():
        threading.Timer(OPEN_AFTER_SECONDS, webbrowser.open, [runs]).start()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--serve-artifacts"]
    command += ["--backend-store-uri", os.environ["MLFLOW_TRACKING_URI"]]
    command += ["--artifacts-destination", f"s3://{configuration.project.SMP_S3BUCKETNAME}/mlflow"]
    try:
        subprocess.run(command, check=True)
    except KeyboardInterrupt:
        return
    except subprocess.CalledProcessError as error:
        raise UserError(f"MLflow's server ended with code {error.returncode}; it says why above") from None


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(
                f"port {port} is in use: stop what uses it, or set local.mlflow_port in conf/project.yaml"
            ) from None


def _open_managed(configuration: Configuration) -> None:
    arn = configuration.project.mlflow_tracking_uri
    if not arn:
        raise UserError(
            "conf/project.yaml: mlflow_tracking_uri is null: set it to a managed tracking server's ARN"
        )
    _catch_up(configuration)
    client = boto3.client("sagemaker")
    answer = client.create_presigned_mlflow_tracking_server_url(TrackingServerName=arn.rsplit("/", 1)[-1])
    output.out.print(answer["AuthorizedUrl"], markup=False)
    webbrowser.open(answer["AuthorizedUrl"])


def _catch_up(configuration: Configuration) -> None:
    late = experiments.catch_up(configuration)
    if late:
        output.note(f"logged {late} executions that had no complete run")
