"""What is known of the request at hand, from its first byte to its line in the log."""

from __future__ import annotations

import re
from contextvars import ContextVar
from random import getrandbits
from time import perf_counter
from typing import Any

from .key_table import ApiKey

# What looks like a key does not belong into a log.
_REQUEST_ID = re.compile(r"(?!sk_)[A-Za-z0-9._-]{1,64}")


class Call:
    """One request: its id, when it came, whose it is once that is known, and what it failed for."""

    __slots__ = ("api_key", "failure", "request_id", "started", "tenant_id", "trace_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.started = perf_counter()
        self.tenant_id: str | None = None
        self.api_key: ApiKey | None = None
        self.failure: Exception | None = None
        self.trace_id: str | None = None


_current: ContextVar[Call] = ContextVar("call")


def begin(environ: dict[str, Any]) -> Call:
    """The request of this WSGI environment is from now on the one at hand, in this thread or greenlet."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    call = Call(given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(64):016x}")
    _current.set(call)
    return call


def current() -> Call:
    """Raises LookupError where no request has begun."""
    return _current.get()
