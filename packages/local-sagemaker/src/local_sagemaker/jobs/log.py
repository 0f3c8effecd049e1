"""A job's log: its file, CloudWatch Logs, and the reason of a failure."""

import contextlib
import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.core import clock
from local_sagemaker.core.settings import Settings

_BATCH_EVENTS = 1_000
_BATCH_BYTES = 900_000  # PutLogEvents takes 1 MiB, 26 bytes more than the text for each event
_LONGEST_LINE = 200_000
_REMEMBERED = 200

# How the drivers of SageMaker's SDK and bash end a failed run, after the script's own last word.
_DRIVER_VERDICT = re.compile(r"Command failed with exit code \d+\. Traceback")
_DRIVER_NOISE = re.compile(
    r"\++ |An error occurred with exit code \d+$|Training Execution failed\.|TrainingJob - "
)


class LogFile:
    """The file that all instances of a job write to, line by line."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("w", encoding="utf-8", errors="replace")

    def write(self, line: str) -> None:
        # A full disk must not keep the job's output from being read: the job would wait forever.
        with self._lock, contextlib.suppress(OSError):
            if not self._file.closed:
                self._file.write(line + "\n")
                self._file.flush()

    def close(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._file.close()


class JobLog:
    """Lines of one instance, written as they come. One writer thread and `note` from another are fine.

    `mark` begins each line in a file that several instances share.
    """

    def __init__(
        self, file: LogFile, mark: str = "", on_line: Callable[[str, float], None] = lambda _line, _now: None
    ) -> None:
        self._lock = threading.Lock()
        self._file = file
        self._mark = mark
        self._on_line = on_line
        self._events: list[tuple[float, str]] = []
        self._tail: deque[str] = deque(maxlen=_REMEMBERED)

    def note(self, line: str) -> None:
        """Something about the job that it did not print itself."""
        self._write(f"[local-sagemaker] {line}")

    def copy(self, output: IO[bytes]) -> None:
        """All that the job prints, until it closes `output`."""
        for raw in iter(lambda: output.readline(_LONGEST_LINE), b""):
            line = raw.decode(errors="replace").rstrip("\r\n")
            # Progress bars overwrite their line; what they end with is what counts.
            line = line.rpartition("\r")[2]
            self._write(line)
            if line.strip():
                self._tail.append(line.strip())
            self._on_line(line, clock.now())

    def _write(self, line: str) -> None:
        with self._lock:
            self._events.append((clock.now(), line))
            self._file.write(self._mark + line)

    def reason(self) -> str:
        """The job's own last words: the last line before the drivers' post-mortem."""
        lines = list(self._tail)
        verdicts = [number for number, line in enumerate(lines) if _DRIVER_VERDICT.match(line)]
        if verdicts and verdicts[-1] > 0:
            lines = lines[: verdicts[-1]]
        return next((line for line in reversed(lines) if not _DRIVER_NOISE.match(line)), "")

    def send(self, settings: Settings, group: str, stream: str) -> None:
        """Put the lines into CloudWatch Logs. The file is what counts: errors are ignored."""
        with contextlib.suppress(BotoCoreError, ClientError):
            logs = settings.client("logs")
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            for batch in self._batches():
                logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)

    def _batches(self) -> list[list[dict[str, Any]]]:
        batches: list[list[dict[str, Any]]] = [[]]
        size = 0
        for when, line in self._events:
            weight = len(line.encode(errors="replace")) + 26
            if len(batches[-1]) == _BATCH_EVENTS or size + weight > _BATCH_BYTES:
                batches.append([])
                size = 0
            batches[-1].append({"timestamp": int(when * 1000), "message": line or " "})
            size += weight
        return [batch for batch in batches if batch]
