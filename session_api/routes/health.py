"""Whether the process lives, can serve, and how its database does; never where that database is."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from flask import Response, request

from .. import call, examples, schemas
from ..errors import DatabaseUnavailable
from ..store import schema
from ..version import __version__
from ..web.blueprint import Blueprint, db
from ..web.openapi import REQUEST_ID

blp = Blueprint("health", __name__, url_prefix="/health", description="For probes and people.")

_ILL = "The database cannot answer now; checks says why."
_ILL_OR_LOCKED = f"{_ILL} When it cannot even say whose key this is, the body is the error that all routes have."


@blp.route("")
@blp.alt_response(401, "Status401")
@blp.alt_response(500, "Status500")
@blp.alt_response(503, schema=schemas.Health, description=_ILL_OR_LOCKED, example=examples.UNHEALTHY)
@blp.response(200, schemas.Health, example=examples.HEALTHY, headers=REQUEST_ID)
def health() -> Response:
    """All checks at once."""
    return _report("healthy", "unhealthy", _database())


@blp.route("/live")
@blp.doc(security=[])
@blp.alt_response(500, "Status500")
@blp.response(200, schemas.Health, example=examples.ALIVE, headers=REQUEST_ID)
def live() -> Response:
    """The process answers, whatever else is broken: for a liveness probe."""
    return _body(200, "alive", {})


@blp.route("/ready")
@blp.doc(security=[])
@blp.alt_response(500, "Status500")
@blp.alt_response(503, schema=schemas.Health, description=_ILL, example=examples.NOT_READY)
@blp.response(200, schemas.Health, example=examples.READY, headers=REQUEST_ID)
def ready() -> Response:
    """The database answers and has its schema, and the service is not about to stop: for a readiness probe."""
    if request.environ.get("session_api.stops"):  # set by worker.py
        return _body(503, "not ready", {"service": {"status": "unhealthy", "reason": "it is about to stop"}})
    return _report("ready", "not ready", _database())


@blp.route("/db")
@blp.alt_response(401, "Status401")
@blp.alt_response(500, "Status500")
@blp.alt_response(503, schema=schemas.Health, description=_ILL_OR_LOCKED, example=examples.DATABASE_UNHEALTHY)
@blp.response(200, schemas.Health, example=examples.DATABASE_HEALTHY, headers=REQUEST_ID)
def database() -> Response:
    """The database's round trip in milliseconds, and the figures of the pool."""
    check = _database()
    return _report("healthy", "unhealthy", {**check, "pool": db.pool.figures()})


def _database() -> dict[str, Any]:
    outcome = db.probe(schema.check)
    if isinstance(outcome, DatabaseUnavailable):
        call.current().failure = outcome  # the log has the cause, which only the service's own people may see
        return {"status": "unhealthy", "reason": outcome.reason}
    return {"status": "healthy", "latency_ms": round(outcome, 3)}


def _report(well: str, ill: str, check: dict[str, Any]) -> Response:
    healthy = check["status"] == "healthy"
    return _body(200 if healthy else 503, well if healthy else ill, {"database": check})


def _body(status: int, word: str, checks: dict[str, Any]) -> Response:
    body = {
        "status": word,
        "service": "session-api",
        "version": __version__,
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "checks": checks,
    }
    return Response(json.dumps(body), status, mimetype="application/json")
