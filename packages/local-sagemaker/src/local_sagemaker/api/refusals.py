"""Refusals that AWS's clients understand, in the protocol in which they ask."""

import json
import re
import secrets
from collections.abc import Mapping
from xml.sax.saxutils import escape

_SERVICE = re.compile(r"[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")  # in a signature's credential
_FORM = "application/x-www-form-urlencoded"
_S3 = ("s3", "s3express", "s3-object-lambda")
_REST_XML = ("cloudfront", "route53")

Refusal = tuple[bytes, dict[str, str]]


def invalid_token(message: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Refusal:
    """The body and the headers of the answer to a request whose session token is missing or wrong.

    `headers` and `query` are the request's, names in lower case. The code is that of the protocol: S3 knows
    InvalidToken, services with forms InvalidClientTokenId, all others UnrecognizedClientException.
    """
    return _refusal(
        ("InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException"), message, headers, query
    )


def access_denied(message: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Refusal:
    """The same for a request that nobody may send."""
    return _refusal(("AccessDenied", "AccessDenied", "AccessDeniedException"), message, headers, query)


def service(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The service that a request is signed for, such as ``s3``; "" for one without such a signature."""
    signed = _SERVICE.search(headers.get("authorization", "") + query.get("x-amz-credential", ""))
    return signed[1] if signed else ""


def _refusal(
    codes: tuple[str, str, str], message: str, headers: Mapping[str, str], query: Mapping[str, str]
) -> Refusal:
    s3, form, others = codes
    identity = secrets.token_hex(16)
    known = {"x-amzn-requestid": identity, "x-amz-request-id": identity}
    name = service(headers, query)
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        body = b"\xa2" + b"".join(map(_cbor, ("__type", others, "message", message)))
        return body, known | {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    if headers.get("content-type", "").startswith(_FORM) or name in _REST_XML:
        error = f"<Error><Type>Sender</Type><Code>{form}</Code><Message>{escape(message)}</Message></Error>"
        xml = f"<ErrorResponse>{error}<RequestId>{identity}</RequestId></ErrorResponse>"
        return xml.encode(), known | {"content-type": "text/xml"}
    if name not in ("", *_S3) or "x-amz-target" in headers:
        text = json.dumps({"__type": others, "message": message}, allow_nan=False)
        return text.encode(), known | {"content-type": "application/json", "x-amzn-errortype": others}
    error = f"<Code>{s3}</Code><Message>{escape(message)}</Message><RequestId>{identity}</RequestId>"
    return f"<Error>{error}</Error>".encode(), known | {"content-type": "application/xml"}


def _cbor(text: str) -> bytes:
    """A text string of RFC 8949, of less than 65,536 bytes."""
    content = text.encode()
    return b"\x79" + len(content).to_bytes(2, "big") + content
