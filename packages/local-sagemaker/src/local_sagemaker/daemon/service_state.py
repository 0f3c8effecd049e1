"""ministack's state on disk before its answers, in the files that it writes itself when it stops.

By itself ministack 1.5.33 writes them only then, so a kill loses every Lambda function, rule, schedule, role
and bucket made since its start. docs/ministack.md offers the repair upstream.
"""

import asyncio
import contextlib
import contextvars
import hashlib
import json
import os
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from local_sagemaker.daemon import object_files
from local_sagemaker.serving.browsers import App, Message, Receive, Scope, Send

_READS = ("GET", "HEAD", "OPTIONS")
# CloudWatch Logs grow with every line of a job: they are written in the background only.
_LARGE = frozenset({"cloudwatch_logs"})
# Creates resources of all services.
_ANY = frozenset({"cloudformation"})
_PAUSE, _SHARE = 2.0, 20  # seconds between writes in the background; and so many times what one takes


class NotKept(Exception):
    """The state of a service could not be written; the text says why."""


def install(folder: Path) -> None:
    """Change the imported ministack in this process, whose STATE_DIR is `folder`."""
    from ministack import app

    app.app = durable = DurableApp(app.app, folder)
    load = app._get_module

    def load_and_adapt(name: str) -> Any:
        module = load(name)
        if name == "lambda_svc":
            durable.adapt_lambda(module)
        return module

    app._get_module = load_and_adapt


def _settle(account: str, region: str, name: str) -> None:
    """A function that was Pending when ministack was killed becomes Active: no thread is left to do it."""
    from ministack.core import responses
    from ministack.services import lambda_svc

    responses.set_request_account_id(account)
    responses.set_request_region(region)
    lambda_svc._schedule_state_transition(name, 0)


class DurableApp:
    """ministack's ASGI application; a change that is not on disk is an error to the client.

    After such an error the service refuses further changes until its state can be written: a client's retry
    of a creation gets the same error, not "already exists".
    """

    def __init__(self, app: App, folder: Path) -> None:
        """`folder` is ministack's STATE_DIR."""
        self._app = app
        self._folder = folder
        self._written: dict[str, bytes] = {}  # digests of what the files hold, by service
        self._unkept: set[str] = set()
        self._changed = False
        self._background: asyncio.Task[None] | None = None
        self._unused: list[set[str]] = []
        self._prune: Callable[[set[str]], None] | None = None

    def adapt_lambda(self, module: Any) -> None:
        """Change ministack's service Lambda, which takes long to load, once it is loaded."""
        if self._prune is not None:
            return
        # Reading Lambda's state removes the code that it no longer names: not before that is written.
        self._prune = module._prune_orphan_code_blobs
        module._prune_orphan_code_blobs = self._unused.append
        load = module.load_persisted_state

        def load_and_settle(data: Any) -> None:
            load(data)
            for account, region, name in list(module._functions._data):
                contextvars.copy_context().run(_settle, account, region, name)

        module.load_persisted_state = load_and_settle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._background is None:
            self._background = asyncio.create_task(self._write_in_background())
        request = _Request(scope)
        answer = _Answer(send, request)
        try:
            with object_files.watched() as failures:
                if not request.reads and self._unkept & request.states:
                    self._keep(self._unkept & request.states)
                uploads = _uploads()
                try:
                    await self._app(scope, receive, answer.hold)
                except Exception:
                    if failures.error is None:
                        raise
                if failures.error is not None:
                    object_files.reload(failures.objects)
                    _restore(uploads)
                    await answer.replace(*_failed(failures))
                    return
            if not request.reads:
                self._keep(request.states - _LARGE)
                self._changed = True
            await answer.release()
        except NotKept as error:
            await answer.replace(
                500, "InternalError" if request.service == "s3" else "InternalFailure", str(error)
            )
        except Exception as error:
            if answer.sent:
                raise
            with contextlib.suppress(OSError):
                traceback.print_exc()
            await answer.replace(500, "InternalFailure", f"ministack: {error!r}")

    def _keep(self, services: Iterable[str]) -> None:
        """Write the state of `services` that changed. Raises NotKept."""
        for service in services:
            try:
                self._write(service)
            except OSError as error:
                self._unkept.add(service)
                raise NotKept(f"the state of the services cannot be written: {error.strerror}") from error
            self._unkept.discard(service)

    def _write(self, service: str) -> None:
        from ministack import app
        from ministack.core import persistence

        if "ministack.services.lambda_svc" in sys.modules:  # another service may have loaded it
            self.adapt_lambda(sys.modules["ministack.services.lambda_svc"])
        self._unused.clear()
        read = app._build_persistence_save_dict().get(service)
        state = read() if read else None
        if state is None:
            return
        content = json.dumps(
            {"__ministack_format__": persistence._state_format_version(service), "payload": state},
            default=persistence._json_default,
        ).encode()
        digest = hashlib.sha256(content).digest()
        if self._written.get(service) == digest:
            return
        draft, target = self._folder / f"{service}.json.tmp", self._folder / f"{service}.json"
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self._written[service] = digest
        for referenced in self._unused:
            if self._prune:
                self._prune(referenced)

    async def _write_in_background(self) -> None:
        """What requests changed beside the state of their own service, such as the groups of logs."""
        from ministack import app

        took = 0.0
        while True:
            await asyncio.sleep(max(_PAUSE, _SHARE * took))
            if not self._changed:
                continue
            self._changed = False
            started = time.monotonic()
            for service in app._build_persistence_save_dict():
                # A thread of ministack may change what is read: the next turn writes it.
                with contextlib.suppress(OSError, RuntimeError):
                    self._write(service)
            took = time.monotonic() - started


