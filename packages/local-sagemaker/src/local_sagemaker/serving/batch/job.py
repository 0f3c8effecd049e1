"""The caller of a model server in a transform job: ``python -m local_sagemaker.serving.batch.job /opt/ml``.

Runs next to the server, in the job's sandbox. For each input object it leaves one output file, whole
or not there, and in the file `FAILURE` why the first of the others is missing. Its own exit code is
0 whenever it got through all objects.
"""

import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from local_sagemaker.serving.batch import data_processing, records
from local_sagemaker.serving.batch.invocation import InvocationError, Server
from local_sagemaker.serving.batch.records import MEGABYTE, Record, RecordError

# Places below /opt/ml.
PLAN = "input/config/transform.json"
INPUTS = "input/data"
OUTPUTS = "output/data"
FAILURE = "output/failure"
PART = ".part"  # ends the name of an output that is not whole yet
CODE = "submit"
_PORT = "output/port"

# Seconds for the model server to load its model and to answer. SageMaker's hosting gives a container as
# long to pass /ping; for batch transform it documents none.
LOADING_TIMEOUT = 480.0

DEFAULT_PAYLOAD = 6  # MB
STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}

Send = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Plan:
    """The work, in the folder `root` (``/opt/ml``).

    `request` is that of CreateTransformJob, `objects` are [name for messages, path] pairs in the
    order of the job, `kind` is the model server's. With `isolated` there is no network.
    """

    root: Path
    request: dict[str, Any]
    objects: list[tuple[str, str]]
    kind: str
    isolated: bool

    @classmethod
    def read(cls, root: Path) -> "Plan":
        return cls(root=root, **json.loads((root / PLAN).read_text()))

    @property
    def failure(self) -> Path:
        return self.root / FAILURE


@dataclass(frozen=True)
class Limits:
    """BatchStrategy, MaxPayloadInMB and MaxConcurrentTransforms of a job."""

    many: bool
    megabytes: int
    concurrent: int

    @classmethod
    def choose(cls, request: dict[str, Any], wished: dict[str, Any]) -> "Limits":
        """From the request, else what the server wishes (/execution-parameters), else SageMaker's own."""
        strategy = STRATEGIES.get(request.get("BatchStrategy", ""), wished.get("BatchStrategy"))
        payload = request.get("MaxPayloadInMB", wished.get("MaxPayloadInMB", DEFAULT_PAYLOAD))
        concurrent = request.get("MaxConcurrentTransforms") or wished.get("MaxConcurrentTransforms") or 1
        return cls(strategy != "SINGLE_RECORD", int(payload), int(concurrent))

    def __str__(self) -> str:
        strategy = "MULTI_RECORD" if self.many else "SINGLE_RECORD"
        return (
            f"MaxConcurrentTransforms={self.concurrent}, MaxPayloadInMB={self.megabytes},"
            f" BatchStrategy={strategy}"
        )


@dataclass
class _Object:
    """One input object on its way to an output file."""

    name: str
    source: Path
    target: Path
    failed: bool = field(default=False)

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + PART)


