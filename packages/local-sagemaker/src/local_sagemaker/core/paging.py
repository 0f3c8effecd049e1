"""Filters, order and pages of the List operations."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document

_PAGE = 100


def select(
    items: list[Document],
    request: Document,
    *,
    name: str,
    sort_keys: dict[str, str],
    descending: bool = True,
) -> list[Document]:
    """The `items` that a List request asks for, in its order.

    `items` come oldest first. `name` is the member that ``NameContains`` and name prefixes look at;
    `sort_keys` maps the request's ``SortBy`` values to members, ``CreationTime`` being the default.
    `descending` is the operation's default ``SortOrder``.
    """
    bounds: list[tuple[str, str, Callable[[float, float], bool]]] = [
        ("CreatedAfter", "CreationTime", lambda seen, bound: seen > bound),
        ("CreatedBefore", "CreationTime", lambda seen, bound: seen < bound),
        ("CreationTimeAfter", "CreationTime", lambda seen, bound: seen > bound),
        ("CreationTimeBefore", "CreationTime", lambda seen, bound: seen < bound),
        ("LastModifiedTimeAfter", "LastModifiedTime", lambda seen, bound: seen > bound),
        ("LastModifiedTimeBefore", "LastModifiedTime", lambda seen, bound: seen < bound),
    ]
    kept = [
        item
        for item in items
        if all(holds(item.get(member, 0.0), request[key]) for key, member, holds in bounds if key in request)
        and request.get("NameContains", "").lower() in str(item.get(name, "")).lower()
    ]
    member = sort_keys.get(request.get("SortBy", "CreationTime"), "CreationTime")
    if member != "CreationTime":  # the order of creation is the order of `items`, finer than the clock's
        kept.sort(key=lambda item: str(item.get(member, "")))
    order = request.get("SortOrder", "Descending" if descending else "Ascending")
    return kept[::-1] if order == "Descending" else kept


def page(items: list[Any], request: Document, key: str, identity: Callable[[Any], str]) -> Document:
    """One page of `items` under `key`, with ``NextToken`` when there are more.

    A token names the last item seen, so that items which appear or vanish between two requests
    neither repeat nor hide others. Raises ValidationError for a token that is not ours.
    """
    start = _after(items, request["NextToken"], identity) if request.get("NextToken") else 0
    end = start + request.get("MaxResults", _PAGE)
    response: Document = {key: items[start:end]}
    if end < len(items):
        token = json.dumps([end, identity(items[end - 1])], allow_nan=False)
        response["NextToken"] = base64.urlsafe_b64encode(token.encode()).decode()
    return response


def _after(items: list[Any], token: str, identity: Callable[[Any], str]) -> int:
    try:
        position, last = json.loads(base64.urlsafe_b64decode(token.encode()))
        start = int(position)
    except (binascii.Error, ValueError, TypeError, OverflowError) as error:
        raise ValidationError(f"NextToken {token!r} is not a token that this service gave") from error
    for index, item in enumerate(items):
        if identity(item) == last:
            return index + 1
    return max(0, min(start, len(items)))
