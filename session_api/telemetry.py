"""Around every request: its id, one log line, its place in the metrics, and what all answers tell browsers and proxies.

A WSGI layer and no hooks of Flask: after a wait for the database a processor has forgotten all code that ran before, so
that each line here costs several times what a loop over it shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from time import perf_counter
from typing import Any

from flask import request
from prometheus_client import Histogram

from . import call, caller, headers, metrics
from .errors import DatabaseUnavailable
from .logs import cause

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"})
_PROBES = ("/health/live", "/health/ready", "/metrics")


class Telemetry:
    """The layer around Flask; `log` takes a level, a message and fields."""

    def __init__(self, application: Any, log: Callable[..., None]) -> None:
        self._application = application
        self._log = log
        self._in_flight: set[call.Call] = set()

    def note(self) -> None:
        """Put how many requests are being answered into the metrics; to be called every now and then.

        To count each of them there would cost as much as its line in the log.
        """
        metrics.in_flight().set(len(self._in_flight))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        at_hand = call.begin(environ)
        caller.is_at(environ.get("gunicorn.socket"))

        def start(status: str, head: list[tuple[str, str]], *error: Any) -> Any:
            headers.add(head, at_hand.request_id, environ["wsgi.url_scheme"])
            self._finish(at_hand, environ["REQUEST_METHOD"], int(status[:3]))
            return start_response(status, head, *error)

        self._in_flight.add(at_hand)
        try:
            answer: Iterable[bytes] = self._application(environ, start)
            return answer
        finally:
            self._in_flight.discard(at_hand)

    def _finish(self, at_hand: call.Call, method: str, status: int) -> None:
        seconds = perf_counter() - at_hand.started
        rule = request.url_rule
        # A caller may make methods up: each would be a word of its own in the log, and a series in the metrics.
        method = method if method in _METHODS else "other"
        route, duration = _place(rule.rule if rule else None, method, status // 100)
        duration.observe(seconds)
        failure = at_hand.failure
        if isinstance(failure, DatabaseUnavailable) and route not in _PROBES:
            metrics.UNAVAILABLE.labels(failure.reason).inc()
        level, message, more = "debug" if route in _PROBES else "info", "request", {}
        if status >= 500 and failure is not None:
            level, message, more = "error", "request failed", cause(failure)
        self._log(
            level,
            message,
            request_id=at_hand.request_id,
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 3),
            tenant=at_hand.tenant_id,
            key_id=at_hand.api_key and at_hand.api_key.key_id,
            **({"trace_id": at_hand.trace_id} if at_hand.trace_id else {}),
            **more,
        )


@lru_cache(maxsize=256)
def _place(rule: str | None, method: str, status_class: int) -> tuple[str | None, Histogram]:
    """The rule as the API's documentation writes it, {session_id} for <session_id:session_id>, and its histogram."""
    route = rule and re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)
    return route, metrics.DURATION.labels(route or "none", method, f"{status_class}xx")
