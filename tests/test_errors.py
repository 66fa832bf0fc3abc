"""One shape for every error, whoever raised it."""

from __future__ import annotations

from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from session_api import create_app, db, models, problems
from session_api.errors import CitusMissing, ConfigError, Failure, NotModified

from .conftest import HELLO, make_settings, new_id

SECRET = "canary-7f3a"


def assert_shape(answer: TestResponse, status: int, name: str) -> None:
    assert (status, name) == (answer.status_code, answer.json["error"])
    assert ["error", "message", "details", "timestamp", "request_id"] == list(answer.json)
    assert answer.json["message"].endswith((".", ")")) or ":" in answer.json["message"]
    assert datetime.fromisoformat(answer.json["timestamp"]).utcoffset() is not None
    assert answer.headers["X-Request-ID"] == answer.json["request_id"]
    assert "application/json" == answer.mimetype


def test_unknown_routes(client: FlaskClient) -> None:
    for url in ("/", "/api/v1", "/api/v1/sessions/", "/api/v1/sessions//agents", "/api/v2/sessions", "/docs/assets/x"):
        answer = client.get(url)

        assert_shape(answer, 404, "NotFoundError")
        assert {"resource": "route"} == answer.json["details"]


def test_unknown_methods_name_the_known_ones(client: FlaskClient, session_url: str) -> None:
    answer = client.patch(session_url, json={})

    assert_shape(answer, 405, "MethodNotAllowed")
    assert {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} == set(answer.headers["Allow"].split(", "))


def test_an_accept_header_without_json(client: FlaskClient, session_url: str) -> None:
    assert_shape(client.get(session_url, headers={"Accept": "text/html"}), 406, "NotAcceptable")
    assert 200 == client.get(session_url, headers={"Accept": "text/html, */*;q=0.1"}).status_code
    assert 200 == client.get(session_url, headers={"Accept": "application/json"}).status_code


def test_other_media_types_and_compression(client: FlaskClient) -> None:
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        assert_shape(client.post("/api/v1/sessions", data=b"{}", headers=headers), 415, "UnsupportedMediaType")


def test_bodies_above_the_limit(database_url: str) -> None:
    client = create_app(make_settings(database_url, api_max_body_bytes=2000)).test_client()
    body = {"session_id": new_id(), "multi_agent_state": {"text": "x" * 2000}}

    assert_shape(client.post("/api/v1/sessions", json=body), 413, "PayloadTooLarge")
    body["multi_agent_state"] = {"text": "x" * 1900}
    assert 201 == client.post("/api/v1/sessions", json=body).status_code


def test_all_faults_are_named_by_their_path(client: FlaskClient, agent_url: str) -> None:
    body = {"message_id": "1", "message": {"content": []}, "redact_message": [], "created_at": "yesterday"}

    answer = client.post(f"{agent_url}/messages", json=body)

    assert_shape(answer, 400, "ValidationError")
    assert {"message_id", "message.role", "redact_message", "created_at"} == set(answer.json["details"])
    assert "(3 more in details)" in answer.json["message"]


def test_an_id_in_the_body_must_be_the_one_in_the_path(client: FlaskClient, session_url: str, agent_url: str) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)

    for url, body, field in (
        (session_url, {"session_id": "other"}, "session_id"),
        (agent_url, {"agent_id": "other"}, "agent_id"),
        (f"{agent_url}/messages/0", {"message_id": False}, "message_id"),
    ):
        answer = client.put(url, json=body)
        assert (400, [field]) == (answer.status_code, list(answer.json["details"]))
    assert 200 == client.put(f"{agent_url}/messages/0", json={"message_id": 0}).status_code


def test_a_bad_id_in_a_path_is_named(client: FlaskClient, session_url: str, agent_url: str) -> None:
    for url, field in (
        ("/api/v1/sessions/%20", "session_id"),
        (f"{session_url}/agents/..", "agent_id"),
        (f"{session_url}/multi-agents/%00", "multi_agent_id"),
        (f"{agent_url}/messages/-1", "message_id"),
    ):
        answer = client.get(url)
        assert (400, [field]) == (answer.status_code, list(answer.json["details"]))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("abc-1.2_X", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("sk_0123", False),
        ("a b", False),
        ("é", False),
        ("", False),
    ],
)
def test_request_ids_are_taken_when_they_are_well_formed(client: FlaskClient, sent: str, kept: bool) -> None:
    for url in ("/health/live", "/nowhere"):
        answer = client.get(url, headers={"X-Request-ID": sent})

        assert kept == (sent == answer.headers["X-Request-ID"])
        assert answer.headers["X-Request-ID"]


def test_a_defect_of_ours_is_a_500_that_leaks_nothing(database_url: str) -> None:
    app = create_app(make_settings(database_url))

    def defect() -> None:
        raise KeyError(SECRET)

    app.add_url_rule("/defect", view_func=defect)
    answer = app.test_client().get("/defect")

    assert_shape(answer, 500, "InternalServerError")
    assert SECRET not in answer.get_data(as_text=True)


def test_a_database_that_cannot_be_reached_is_a_503_without_its_address() -> None:
    url = f"postgresql+psycopg2://{SECRET}:{SECRET}@127.0.0.1:1/{SECRET}"
    client = create_app(make_settings(url, retry_attempts=1)).test_client()

    for answer in (client.get("/api/v1/sessions"), client.post("/api/v1/sessions", json={"session_id": "x"})):
        assert_shape(answer, 503, "DatabaseUnavailable")
        assert {"reason": "it cannot be reached", "applied": False} == answer.json["details"]
        assert int(answer.headers["Retry-After"]) >= 1
        assert SECRET not in answer.get_data(as_text=True)


def test_a_connection_that_died_in_the_pool_is_not_noticed(app: Flask, client: FlaskClient, agent_url: str) -> None:
    kill = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database() AND application_name = 'session-api'"
    )
    engine = app.extensions["session_api_database"].engine
    own = create_app(make_settings(engine.url.render_as_string(hide_password=False)))

    for message_id in range(3):
        client.get(agent_url)
        own.extensions["session_api_database"].run(lambda tx: tx.execute(kill))
        made = client.post(f"{agent_url}/messages", json={**HELLO, "message_id": message_id})
        assert 201 == made.status_code


def test_every_failure_has_a_status_and_every_parent_a_constraint() -> None:
    answered = {kind for kind in Failure.__subclasses__() if kind not in (ConfigError, CitusMissing)}
    foreign_keys = {
        constraint.name for table in models.metadata.tables.values() for constraint in table.foreign_key_constraints
    }

    assert answered == {*problems.STATUS, NotModified}
    assert foreign_keys == set(db.MISSING_PARENT)