class _Request:
    """What of a request says which service it is for."""

    def __init__(self, scope: Scope) -> None:
        from ministack import app
        from ministack.core import router

        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        self.path: str = scope["path"]
        self.reads = scope["method"] in _READS
        self.is_form = "x-www-form-urlencoded" in headers.get("content-type", "")
        self.service = str(router.detect_service(scope["method"], self.path, headers, query))
        known = app.SERVICE_REGISTRY.get(self.service)
        if known is None or self.service in _ANY:
            self.states = frozenset(app._build_persistence_save_dict())
        else:
            self.states = frozenset({known.get("state_key", known["module"]), *known.get("sub_modules", ())})


class _Answer:
    """ministack's answer, held back until it may be sent."""

    def __init__(self, send: Send, request: _Request) -> None:
        self._send = send
        self._request = request
        self._held: list[Message] = []
        self.sent = False

    async def hold(self, message: Message) -> None:
        streams = message.get("more_body", False)
        self._held.append(message)
        if self.sent or streams:  # a live tail or a proxied answer: it has no end to wait for
            await self.release()

    async def release(self) -> None:
        self.sent = True
        held, self._held = self._held, []
        for message in held:
            await self._send(message)

    async def replace(self, status: int, code: str, message: str) -> None:
        """Send an error in the words of the service's protocol in place of the answer."""
        self.sent = True
        await _refuse(self._send, status, code, message, self._request)


async def _refuse(send: Send, status: int, code: str, message: str, request: _Request) -> None:
    identity = secrets.token_hex(16)
    if request.service == "s3":
        resource = f"<Resource>{escape(request.path)}</Resource>"
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{resource}"
        media, text = "application/xml", f"{body}<RequestId>{identity}</RequestId></Error>"
    elif request.is_form:
        body = f"<Error><Type>Receiver</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        media, text = "text/xml", f"<ErrorResponse>{body}<RequestId>{identity}</RequestId></ErrorResponse>"
    else:
        media, text = "application/json", json.dumps({"__type": code, "message": message})
    content = text.encode()
    headers = {
        "content-type": media,
        "content-length": str(len(content)),
        "x-amzn-requestid": identity,
        "x-amzn-errortype": code,
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})


def _failed(failures: object_files.Failures) -> tuple[int, str, str]:
    reason = failures.error.strerror if failures.error else ""
    done = "read" if failures.reading else "written"
    return 500, "InternalError", f"the object cannot be {done}: {reason}"


def _uploads() -> dict[Any, Any]:
    """The multipart uploads that are not complete; {} before S3 is used."""
    s3 = sys.modules.get("ministack.services.s3")
    return dict(s3._multipart_uploads._data) if s3 else {}


def _restore(uploads: dict[Any, Any]) -> None:
    """Bring back the upload whose completion failed, so that it can be tried again."""
    from ministack.services import s3

    for identity, upload in uploads.items():
        s3._multipart_uploads._data.setdefault(identity, upload)
