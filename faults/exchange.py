"""Reads from an HTTP request and its answer what they mean for the history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from requests import exceptions
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from .documents import fingerprint
from .history import FAILED, OK, UNKNOWN

_PREFIX = "/api/v1/"


def request(method: str, url: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is known when a request is sent."""
    parts = urlsplit(url)
    key = parts.path.partition(_PREFIX)[2]
    collection = key.split("/")[-1] if key.count("/") % 2 == 0 else key.split("/")[-2]
    resource = collection[:-1]
    is_list = method == "GET" and key.count("/") % 2 == 0
    if method == "POST" and body is not None:
        key = f"{key}/{body[f'{resource}_id']}"
    return {
        "operation": f"{method} {collection if is_list else resource}",
        "key": key,
        "sha256": None if body is None else fingerprint(resource, body),
        "query": parts.query,
    }


def answer(operation: str, key: str, status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is known when its answer came."""
    details = body.get("details") or {}
    known: dict[str, Any] = {"status": status, "outcome": outcome(status, details)}
    method, resource = operation.split(" ")
    if status == 503:
        known["applied"] = details.get("applied")
    elif status == 404:
        known["missing"] = _part(key, details.get("resource"))
    elif status == 200 and method == "GET" and resource.endswith("s"):
        known["rows"] = tuple(rows(key, body[resource]))
    elif status == 200 and method == "GET":
        known["sha256"] = fingerprint(resource, body)
    return known


def rows(collection: str, listed: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Key and fingerprint of each row of a list."""
    resource = collection.split("/")[-1][:-1]
    for row in listed:
        yield f"{collection}/{row[f'{resource}_id']}", fingerprint(resource, row)


def outcome(status: int, details: Mapping[str, Any]) -> str:
    if status < 400 or (status == 409 and details.get("identical") is True):
        return OK
    if status < 500 or (status == 503 and details.get("applied") is False):
        return FAILED
    return UNKNOWN


def outcome_without_answer(failure: Exception) -> str:
    """A request that found nobody was never sent; of any other, nobody knows."""
    below = getattr(failure.args[0], "reason", None) if failure.args else None
    never_sent = isinstance(failure, exceptions.ConnectTimeout) or isinstance(
        below, NewConnectionError | ConnectTimeoutError
    )
    return FAILED if never_sent else UNKNOWN


def parsed(content: bytes | str | None) -> dict[str, Any]:
    """The body, or nothing where it is not a JSON object."""
    try:
        body = json.loads(content or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _part(key: str, resource: object) -> str | None:
    """The leading part of the key that names this kind of resource."""
    parts = key.split("/")
    length = {"session": 2, "agent": 4, "message": 6}.get(str(resource), 0)
    return "/".join(parts[:length]) if 0 < length <= len(parts) + 1 else None