class Transformation:
    """All objects through `send`, results in the order of the records whatever the concurrency."""

    def __init__(self, plan: Plan, limits: Limits, send: Send) -> None:
        self._limits = limits
        self._send = send
        request = plan.request
        self._processing = data_processing.parse(request)
        source = request["TransformInput"]
        self._read = partial(
            records.read,
            gzipped=source.get("CompressionType", "None") == "Gzip",
            by_line=source.get("SplitType", "None") == "Line",
            reading=self._processing.record if self._processing else Record,
        )
        self._assembles_lines = request["TransformOutput"].get("AssembleWith", "None") == "Line"
        self._objects = [
            _Object(name, plan.root / INPUTS / path, plan.root / OUTPUTS / f"{path}.out")
            for name, path in plan.objects
        ]
        self.failures: list[str] = []

    def run(self) -> None:
        """Transform every object; what went wrong is in `failures`, one line per object."""
        waiting: deque[tuple[_Object, Future[bytes] | None]] = deque()
        with ThreadPoolExecutor(self._limits.concurrent) as pool:
            try:
                for item, batch in self._work():
                    waiting.append((item, pool.submit(self._transform, batch) if batch else None))
                    while len(waiting) > self._limits.concurrent:
                        self._take(*waiting.popleft())
                while waiting:
                    self._take(*waiting.popleft())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _work(self) -> Iterator[tuple[_Object, list[Record]]]:
        """All batches of all objects in order, an empty one at each object's end."""
        limit = self._limits.megabytes * MEGABYTE or None
        for item in self._objects:
            item.target.parent.mkdir(parents=True, exist_ok=True)
            item.part.write_bytes(b"")
            try:
                for batch in records.batches(self._read(item.source), many=self._limits.many, limit=limit):
                    if item.failed:
                        break
                    yield item, batch
            except RecordError as error:
                self._fail(item, error)
            yield item, []

    def _transform(self, batch: list[Record]) -> bytes:
        body = self._send(records.payload(batch))
        result = self._processing.result(batch, body) if self._processing else body
        return records.assembled(result, by_line=self._assembles_lines)

    def _take(self, item: _Object, result: "Future[bytes] | None") -> None:
        if result is None:  # the object's end
            if item.failed:
                item.part.unlink(missing_ok=True)
            else:
                item.part.replace(item.target)
            return
        try:
            content = result.result()
        except (RecordError, InvocationError) as error:
            self._fail(item, error)
            return
        if not item.failed:
            with item.part.open("ab") as file:
                file.write(content)

    def _fail(self, item: _Object, error: RecordError | InvocationError) -> None:
        if item.failed:
            return
        item.failed = True
        kind = error.kind if isinstance(error, InvocationError) else "ClientError"
        self.failures.append(f"{kind}: See job logs for more information: {item.name}: {error}")
        log(f"{item.name}: {error}")


def log(line: str) -> None:
    """One line of the job's log, as batch transform writes them."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    print(f"{now}:[sagemaker logs]: {line}", flush=True)


def main(arguments: list[str]) -> int:
    """Start the server, wait for it, transform; the exit code of the job."""
    plan = Plan.read(Path(arguments[0]))
    if plan.isolated:
        _raise_loopback()
    port_file = plan.root / _PORT
    server = [sys.executable, "-m", "local_sagemaker.serving.toolkit.server", "--kind", plan.kind]
    server += ["--model-dir", str(plan.root / "model"), "--port-file", str(port_file)]
    code = plan.root / CODE
    environment = {"SAGEMAKER_SUBMIT_DIRECTORY": str(code)} if code.is_dir() else {}
    process = subprocess.Popen(server, env=os.environ | environment)
    try:
        port = _port(port_file, process, LOADING_TIMEOUT)
        if port is None and process.poll() is None:
            print(
                f"the model server did not answer GET /ping within {LOADING_TIMEOUT:.0f} s: "
                "its model_fn, or the import of its module, hangs or takes too long",
                file=sys.stderr,
                flush=True,
            )
        if port is None:
            return process.returncode or 1
        return _transform(plan, port, process)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()


def _transform(plan: Plan, port: int, process: "subprocess.Popen[bytes]") -> int:
    client = plan.request.get("ModelClientConfig", {})
    server = Server(
        port,
        content_type=plan.request["TransformInput"].get("ContentType"),
        accept=plan.request["TransformOutput"].get("Accept"),
        timeout=client.get("InvocationsTimeoutInSeconds", 600),
        retries=client.get("InvocationsMaxRetries", 3),
        is_alive=lambda: process.poll() is None,
    )
    limits = Limits.choose(plan.request, server.execution_parameters())
    log(str(limits))
    transformation = Transformation(plan, limits, server.invoke)
    transformation.run()
    if process.poll() is not None:
        log(f"Unable to get response from algorithm: the model server ended, exit code {process.returncode}")
        return 1
    if failures := transformation.failures:
        more = f" ({len(failures)} of {len(plan.objects)} objects failed)" if len(plan.objects) > 1 else ""
        plan.failure.write_text(failures[0] + more)
    return 0


def _port(path: Path, process: "subprocess.Popen[bytes]", patience: float) -> int | None:
    """The port of the server once it listens; None when it ended before, or after `patience` seconds."""
    deadline = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < deadline:
        if path.exists():
            return int(path.read_text())
        time.sleep(0.02)
    return None


def _raise_loopback() -> None:
    """In a network namespace of its own the job starts without even 127.0.0.1."""
    up, get_flags, set_flags = 1, 0x8913, 0x8914
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, get_flags, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack_from("16sH", answer)[1]
        fcntl.ioctl(probe, set_flags, struct.pack("16sH14x", b"lo", flags | up))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
