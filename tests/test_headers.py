"""What answers tell browsers, caches and proxies; and which pages of other origins get to read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from session_api import create_app

from .conftest import HELLO, bearer, keyed, make_settings, new_id, new_key

NOWHERE = "postgresql+psycopg2://127.0.0.1:1/nowhere"


@pytest.fixture
def clients(database_url: str) -> Callable[..., FlaskClient]:
    """A client of a service with other settings."""
    return lambda **changes: create_app(make_settings(database_url, **changes)).test_client()


def every_kind_of_answer(client: FlaskClient) -> dict[str, TestResponse]:
    """By what it is an example of; the statuses are the documented ones."""
    session = f"/api/v1/sessions/{new_id()}"
    made = client.post("/api/v1/sessions", json={"session_id": session.rpartition("/")[2]})
    agent = {"agent_id": "a", "state": {}, "conversation_manager_state": {}}
    return {
        "201": made,
        "200": client.get(session),
        "200 list": client.get("/api/v1/sessions?limit=1"),
        "304": client.get(session, headers={"If-None-Match": made.headers["ETag"]}),
        "400": client.post(f"{session}/agents", json={}),
        "400 path": client.get("/api/v1/sessions/%20"),
        "404": client.post(f"{session}/agents/none/messages", json=HELLO),
        "404 route": client.get("/nowhere"),
        "405": client.patch(session),
        "406": client.get(session, headers={"Accept": "text/html"}),
        "409": [client.post(f"{session}/agents", json=agent) for _ in range(2)][1],
        "412": client.delete(session, headers={"If-Match": '"99"'}),
        "413": client.put(session, json={"multi_agent_state": {"x": "x" * 3000}}),
        "415": client.put(session, data="x"),
        "204": client.delete(session),
        "200 live": client.get("/health/live"),
        "200 metrics": client.get("/metrics"),
        "200 document": client.get("/openapi.json"),
    }


def test_no_answer_is_kept_run_or_framed_by_a_browser(clients: Callable[..., FlaskClient]) -> None:
    answers = every_kind_of_answer(clients(api_max_body_bytes=2000))
    answers["503"] = create_app(make_settings(NOWHERE, retry_attempts=1)).test_client().get("/api/v1/sessions")

    for kind, answer in answers.items():
        assert kind.startswith(str(answer.status_code))
        assert {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "private, no-cache" if "ETag" in answer.headers else "no-store",
        }.items() <= dict(answer.headers).items(), kind
        assert not {name for name, _ in answer.headers if name.startswith("Access-Control-")}
    assert {"200", "200 list", "201", "304"} == {kind for kind in answers if "ETag" in answers[kind].headers}


def test_a_stranger_and_a_key_without_the_right_are_answered_with_the_same_care(keyed_app: Flask) -> None:
    client = keyed_app.test_client()

    for answer in (
        client.get("/api/v1/sessions"),
        client.post("/api/v1/sessions", headers=bearer(new_key(keyed_app, "read"))),
    ):
        assert answer.status_code in (401, 403)
        assert ("no-store", "nosniff") == (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"])


def test_a_defect_is_answered_with_the_same_care(database_url: str) -> None:
    app = create_app(make_settings(database_url))
    app.add_url_rule("/defect", view_func=lambda: {}["no such key"])

    answer = app.test_client().get("/defect")

    assert (500, "no-store", "nosniff") == (
        answer.status_code,
        answer.headers["Cache-Control"],
        answer.headers["X-Content-Type-Options"],
    )


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_documentation_page_keeps_a_policy_of_its_own(client: FlaskClient, page: str) -> None:
    answer = client.get(page)

    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self'")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert ("nosniff", "no-store") == (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"])


def test_a_running_service_names_no_version_of_what_it_runs_on(live_url: str) -> None:
    for path in ("/api/v1/sessions", "/nowhere", "/docs"):
        headers = requests.get(live_url + path, timeout=10).headers

        assert not re.search(r"[0-9]", headers.get("Server", ""))
        assert "X-Powered-By" not in headers


# Proxies


@pytest.fixture
def seen(database_url: str) -> Callable[..., tuple[str, bool]]:
    """Who the service takes the caller for, and whether it asks to be called by TLS only from now on."""

    def ask(proxy_count: int, **headers: str) -> tuple[str, bool]:
        app = create_app(make_settings(database_url, proxy_count=proxy_count))
        app.add_url_rule("/caller", view_func=lambda: {"address": request.remote_addr, "url": request.url})
        forwarded = {f"X-Forwarded-{name}": value for name, value in headers.items()}
        answer = app.test_client().get("/caller", headers=forwarded)
        assert "localhost" in answer.json["url"]
        return answer.json["address"], "Strict-Transport-Security" in answer.headers

    return ask


def test_without_a_proxy_nobody_is_believed(seen: Callable[..., Any]) -> None:
    assert ("127.0.0.1", False) == seen(0, For="6.6.6.6", Proto="https", Host="evil.example", Port="443", Prefix="/x")


@pytest.mark.parametrize(("count", "caller"), [(1, "10.0.0.2"), (2, "203.0.113.7"), (3, "6.6.6.6"), (4, "127.0.0.1")])
def test_as_many_proxies_are_believed_as_there_are_and_no_other_header(
    seen: Callable[..., Any], count: int, caller: str
) -> None:
    assert (caller, True) == seen(
        count, For="6.6.6.6, 203.0.113.7, 10.0.0.2", Proto="https", Host="evil.example", Port="1", Prefix="/x"
    )


def test_strict_transport_security_is_asked_for_behind_tls_only(seen: Callable[..., Any], app: Flask) -> None:
    client = app.test_client()

    assert (
        "max-age=31536000" == client.get("/health/live", base_url="https://host").headers["Strict-Transport-Security"]
    )
    assert "Strict-Transport-Security" not in client.get("/health/live", base_url="http://host").headers
    assert not seen(1, For="203.0.113.7", Proto="http")[1]
    assert not seen(1, For="203.0.113.7", Proto="https, http")[1]


# Other origins

APP = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}
HEADERS = {"A-IM", "Authorization", "Content-Type", "If-Match", "If-None-Match", "X-API-Key", "X-Request-ID"}
READABLE = {"Delta-Base", "ETag", "IM", "Location", "Retry-After", "X-Request-ID"}


def listed(answer: TestResponse, name: str) -> set[str]:
    return set(answer.headers.get(name, "").split(", "))


def test_a_page_of_a_named_origin_may_send_every_request_of_the_api(clients: Callable[..., FlaskClient]) -> None:
    client = clients(cors_origins=(APP, "http://localhost:3000"))
    for origin in (APP, "http://localhost:3000"):
        for path in ("/api/v1/sessions", "/api/v1/sessions/s/agents/a/messages/0", "/openapi.json"):
            answer = client.options(path, headers={"Origin": origin, **PREFLIGHT})

            assert (204, origin) == (answer.status_code, answer.headers["Access-Control-Allow-Origin"])
            assert {"GET", "HEAD", "POST", "PUT", "DELETE"} == listed(answer, "Access-Control-Allow-Methods")
            assert listed(answer, "Access-Control-Allow-Headers") == HEADERS
            assert "Origin" in answer.headers["Vary"]


def test_a_browser_is_told_what_a_page_may_send_before_it_sends_a_key(database_url: str) -> None:
    client = create_app(keyed(database_url, cors_origins=(APP,))).test_client()
    asked = client.options("/api/v1/sessions", headers={"Origin": APP, **PREFLIGHT})
    refused = client.get("/api/v1/sessions", headers={"Origin": APP})

    assert (204, 401) == (asked.status_code, refused.status_code)
    assert {APP} == {answer.headers["Access-Control-Allow-Origin"] for answer in (asked, refused)}
    assert (
        401 == client.options("/api/v1/sessions", headers={"Origin": "https://evil.example", **PREFLIGHT}).status_code
    )


def test_a_page_of_a_named_origin_can_read_every_answer(clients: Callable[..., FlaskClient]) -> None:
    client = clients(cors_origins=(APP,), api_max_body_bytes=2000)
    client.environ_base["HTTP_ORIGIN"] = APP

    for kind, answer in every_kind_of_answer(client).items():
        assert APP == answer.headers["Access-Control-Allow-Origin"], kind
        assert listed(answer, "Access-Control-Expose-Headers") == READABLE
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        f"{APP}.evil.example",
        f"{APP}:8443",
        "http://app.example",
        "https://evil.example",
        "HTTPS://APP.EXAMPLE",
        "null",
        "*",
    ],
)
def test_any_other_origin_is_not_let_in_and_caches_are_told_to_tell_them_apart(
    clients: Callable[..., FlaskClient], origin: str
) -> None:
    client = clients(cors_origins=(APP,))

    for answer in (
        client.get("/api/v1/sessions", headers={"Origin": origin}),
        client.options("/api/v1/sessions", headers={"Origin": origin, **PREFLIGHT}),
        client.get("/api/v1/sessions"),
    ):
        assert not {name for name, _ in answer.headers if name.startswith("Access-Control-")}
        assert "Origin" in answer.headers["Vary"]


def test_a_star_lets_every_page_in_and_never_with_credentials(clients: Callable[..., FlaskClient]) -> None:
    client = clients(cors_origins=("*",))
    for origin in (APP, "null"):
        asked = client.options("/api/v1/sessions", headers={"Origin": origin, **PREFLIGHT})
        answer = client.get("/api/v1/sessions", headers={"Origin": origin})

        assert ("*", "*") == tuple(each.headers["Access-Control-Allow-Origin"] for each in (asked, answer))
        assert "Access-Control-Allow-Credentials" not in {**asked.headers, **answer.headers}


def test_a_question_for_the_methods_of_a_route_is_no_preflight(clients: Callable[..., FlaskClient]) -> None:
    answer = clients(cors_origins=(APP,)).options("/api/v1/sessions", headers={"Origin": APP})

    assert (200, {"GET", "HEAD", "OPTIONS", "POST"}) == (answer.status_code, set(answer.headers["Allow"].split(", ")))
