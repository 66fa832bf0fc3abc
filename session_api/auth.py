"""Who is asking, and what they may do: no view runs before the key is known and allows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from flask import Flask, Response, after_this_request, request

from . import call
from .errors import Forbidden, Unauthenticated
from .key_table import ApiKey
from .keyring import Keyring
from .models import DEFAULT_TENANT

OPEN = ("/health/live", "/health/ready")
HEALTH = ("/health", "/health/db")
DOCS = ("/docs", "/redoc", "/openapi.json", "/static/")
METRICS = "/metrics"

_SCOPES = {"GET": "read", "HEAD": "read", "OPTIONS": None, "DELETE": "delete"}
_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)


def init_app(app: Flask, keyring: Keyring | None, *, open_docs: bool, open_metrics: bool) -> None:
    """To be called right after telemetry. Without a keyring, everybody is the default tenant and may do everything."""

    def authenticate() -> None:
        at_hand = call.current()
        if keyring is None:
            at_hand.tenant_id = DEFAULT_TENANT
            return
        environ, path = request.environ, request.path
        if _is_open(path, open_docs, open_metrics):
            return
        key = keyring.find(_given(environ))
        if key is None:
            raise Unauthenticated
        at_hand.api_key, at_hand.tenant_id = key, key.tenant_id
        scope = scope_of(environ["REQUEST_METHOD"], path)
        if scope is not None and not key.allows(scope):
            raise Forbidden(scope)
        if keyring.should_touch(key):
            after_this_request(partial(_touch_when_sent, keyring, key))

    app.before_request(authenticate)


def tenant() -> str:
    """The tenant of the request. Every statement carries it."""
    tenant_id = call.current().tenant_id
    if tenant_id is None:
        raise Unauthenticated
    return tenant_id


def scope_of(method: str, path: str) -> str | None:
    """The scope that a request needs; None when any valid key will do."""
    if path == METRICS:
        return "admin"
    if path in HEALTH or path.startswith(DOCS):
        return None
    return _SCOPES.get(method, "write")


def _is_open(path: str, docs: bool, metrics: bool) -> bool:
    if path.startswith("/api/"):
        return False
    if path in OPEN or (docs and path.startswith(DOCS)) or (metrics and path == METRICS):
        return True
    # A stranger may hear that there is no such page, but not what the API has.
    return request.url_rule is None and not path.startswith("/api")


def _given(environ: Mapping[str, str]) -> str:
    """The key that came along; empty without one, with one that can't be read, or with two that differ."""
    authorization, key = environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY")
    if authorization is None:
        return key or ""
    bearer = _BEARER.fullmatch(authorization)
    text = bearer[1] if bearer else ""
    return text if key is None or key == text else ""


def _touch_when_sent(keyring: Keyring, key: ApiKey, response: Response) -> Response:
    response.call_on_close(lambda: keyring.touch(key))
    return response
