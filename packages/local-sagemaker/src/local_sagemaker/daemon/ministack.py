"""ministack (S3, Lambda, IAM, STS, EventBridge, Logs ...) as a child of our server.

``python -m local_sagemaker aws <parent pid> <port> <command> <root>`` ends when its parent does, however the
parent ended: a clean SIGTERM keeps ministack's state, so that is what it gets.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from local_sagemaker.core import tokens
from local_sagemaker.core.root import MARKER
from local_sagemaker.core.settings import HOST, Settings
from local_sagemaker.daemon import log, object_files, s3_files, service_state, worker_processes

STATE_TIMEOUT = 10.0  # seconds that ministack gets to write its state


def start(settings: Settings, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start ministack; it listens a little later (`GET /_ministack/health`)."""
    scratch = settings.root / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)  # what killed Lambda workers left there
    scratch.mkdir(parents=True)
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "local_sagemaker", "aws", str(os.getpid())),
            *(str(settings.aws_port), settings.command, str(settings.root)),
        ],
        env=_environment(settings, scratch),
        cwd=settings.root,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def _environment(settings: Settings, scratch: Path) -> dict[str, str]:
    """Lambda workers inherit this: the local endpoints, nothing of the user's credentials or the root's."""
    clients = settings.environment()
    del clients["AWS_SESSION_TOKEN"]  # each function gets its role's
    return clients | {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(settings.aws_port),
        "MINISTACK_ACCOUNT_ID": settings.account,
        "MINISTACK_REGION": settings.region,
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.s3),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.ministack_state),
        "LAMBDA_EXECUTOR": "local",
        # Both would listen on fixed ports of their own.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }


def run(parent: int, port: int, command: str, root: Path) -> None:
    """Be ministack on `port` until it is asked to end, `parent` is gone, or `root` is.

    `command` is what users type before ``env``.
    """
    threading.Thread(target=_watch, args=(parent, root), daemon=True).start()
    sys.argv[1:] = []  # ministack reads them
    log.install()
    worker_processes.bind()
    object_files.recover(Path(os.environ["S3_DATA_DIR"]))
    import ministack.app

    from local_sagemaker.daemon import gateway

    s3_files.follow()
    object_files.install()
    service_state.install(Path(os.environ["STATE_DIR"]))
    ministack.app.app = gateway.create_app(tokens.read(root), port, command)
    ministack.app.main()


def _watch(parent: int, root: Path) -> None:
    while os.getppid() == parent and (root / MARKER).exists():
        time.sleep(0.25)
    if not (root / MARKER).exists():
        os._exit(0)  # writing state would bring the removed folder back
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STATE_TIMEOUT)
    os._exit(1)
