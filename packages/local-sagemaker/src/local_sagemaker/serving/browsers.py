"""Telling requests of web pages from those of clients: any page can send some to ports of this machine."""

from collections.abc import Iterable

_NAMES = ("127.0.0.1", "localhost")
_OWN_SITES = ("none", "same-origin")  # values of Sec-Fetch-Site: typed by the user, or sent by a page of ours


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


def _is_ours(host: str, port: int) -> bool:
    """Also for names below localhost, which S3 clients make of buckets: no name server answers for them."""
    name, _, number = host.rpartition(":")
    return number == str(port) and (name in _NAMES or name.endswith(".localhost"))
