"""The process behind the API: serves it, keeps ministack running, ends with its root folder."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from local_sagemaker.core import tokens
from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.root import MARKER, prepare
from local_sagemaker.core.settings import HOST, Settings
from local_sagemaker.daemon import log
from local_sagemaker.daemon.ministack import STATE_TIMEOUT, start

SERVICES = "services.json"
LOCK = "serve.lock"
START_TIMEOUT = 30.0


def serve(settings: Settings) -> None:
    """Run both services until SIGTERM or SIGINT, or until the root folder is removed.

    ``services.json`` in the root names the processes and the settings they run with: it is there as long as
    one of them runs. `GET /health` answers only when everything is ready to be used.

    Raises:
        LocalError: the root cannot be used, or another server has it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until uvicorn takes it over
    log.install()
    prepare(settings)
    with (
        _alone(settings.root),
        contextlib.suppress(KeyboardInterrupt),
        _ministack(settings) as ministack,
    ):
        # Imported while ministack starts: both need most of a second.
        from local_sagemaker.api.operations import create_app
        from local_sagemaker.core.store import Store
        from local_sagemaker.jobs.registry import Jobs

        store = Store(settings.database)
        jobs = Jobs(settings, store)
        try:
            ministack.wait_until_ready()
            threading.Thread(target=ministack.supervise, daemon=True).start()
            create_bucket(settings)
            jobs.recover()
            _run(settings, create_app(settings, store, jobs))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            jobs.close()
            store.close()


def _run(settings: Settings, app: Any) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        host=HOST,
        port=settings.sagemaker_port,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Be the only server of `root`. The lock goes when the process does, however it ends."""
    descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{root} is in use by another server of local-sagemaker: stop that one first"
            raise LocalError(message) from None
        yield
    finally:
        os.close(descriptor)


def create_bucket(settings: Settings) -> None:
    """Make the default bucket, unless it is there."""
    s3 = settings.client("s3")
    known = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    if settings.bucket in known:
        return
    if settings.region == "us-east-1":  # the one region that may not be named
        s3.create_bucket(Bucket=settings.bucket)
    else:
        s3.create_bucket(
            Bucket=settings.bucket, CreateBucketConfiguration={"LocationConstraint": settings.region}
        )


def describe(settings: Settings) -> dict[str, Any]:
    """`settings` as JSON; two servers with the same description serve the same."""
    return {
        "region": settings.region,
        "account": settings.account,
        "bucket": settings.bucket,
        "sagemaker_port": settings.sagemaker_port,
        "aws_port": settings.aws_port,
        "python": str(settings.python),
        "hidden": list(settings.hidden),
        "variables": dict(settings.variables),
    }


def described(root: Path, description: dict[str, Any]) -> Settings | None:
    """The settings that `describe` described; None for a description of another version's."""
    try:
        values = description | {
            "root": root,
            "python": Path(description["python"]),
            "hidden": tuple(description["hidden"]),
        }
        return Settings(**values)
    except (KeyError, TypeError):
        return None


@contextlib.contextmanager
def _ministack(settings: Settings) -> Iterator["_Ministack"]:
    ministack = _Ministack(settings)
    try:
        yield ministack
    finally:
        ministack.stop()


class _Ministack:
    """ministack as a supervised child: started again when it dies, stopped with its root."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process = self._start("wb")

    def _start(self, mode: Literal["ab", "wb"]) -> "subprocess.Popen[bytes]":
        with (self._settings.logs / "aws.log").open(mode) as log:
            process = start(self._settings, log)
        record = {
            "sagemaker": os.getpid(),
            "aws": process.pid,
            "token": tokens.fingerprint(self._settings.session_token),
            "settings": describe(self._settings),
        }
        target = self._settings.root / SERVICES
        draft = target.with_suffix(".new")
        try:
            draft.write_text(json.dumps(record, allow_nan=False))
            draft.replace(target)
        except OSError:
            process.kill()  # nobody would know of it
            process.wait()
            raise
        return process

    def supervise(self) -> None:
        whole = True  # has what `serve` made in it
        while not self._stopping.wait(0.25):
            if not (self._settings.root / MARKER).exists():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            # Any error, such as a full disk's or a system's without processes, is one until the next turn.
            try:
                with self._lock:
                    if self._process.poll() is not None and not self._stopping.is_set():
                        print(f"ministack ended with exit code {self._process.returncode}; starting it again")
                        whole = False
                        time.sleep(0.5)
                        self._process = self._start("ab")
                if not whole and is_healthy(self._settings):
                    create_bucket(self._settings)
                    whole = True
            except Exception as error:
                print(f"ministack is not whole: {error!r}")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_healthy(self._settings):
            if self._process.poll() is not None:
                raise SystemExit(f"ministack ended with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise SystemExit(f"ministack did not answer within {START_TIMEOUT:.0f} s")
            time.sleep(0.02)

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            root_is_there = (self._settings.root / MARKER).exists()
            if root_is_there:
                self._process.terminate()
            else:
                self._process.kill()
            try:
                self._process.wait(STATE_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if root_is_there:
            (self._settings.root / SERVICES).unlink(missing_ok=True)


def is_healthy(settings: Settings) -> bool:
    """True when some ministack answers; the owner of the port says whose it is."""
    return is_ministack(settings.aws_url)


def is_ministack(url: str) -> bool:
    """True when the server at `url` is a ministack."""
    return "services" in fetch(f"{url}/_ministack/health")


def fetch(url: str) -> dict[str, Any]:
    """The JSON object at `url`, {} when there is none within two seconds. Ignores proxies."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            answer = json.load(response)
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
