"""Telling requests of web pages from those of clients: any page can send some to ports of this machine."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAMES = ("127.0.0.1", "localhost")
_OWN_SITES = ("none", "same-origin")  # values of Sec-Fetch-Site: typed by the user, or sent by a page of ours

_NAVIGATION, _DOCUMENT = ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")  # of a followed link


def refusal(headers: Iterable[tuple[str, str]], port: int) -> str | None:
    """Why a request to our `port` may be a web page's, as one line; None for one that no page can send.

    `headers` are all of the request, names in lower case. A page that resolves its own name to this machine
    (DNS rebinding) shows in Host, any other one in Origin or, in current browsers, in Sec-Fetch-Site.
    """
    hosts = []
    for name, value in headers:
        if name == "host":
            hosts.append(value)
        elif name == "origin" and not _is_ours(value.lower().removeprefix("http://"), port):
            return f"requests of web pages are refused, and this one came from {value}"
        elif name == "sec-fetch-site" and value.lower() not in _OWN_SITES:
            return f"requests of web pages are refused, and this one is {value}"
    if len(hosts) != 1 or not _is_ours(hosts[0].lower(), port):
        return f"the header Host must be {_NAMES[0]}:{port} or {_NAMES[1]}:{port}, not {', '.join(hosts)}"
    return None


def without_cors(send: Send) -> Send:
    """`send` for an answer that no page of another origin may read, whatever the application thinks of it."""

    async def send_without(message: Message) -> None:
        if "headers" in message:
            headers: Iterable[tuple[bytes, bytes]] = message["headers"]
            kept = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without


class OwnPages:
    """ASGI: pages on `port` that only they themselves, and programs, may use; others may link to them."""

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        pairs = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        if scope.get("method") == "GET" and {_NAVIGATION, _DOCUMENT} <= set(pairs):
            pairs = [pair for pair in pairs if pair[0] != "sec-fetch-site"]
        reason = refusal(pairs, self._port)
        if reason is None:
            await self._app(scope, receive, without_cors(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": reason.encode()})


def _is_ours(host: str, port: int) -> bool:
    """Also for names below localhost, which S3 clients make of buckets: no name server answers for them."""
    name, _, number = host.rpartition(":")
    return number == str(port) and (name in _NAMES or name.endswith(".localhost"))
