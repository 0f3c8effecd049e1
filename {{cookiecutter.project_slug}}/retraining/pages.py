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
    if not experiments.enabled():
        raise UserError(
            "conf/project.yaml: mlflow_tracking_uri is null: set it to a managed tracking server's ARN"
        )
    late = experiments.catch_up(configuration)
    if late:
        output.note(f"logged {late} executions that had no complete run")
    {"local": _serve_here, "aws": _open_managed}[place](configuration)


def _serve_here(configuration: Configuration) -> None:
    port = places.port("LOCAL_MLFLOW_PORT", configuration.project.local.mlflow_port)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(
                f"port {port} is in use: stop what uses it, or set local.mlflow_port in conf/project.yaml"
            ) from None
    url = f"http://127.0.0.1:{port}"
    runs = url + experiments.page(configuration)
    output.out.print(f"MLflow: {runs} (stop with Ctrl-C)", markup=False)
    if sys.stdout.isatty():
        threading.Timer(OPEN_AFTER_SECONDS, webbrowser.open, [runs]).start()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += ["--backend-store-uri", os.environ["MLFLOW_TRACKING_URI"], "--serve-artifacts"]
    command += ["--artifacts-destination", f"s3://{configuration.project.SMP_S3BUCKETNAME}/mlflow"]
    try:
        subprocess.run(command, check=True)
    except KeyboardInterrupt:
        return
    except subprocess.CalledProcessError as error:
        raise UserError(
            f"MLflow's server ended with code {error.returncode}; its reason stands above"
        ) from None


def _open_managed(configuration: Configuration) -> None:
    name = str(configuration.project.mlflow_tracking_uri).rsplit("/", 1)[-1]
    url = boto3.client("sagemaker").create_presigned_mlflow_tracking_server_url(TrackingServerName=name)[
        "AuthorizedUrl"
    ]
    output.out.print(url, markup=False)
    webbrowser.open(url)
