"""Examples for the API's documentation: a body for each resource, an answer for each error."""

from __future__ import annotations

from typing import Any

_TIMES = {"created_at": "2026-01-31T12:00:00+00:00", "updated_at": "2026-01-31T12:00:00+00:00"}

SESSION_CHANGE = {"multi_agent_state": {"round": 2}}
SESSION_CREATE = {"session_id": "user@example.com", "session_type": "AGENT"}
SESSION = {"session_id": "user@example.com", "session_type": "AGENT", "multi_agent_state": None, **_TIMES}

_STATES = {
    "state": {"theme": "dark"},
    "conversation_manager_state": {"__name__": "SlidingWindowConversationManager", "removed_message_count": 0},
    "internal_state": {"interrupt_state": {"interrupts": {}, "activated": False}},
}
AGENT_CHANGE = {"state": {"theme": "light"}}
AGENT_CREATE = {"agent_id": "assistant", **_STATES}
AGENT = {**AGENT_CREATE, **_TIMES}

_HELLO = {"role": "user", "content": [{"text": "Hello"}]}
MESSAGE_CHANGE = {"redact_message": {"role": "user", "content": [{"text": "[redacted]"}]}}
MESSAGE_CREATE = {"message_id": 0, "message": _HELLO}
MESSAGE = {"message_id": 0, "message": _HELLO, "redact_message": None, **_TIMES}

MULTI_AGENT_CHANGE = {"state": {"type": "graph", "status": "completed"}}
MULTI_AGENT_CREATE = {"multi_agent_id": "research-graph", "state": {"type": "graph", "status": "executing"}}
MULTI_AGENT = {**MULTI_AGENT_CREATE, **_TIMES}


def a_list(name: str, item: dict[str, Any]) -> dict[str, Any]:
    return {name: [item], "total": 1, "page": 1, "page_size": 100, "next": None}


def _health(status: str, checks: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": status,
        "service": "session-api",
        "version": "0.1.0",
        "timestamp": "2026-01-31T12:00:00+00:00",
        "checks": checks,
    }


_WELL = {"status": "healthy", "latency_ms": 0.412}
_ILL = {"status": "unhealthy", "reason": "it cannot be reached"}
_POOL = {"pool": {"size": 8, "in_use": 0, "idle": 1}}
HEALTHY = _health("healthy", {"database": _WELL})
UNHEALTHY = _health("unhealthy", {"database": _ILL})
ALIVE = _health("alive", {})
READY = _health("ready", {"database": _WELL})
NOT_READY = _health("not ready", {"database": _ILL})
DATABASE_HEALTHY = _health("healthy", {"database": {**_WELL, **_POOL}})
DATABASE_UNHEALTHY = _health("unhealthy", {"database": {**_ILL, **_POOL}})


def _error(name: str, message: str, details: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "error": name,
        "message": message,
        "details": details,
        "timestamp": "2026-01-31T12:00:00+00:00",
        "request_id": "0b5c1f6e8d7a4c3b",
    }


# By status: when it is given, and an example.
ERRORS: dict[int, tuple[str, dict[str, Any]]] = {
    400: (
        "The body, an id or the query is refused; details names each field by its path.",
        _error("ValidationError", "message_id: Must be an integer.", {"message_id": ["Must be an integer."]}),
    ),
    401: (
        "No valid key came along: none, a wrong, an expired or a revoked one.",
        _error(
            "AuthenticationError",
            "A valid key is needed, as `Authorization: Bearer sk_...` or `X-API-Key: sk_...`.",
            None,
        ),
    ),
    403: (
        "The key lacks the scope that details.scope names: read, write or delete, by the method.",
        _error(
            "AuthorizationError",
            "The key does not allow this: it lacks the scope write.",
            {"scope": "write"},
        ),
    ),
    404: (
        "The resource or its parent does not exist; details.resource says which.",
        _error("NotFoundError", "There is no such agent.", {"resource": "agent"}),
    ),
    406: (
        "The Accept header does not allow application/json.",
        _error("NotAcceptable", "Answers are application/json; the Accept header must allow it.", None),
    ),
    408: (
        "The body did not arrive within a minute; nothing was stored.",
        _error("RequestTimeout", "The body did not arrive in time.", None),
    ),
    409: (
        "The id is taken; details.identical says whether what is stored equals what was sent.",
        _error(
            "ConflictError",
            "A message with this id exists already, with the same content.",
            {"resource": "message", "identical": True},
        ),
    ),
    412: (
        "If-Match names another version than the one that is stored.",
        _error(
            "PreconditionFailed",
            "The resource was changed since the version that If-Match names: read it again.",
            None,
        ),
    ),
    413: (
        "The body is larger than API_MAX_BODY_BYTES.",
        _error("PayloadTooLarge", "The body is larger than this service accepts.", None),
    ),
    415: (
        "The body is not application/json, or is compressed.",
        _error("UnsupportedMediaType", "The body must be application/json, not compressed.", None),
    ),
    429: (
        "The caller asks more often than RATE_LIMIT allows.",
        _error("RateLimited", "Too many requests: wait for as long as Retry-After says.", None),
    ),
    500: (
        "A defect of the service; its log has the cause under the request id.",
        _error("InternalServerError", "The service failed; its log has the cause under this request id.", None),
    ),
    503: (
        "PostgreSQL cannot answer now; details.applied says whether a write may have been applied.",
        _error(
            "DatabaseUnavailable",
            "The database cannot answer now: it cannot be reached.",
            {"reason": "it cannot be reached", "applied": False},
        ),
    ),
}
