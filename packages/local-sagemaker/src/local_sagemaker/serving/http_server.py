"""Requests and answers of the servers that stand for containers: on 127.0.0.1, one thread a connection."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_sagemaker.serving import browsers

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """A response: `body` as it is sent."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True)
class Request:
    """A request; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer(ThreadingHTTPServer):
    """Answers requests to `port` of 127.0.0.1, 0 for a free one (`server_port` says which)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, respond: Callable[[Request], Answer], port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.respond = respond


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
        pairs = [(name.lower(), value) for name, value in self.headers.items()]
        if reason := browsers.refusal(pairs, self.server.server_port):
            self._send(Answer(403, reason.encode(), "text/plain"))
            return
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
