"""Who may use a port of ours: clients with the root's session token. A web page may not, nor another user.

Every port that speaks AWS's protocols stands behind this: it is ASGI, and knows nothing of what it guards.
"""

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from local_sagemaker.api import refusals
from local_sagemaker.core import tokens
from local_sagemaker.serving import browsers
from local_sagemaker.serving.browsers import App, Message, Receive, Scope, Send

TOKEN = "x-amz-security-token"
_FORM_START = 64 * 1024  # bytes of a form in which its token has to come
_FORM_TOKEN = re.compile(
    rb'name="?x-amz-security-token"?\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n', re.IGNORECASE
)
_DRAINED = 8 * 1024 * 1024  # bytes of a refused request that are read, so that its sender reads the answer


class Access:
    """Lets through to `app` what may use it, and answers all else with 403.

    `token` is the root's, `port` the one we listen on, `command` what users type before ``env``. Paths for
    which `is_public` is true need no token. Calls with a role's token are written to standard output.
    """

    def __init__(
        self, app: App, token: str, port: int, command: str, is_public: Callable[[str, str], bool]
    ) -> None:
        self._app = app
        self._token = token
        self._port = port
        self._is_public = is_public
        self._advice = (
            "The security token included in the request is invalid: these local services take the"
            f" AWS_SESSION_TOKEN that `{command} env` prints, together with the other variables"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        pairs = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        headers = dict(pairs)
        query = {name.lower(): value for name, value in parse_qsl(scope["query_string"].decode("latin-1"))}
        reason = browsers.refusal(pairs, self._port)
        if reason is not None:
            await _refuse(scope, receive, send, refusals.access_denied(reason, headers, query))
            return
        if not self._is_public(scope.get("method", ""), scope["path"]):
            given = headers.get(TOKEN) or query.get(TOKEN)
            if given is None and headers.get("content-type", "").lower().startswith("multipart/form-data"):
                given, receive = await _of_form(receive)
            role = tokens.holder(self._token, given or "")
            if role is None:
                await _refuse(scope, receive, send, refusals.invalid_token(self._advice, headers, query))
                return
            if role:
                action = headers.get("x-amz-target") or f"{scope.get('method', 'WEBSOCKET')} {scope['path']}"
                call = f"{refusals.service(headers, query)} {action}".strip()
                print(f"{time.strftime('%F %T')} role {role}: {call!a}", flush=True)
        await self._app(scope, receive, browsers.without_cors(send))


async def _of_form(receive: Receive) -> tuple[str | None, Receive]:
    """The token in the fields of a form (S3's presigned POST), and how to receive the body from its start."""
    messages: list[Message] = []
    start = b""
    while len(start) < _FORM_START:
        messages.append(await receive())
        start += messages[-1].get("body", b"")
        if not messages[-1].get("more_body"):
            break
    field = _FORM_TOKEN.search(start)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return (field[1].decode("latin-1") if field else None), again


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: refusals.Refusal) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    read = 0
    while read < _DRAINED:
        message = await receive()
        read += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body, headers = refusal
    headers = {**headers, "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 403, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
