"""Every scope against every route and method of the app, and every kind of key that is none."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from flask import Flask
from werkzeug.routing import Rule

from session_api import create_app, key_text
from session_api.key_table import SCOPES
from session_api.keyring import Keyring
from session_api.store import api_keys

from .conftest import KEYED, expire, issue, keyed, make_settings, new_key

# As in production: nothing is open but the probes. Nothing connects to a database in order to have routes.
CLOSED = {"docs_access": "key", "metrics_access": "key"}
ROUTES = [
    (rule, method)
    for rule in create_app(make_settings("postgresql://localhost/none")).url_map.iter_rules()
    for method in sorted(rule.methods or ())
]
IDS = {"session_id": "s", "agent_id": "a", "message_id": 0, "multi_agent_id": "m", "name": "swagger-ui.css"}

OPEN = {"/health/live", "/health/ready"}
ANY_KEY = {"/health", "/health/db", "/docs", "/redoc", "/openapi.json", "/static/<path:filename>"}
BY_METHOD = {"GET": {"read"}, "HEAD": {"read"}, "POST": {"write"}, "PUT": {"write"}, "DELETE": {"delete"}}


def scopes_that_do(rule: Rule, method: str) -> set[str]:
    """The scopes of which a key needs one; all of them, and none, where any key will do."""
    path = rule.rule
    if path == "/metrics":
        return {"admin"}
    if path in ANY_KEY or path.startswith("/docs/assets/") or method == "OPTIONS":
        return {*SCOPES, ""}
    assert path.startswith("/api/v1/sessions"), f"what does {path} need?"
    return BY_METHOD[method] | {"admin"}


@pytest.fixture(scope="module")
def app(database_url: str) -> Flask:
    return create_app(keyed(database_url, **CLOSED))


@pytest.fixture(scope="module")
def by_scopes(app: Flask) -> dict[tuple[str, ...], str]:
    """A key of each scope, of none, of all and of two."""
    combinations = [*((scope,) for scope in SCOPES), (), SCOPES, ("read", "delete")]
    return {scopes: issue(app, scopes) for scopes in combinations}


@pytest.fixture(scope="module")
def not_keys(app: Flask) -> dict[str, str]:
    """What may come instead of a key, all with every scope where it had any."""
    expired, revoked, valid = (new_key(app, *SCOPES) for _ in range(3))
    db = app.extensions["session_api_database"]
    revoked_id = Keyring(db, [KEYED["API_KEY_SECRET"]]).find(revoked).key_id
    db.run(api_keys.revoke, revoked_id, datetime.now(timezone.utc))
    expire(app, expired)
    return {
        "none": "",
        "expired": f"Bearer {expired}",
        "revoked": f"Bearer {revoked}",
        "unknown": f"Bearer {key_text.new()}",
        "cut short": f"Bearer {valid[:-1]}",
        "of another secret": f"Bearer {issue(app, SCOPES, secret='another secret' * 3)}",
        "bare": valid,
        "Basic": f"Basic {valid}",
        "10 kB": "Bearer " + valid * 200,
        "non-ASCII": f"Bearer {valid}\xff",
    }


def answered(app: Flask, rule: Rule, method: str, headers: dict[str, str]) -> int:
    with app.test_request_context():
        url = app.url_map.bind("").build(
            rule.endpoint, {name: IDS.get(name, "redoc-start.js") for name in rule.arguments}, method=method
        )
    return app.test_client().open(url, method=method, headers=headers).status_code


@pytest.mark.parametrize(("rule", "method"), ROUTES, ids=lambda value: str(value).replace("'", ""))
def test_a_route_lets_in_who_has_its_scope_and_nobody_else(
    app: Flask, by_scopes: dict[tuple[str, ...], str], not_keys: dict[str, str], rule: Rule, method: str
) -> None:
    with_keys = {scopes: answered(app, rule, method, {"X-API-Key": key}) for scopes, key in by_scopes.items()}
    without = {kind: answered(app, rule, method, {"Authorization": value}) for kind, value in not_keys.items()}

    if rule.rule in OPEN:
        assert not {401, 403} & {*with_keys.values(), *without.values()}
        return
    needed = scopes_that_do(rule, method)
    lets_in = {scopes for scopes in by_scopes if set(scopes or ("",)) & needed}
    assert lets_in == {scopes for scopes, status in with_keys.items() if status != 403}
    assert 401 not in with_keys.values()
    assert dict.fromkeys(not_keys, 401) == without


def test_a_refusal_names_the_scope_that_is_missing(app: Flask) -> None:
    reader = {"X-API-Key": new_key(app, "read")}
    for method, path, scope in (
        ("POST", "/api/v1/sessions", "write"),
        ("PUT", "/api/v1/sessions/s", "write"),
        ("PATCH", "/api/v1/sessions/s", "write"),
        ("DELETE", "/api/v1/sessions/s", "delete"),
        ("GET", "/metrics", "admin"),
    ):
        answer = app.test_client().open(path, method=method, headers=reader)

        assert (403, "AuthorizationError", {"scope": scope}) == (
            answer.status_code,
            answer.json["error"],
            answer.json["details"],
        )
        assert f"lacks the scope {scope}." in answer.json["message"]
        assert "WWW-Authenticate" not in answer.headers
