"""Documents which key an operation asks for."""

from __future__ import annotations

from typing import Any

from flask import Flask

from .. import auth

# The two ways to send a key.
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer sk_...`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: sk_...`"},
}


def requirements(app: Flask, method: str, path: str) -> list[dict[str, list[str]]]:
    """Either scheme, with the scope where OpenAPI 3.1 has roles; or nothing, where the service asks for no keys."""
    scope = auth.scope_of(method.upper(), path)
    nothing: list[dict[str, Any]] = [{}] if app.extensions["session_api_settings"].auth_mode == "none" else []
    return [{scheme: [scope] if scope else []} for scheme in SCHEMES] + nothing
