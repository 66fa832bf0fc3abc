"""What is known about every request: its id, one log line, its place in the metrics."""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from time import perf_counter

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Histogram

from . import auth, metrics
from .errors import DatabaseUnavailable
from .logs import cause

log = structlog.get_logger("session_api")

# What looks like a key does not belong into a log.
_REQUEST_ID = re.compile(r"(?!sk_)[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"})
_PROBES = ("/health/live", "/health/ready", "/metrics")


def init_app(app: Flask) -> None:
    app.before_request(_start)
    app.after_request(_finish)
    app.teardown_request(_leave)


def _start() -> None:
    g.started = perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.failure = None
    metrics.in_flight().inc()


def _finish(response: Response) -> Response:
    seconds = perf_counter() - g.started
    rule = _template(request.url_rule.rule) if request.url_rule else None
    # A caller may make methods up: each would be a word of its own in the log, and a series in the metrics.
    method = request.method if request.method in _METHODS else "other"
    response.headers["X-Request-ID"] = g.request_id
    _duration(rule, method, response.status_code // 100).observe(seconds)
    fields = {
        "request_id": g.request_id,
        "method": method,
        "route": rule,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 3),
        **auth.who(),
    }
    if isinstance(g.failure, DatabaseUnavailable):
        metrics.UNAVAILABLE.labels(g.failure.reason).inc()
    if response.status_code >= 500 and g.failure is not None:
        log.error("request failed", **fields, **cause(g.failure))
    elif rule in _PROBES:
        log.debug("request", **fields)
    else:
        log.info("request", **fields)
    return response


@lru_cache(maxsize=256)
def _duration(rule: str | None, method: str, status_class: int) -> Histogram:
    return metrics.DURATION.labels(rule or "none", method, f"{status_class}xx")


@lru_cache(maxsize=256)
def _template(rule: str) -> str:
    """The rule as the API's documentation writes it: {session_id} for <session_id:session_id>."""
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


def _leave(_: BaseException | None) -> None:
    metrics.in_flight().dec()
