"""Requests to a model server: SageMaker's side of the container contract.

Source: the Amazon SageMaker documentation, "Use Your Own Inference Code with Batch Transform".
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_HOST = "127.0.0.1"
_TRY_AGAIN = (429, 502, 503, 504)
_SHOWN = 600  # characters of an answer that go into a message


class InvocationError(Exception):
    """The server refused a request or gave no answer; one line, in the words of batch transform's log.

    `kind` says whose error it was: "ClientError" or "AlgorithmError".
    """

    def __init__(self, words: str, kind: str) -> None:
        super().__init__(words)
        self.kind = kind


@dataclass
class Server:
    """A model server on this machine. Its functions may be called from any thread.

    `timeout` is in seconds, for one request; `retries` follow a request without an answer, or with
    one that says to come again later.
    """

    port: int
    content_type: str | None = None
    accept: str | None = None
    timeout: float = 600.0
    retries: int = 3
    is_alive: Callable[[], bool] = lambda: True
    _local: threading.local = field(default_factory=threading.local)

    def invoke(self, body: bytes) -> bytes:
        """The answer to POST /invocations. Raises InvocationError."""
        headers = {"Content-Type": self.content_type, "Accept": self.accept}
        given = {name: value for name, value in headers.items() if value}
        for attempt in range(self.retries + 1):
            kind = "AlgorithmError"
            try:
                status, answer = self._ask("POST", "/invocations", body, given)
            except (OSError, http.client.HTTPException) as error:
                words = f"Unable to get response from algorithm: {_words(error, self.timeout)}"
            else:
                if status == 200:
                    return answer
                words = f"Bad HTTP status received from algorithm: {status}: {message(answer)}"
                if 400 <= status < 500:
                    kind, words = "ClientError", f"ClientError: {status}: {message(answer)}"
                if status not in _TRY_AGAIN:
                    break
            if not self.is_alive() or attempt == self.retries:
                break
            time.sleep(0.1 * 2**attempt)
        raise InvocationError(words, kind)

    def execution_parameters(self) -> dict[str, Any]:
        """What the server says at GET /execution-parameters; {} when it does not know it."""
        try:
            status, answer = self._ask("GET", "/execution-parameters", None, {})
            parameters = json.loads(answer) if status == 200 else {}
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return parameters if isinstance(parameters, dict) else {}

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(_HOST, self.port, timeout=self.timeout)
            self._local.connection = connection
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except BaseException:
            self._local.connection = None
            with contextlib.suppress(OSError):
                connection.close()
            raise


def message(answer: bytes) -> str:
    """What an answer that is no result says: its JSON ``error``, or its first line."""
    text = answer.decode(errors="replace").strip()
    with contextlib.suppress(ValueError):
        body = json.loads(text)
        if isinstance(body, dict) and isinstance(body.get("error"), str):
            text = body["error"].strip()
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return first if len(first) <= _SHOWN else first[:_SHOWN] + "..."


def _words(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within InvocationsTimeoutInSeconds ({timeout:g} s)"
    return str(error) or type(error).__name__
