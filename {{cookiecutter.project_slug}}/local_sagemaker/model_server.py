"""A model server as SageMaker's inference images have one: ``python -m local_sagemaker.model_server``.

GET /ping, GET /execution-parameters and POST /invocations on 127.0.0.1, for a model unpacked into a
folder. What happens to a request is `model_handlers` or `tensorflow_serving`, chosen by the image.
Needs nothing but the standard library and what the model needs, and knows nothing of who calls it.
"""

import argparse
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """A response: `body` as it is sent."""

    status: int
    body: bytes
    content_type: str


class ModelError(Exception):
    """The model cannot be served; one line that says what to do."""


class Model(Protocol):
    """A loaded model. One request at a time comes to it."""

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to POST /invocations, errors of the model's own code included."""

    def execution_parameters(self) -> dict[str, Any] | None:
        """What GET /execution-parameters answers; None for 404."""


def load(kind: str, folder: Path) -> Model:
    """Load the model in `folder` as an image of `kind` would. Raises ModelError.

    `kind` is one of those that `inference_images.kind_of` gives.
    """
    if kind == "tensorflow":
        from local_sagemaker.tensorflow_serving import TensorFlowServing

        return TensorFlowServing(folder)
    from local_sagemaker.model_handlers import Toolkit

    return Toolkit(kind, folder)


@dataclass(frozen=True)
class Request:
    """A request; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer(ThreadingHTTPServer):
    """Answers requests to `port` of 127.0.0.1, 0 for a free one (`server_port` tells which)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, respond: Callable[[Request], Answer], port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.respond = respond


class ModelServer(HttpServer):
    """Serves `model`."""

    def __init__(self, model: Model, port: int = 0) -> None:
        super().__init__(self._respond, port)
        self._model = model
        # The containers let one worker process run the user's code for one request at a time.
        self._turn = threading.Lock()

    def _respond(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/invocations"):
            with self._turn:
                return self._model.invoke(request.body, request.headers)
        if (request.method, request.path) == ("GET", "/ping"):
            return Answer(200, b"", "text/plain")
        if (request.method, request.path) == ("GET", "/execution-parameters"):
            wishes = self._model.execution_parameters()
            if wishes is not None:
                return Answer(200, json.dumps(wishes).encode(), "application/json")
        return Answer(404, b"", "text/plain")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: HttpServer

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if length.isdigit():
            self._answer(self.rfile.read(int(length)))
        else:
            self.close_connection = True
            self._send(Answer(411, b"Content-Length is needed", "text/plain"))

    def _answer(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = self.server.respond(Request(self.command, self.path, headers, body))
        except Exception as error:
            traceback.print_exc()
            answer = Answer(500, f"{type(error).__name__}: {error}".encode(), "text/plain")
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing for each request: a job makes thousands."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; 1 when the model cannot be loaded, its reason the last line printed."""
    parser = argparse.ArgumentParser(prog="local_sagemaker.model_server")
    parser.add_argument("--kind", required=True)
    parser.add_argument("--model-dir", required=True, type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, help="where to write the port once it can be asked")
    given = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        model = load(given.kind, given.model_dir)
    except ModelError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    server = ModelServer(model, given.port)
    if given.port_file:
        draft = given.port_file.with_name(given.port_file.name + ".new")
        draft.write_text(str(server.server_port))
        draft.replace(given.port_file)
    server.serve_forever()
    return 0


def inside(folder: Path, code: str | None) -> Path:
    """The folder of the user's code: `code` where that is one, else ``code/`` of the model."""
    return Path(code) if code and os.path.isdir(code) else folder / "code"


def guarded(what: str, action: Callable[[], Any]) -> Any:
    """`action`, whose error ends the server: its traceback is printed, ModelError names `what`."""
    try:
        return action()
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        first = next(iter(str(error).strip().splitlines()), "")
        raise ModelError(f"{what}: {type(error).__name__}{': ' if first else ''}{first}") from error


if __name__ == "__main__":
    # This module once more, under the name by which the others import it: one ModelError, not two.
    from local_sagemaker import model_server

    sys.exit(model_server.main())
