"""Who gets in: with which key, by which header, to which pages; and what is said to everybody else."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import datetime, timezone
from time import monotonic, sleep
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from session_api import create_app, key_text, logs
from session_api.keyring import Keyring
from session_api.store import api_keys

from .conftest import KEYED, bearer, expire, keyed, new_id, new_key
from .test_errors import assert_shape
from .wire import request, send

SESSIONS = "/api/v1/sessions"


@pytest.fixture
def client(keyed_app: Flask) -> FlaskClient:
    return keyed_app.test_client()


@pytest.fixture(scope="module")
def key(keyed_app: Flask) -> str:
    return new_key(keyed_app)


# By which header.


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer {}"},
        {"Authorization": "bearer {}"},
        {"Authorization": "BEARER  {} "},
        {"X-API-Key": "{}"},
        {"X-API-Key": "{}", "Authorization": "Bearer {}"},
    ],
)
def test_either_header_lets_in_and_both_do_when_they_agree(client: FlaskClient, key: str, headers: Any) -> None:
    answer = client.get(SESSIONS, headers={name: value.format(key) for name, value in headers.items()})

    assert 200 == answer.status_code


OTHER = key_text.new()
REFUSED = {
    "nothing": {},
    "empty": {"Authorization": ""},
    "blank": {"Authorization": " "},
    "scheme alone": {"Authorization": "Bearer"},
    "scheme and blank": {"Authorization": "Bearer "},
    "no scheme": {"Authorization": "{}"},
    "another scheme": {"Authorization": "Basic {}"},
    "schemes": {"Authorization": "Bearer Bearer {}"},
    "two keys": {"Authorization": "Bearer {}, Bearer {}"},
    "quoted": {"Authorization": 'Bearer "{}"'},
    "tab": {"Authorization": "Bearer\t{}"},
    "non-ASCII": {"Authorization": "Bearer {}\xe4"},
    "unknown": {"Authorization": f"Bearer {OTHER}"},
    "unknown in the other header": {"X-API-Key": OTHER},
    "empty in the other header": {"X-API-Key": ""},
    "scheme in the other header": {"X-API-Key": "Bearer {}"},
    "one right, one unknown": {"Authorization": "Bearer {}", "X-API-Key": OTHER},
    "one unknown, one right": {"Authorization": f"Bearer {OTHER}", "X-API-Key": "{}"},
    "one right, one empty": {"Authorization": "Bearer {}", "X-API-Key": ""},
    "one of another scheme, one right": {"Authorization": "Basic eDp5", "X-API-Key": "{}"},
    "a digit more": {"Authorization": "Bearer {}0"},
    "upper case": {"Authorization": "Bearer {upper}"},
    "cookie": {"Cookie": "key={}; Authorization=Bearer {}"},
    "another header": {"X-Authorization": "Bearer {}"},
    "10 kB": {"Authorization": "Bearer " + "a" * 10240},
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_whatever_else_comes_along_is_refused_in_the_same_words(client: FlaskClient, key: str, headers: Any) -> None:
    filled = {name: value.format(key, key, upper=key.upper()) for name, value in headers.items()}
    for method, url in (("GET", SESSIONS), ("POST", SESSIONS), ("DELETE", f"{SESSIONS}/x"), ("GET", "/health/db")):
        answer = client.open(url, method=method, headers=filled)

        assert_shape(answer, 401, "AuthenticationError")
        assert ("Bearer", None) == (answer.headers["WWW-Authenticate"], answer.json["details"])
        assert client.get(SESSIONS).json["message"] == answer.json["message"]


def test_a_key_in_the_url_is_no_key(client: FlaskClient, key: str) -> None:
    for query in ("api_key", "key", "access_token", "X-API-Key", "Authorization"):
        assert 401 == client.get(f"{SESSIONS}?{query}={key}").status_code


def test_a_revoked_and_an_expired_key_are_refused_as_one_that_never_was(keyed_app: Flask, client: FlaskClient) -> None:
    expired, revoked = new_key(keyed_app), new_key(keyed_app)
    db = keyed_app.extensions["session_api_database"]
    revoked_id = Keyring(db, [KEYED["API_KEY_SECRET"]]).find(revoked).key_id
    db.run(api_keys.revoke, revoked_id, datetime.now(timezone.utc))
    expire(keyed_app, expired)

    said = {
        json.dumps({**answer.json, "timestamp": "", "request_id": ""})
        + str(sorted(name for name, _ in answer.headers if name != "Date"))
        for answer in (client.get(SESSIONS, headers=bearer(text)) for text in (expired, revoked, key_text.new(), "x"))
    }
    assert 1 == len(said)


# What comes first.


@pytest.mark.parametrize(
    ("method", "url", "options"),
    [
        ("GET", "/api/v1/nowhere", {}),
        ("GET", "/api/v2/sessions", {}),
        ("GET", "/api", {}),
        ("PATCH", SESSIONS, {}),
        ("OPTIONS", SESSIONS, {}),
        ("GET", f"{SESSIONS}/%00", {}),
        ("GET", f"{SESSIONS}?limit=x", {}),
        ("POST", SESSIONS, {"data": "{", "content_type": "application/json"}),
        ("POST", SESSIONS, {"data": "x", "content_type": "text/plain"}),
        ("GET", SESSIONS, {"headers": {"Accept": "text/html"}}),
        ("PUT", f"{SESSIONS}/x", {"headers": {"If-Match": "("}}),
    ],
)
def test_a_stranger_learns_nothing_about_routes_and_rules(
    client: FlaskClient, method: str, url: str, options: Any
) -> None:
    assert_shape(client.open(url, method=method, **options), 401, "AuthenticationError")


def test_a_stranger_may_know_that_the_api_is_the_only_thing_here(client: FlaskClient) -> None:
    assert [404, 404, 404] == [client.get(url).status_code for url in ("/", "/favicon.ico", "/admin")]


def test_with_a_key_an_unknown_route_is_404_and_an_unknown_method_405(client: FlaskClient, key: str) -> None:
    assert_shape(client.get("/api/v1/nowhere", headers=bearer(key)), 404, "NotFoundError")
    assert_shape(client.patch(SESSIONS, headers=bearer(key)), 405, "MethodNotAllowed")


# Pages.


def statuses(app: Flask, path: str, *keys: str) -> list[int]:
    """Without a key, then with each of these."""
    client = app.test_client()
    return [client.get(path, headers=headers).status_code for headers in ({}, *map(bearer, keys))]


DOCS = ["/docs", "/redoc", "/openapi.json", "/docs/assets/swagger-ui.css", "/static/redoc-start.js"]


@pytest.mark.parametrize(("access", "expected"), [("open", [200] * 3), ("key", [401, 200, 200]), ("off", [404] * 3)])
def test_docs_are_open_or_for_any_key_or_off(database_url: str, access: str, expected: list[int]) -> None:
    app = create_app(keyed(database_url, docs_access=access))
    keys = new_key(app, "delete"), new_key(app, "admin")

    assert dict.fromkeys(DOCS, expected) == {path: statuses(app, path, *keys) for path in DOCS}
    if access == "off":
        assert [404] * len(DOCS) == [app.test_client().post(path).status_code for path in DOCS]


@pytest.mark.parametrize(("access", "expected"), [("open", [200] * 3), ("key", [401, 403, 200]), ("off", [404] * 3)])
def test_metrics_are_open_or_for_admins_or_off(database_url: str, access: str, expected: list[int]) -> None:
    app = create_app(keyed(database_url, metrics_access=access))

    assert expected == statuses(app, "/metrics", new_key(app), new_key(app, "admin"))


def test_probes_are_open_and_what_tells_more_is_for_any_key(keyed_app: Flask) -> None:
    key = new_key(keyed_app, "delete")

    assert {
        "/health/live": [200, 200],
        "/health/ready": [200, 200],
        "/health": [401, 200],
        "/health/db": [401, 200],
    } == {path: statuses(keyed_app, path, key) for path in ("/health/live", "/health/ready", "/health", "/health/db")}


def test_without_keys_everybody_is_the_default_tenant(app: Flask, keyed_app: Flask) -> None:
    session_url = app.test_client().post(SESSIONS, json={"session_id": new_id()}).headers["Location"]
    known = keyed_app.test_client().get(session_url, headers=bearer(new_key(keyed_app, tenant="default")))
    unknown = keyed_app.test_client().get(session_url, headers=bearer(new_key(keyed_app, tenant="other")))

    assert [200, 404] == [known.status_code, unknown.status_code]
    assert 200 == app.test_client().get(session_url, headers=bearer("nonsense")).status_code


# When the database is away.


def test_without_a_database_nobody_is_told_that_a_good_key_is_wrong(database_url: str) -> None:
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/nowhere"
    client = create_app(keyed(nowhere, retry_attempts=1)).test_client()

    for headers in (bearer(key_text.new()), {"X-API-Key": key_text.new()}):
        answer = client.get(SESSIONS, headers=headers)
        assert_shape(answer, 503, "DatabaseUnavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert False is answer.json["details"]["applied"]
    assert 401 == client.get(SESSIONS).status_code


# What the log knows.


def test_the_log_names_the_key_and_the_tenant_and_never_the_key_itself(database_url: str) -> None:
    output = io.StringIO()
    with redirect_stdout(output):
        app = create_app(replace(keyed(database_url), log_level="DEBUG"))
        key, reader, wrong = new_key(app, tenant="acme"), new_key(app, "read", tenant="acme"), key_text.new()
        client = app.test_client()
        for headers in (bearer(key), {"X-API-Key": key}, bearer(wrong), {"Authorization": f"Basic {key}"}):
            client.get(SESSIONS, headers=headers)
        client.post(SESSIONS, headers=bearer(reader))
        client.get(f"{SESSIONS}/{key}?key={key}", headers={**bearer(key), "X-Request-ID": "abc"})
    logs.configure("CRITICAL", "json")
    ring = Keyring(app.extensions["session_api_database"], [KEYED["API_KEY_SECRET"]])
    named = {ring.find(text).key_id for text in (key, reader)}
    lines = [json.loads(line) for line in output.getvalue().splitlines()]

    assert [(200, "acme")] * 2 + [(401, None)] * 2 + [(403, "acme"), (404, "acme")] == [
        (line["status"], line["tenant"]) for line in lines
    ]
    assert {*named, None} == {line["key_id"] for line in lines}
    assert not any(text[3:] in output.getvalue() for text in (key, reader, wrong))


# In all processes.


def test_the_use_is_noted_also_of_one_who_asks_once_and_leaves(keyed_url: str, keyed_app: Flask) -> None:
    tenant = new_id("tenant")
    key = new_key(keyed_app, tenant=tenant)
    db = keyed_app.extensions["session_api_database"]

    assert 200 == send(keyed_url, request("GET", SESSIONS, X_API_Key=key), and_stop=True).status
    waited_until = monotonic() + 30
    while db.read(api_keys.list_, tenant)[0].last_used_at is None and monotonic() < waited_until:
        sleep(0.05)
    assert db.read(api_keys.list_, tenant)[0].last_used_at is not None


def test_a_revoked_key_stops_within_10_seconds_in_every_process(keyed_url: str, keyed_app: Flask) -> None:
    key = new_key(keyed_app)
    db = keyed_app.extensions["session_api_database"]
    key_id = Keyring(db, [KEYED["API_KEY_SECRET"]]).find(key).key_id

    def asked_often() -> set[int]:
        # A connection each, so that both processes are asked.
        return {requests.get(keyed_url + SESSIONS, headers=bearer(key), timeout=10).status_code for _ in range(20)}

    assert {200} == asked_often()
    db.run(api_keys.revoke, key_id, datetime.now(timezone.utc))
    revoked = monotonic()
    seen = [asked_often()]
    while seen[-1] != {401} and monotonic() < revoked + 10:
        sleep(0.2)
        seen.append(asked_often())
    assert {401} == seen[-1]
    assert {200, 401} >= set().union(*seen)
