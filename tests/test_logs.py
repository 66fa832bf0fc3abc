"""Log lines: one a request, with the cause of errors and never with content."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from session_api import create_app, metrics
from session_api.verdicts import UNREACHABLE

from .conftest import HELLO, make_settings, new_id

SECRET = "canary-91d4"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines since the last call, each parsed as JSON."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def app(database_url: str, capsys: pytest.CaptureFixture[str]) -> Flask:

    return create_app(replace(make_settings(database_url), log_level="INFO"))


def test_a_request_writes_one_line_with_the_rule_and_not_the_path(app: Flask, lines: Lines) -> None:
    session_id = new_id()
    app.test_client().put(f"/api/v1/sessions/{session_id}", json={"x": SECRET}, headers={"X-Request-ID": "abc"})

    (line,) = lines()
    assert {"duration_ms", "timestamp"} == line.keys() - {
        "request_id", "method", "route", "status", "tenant", "key_id", "level", "message"
    }  # fmt: skip
    assert ("abc", "PUT", "/api/v1/sessions/{session_id}", 404, "default", None, "info", "request") == tuple(
        line[name] for name in ("request_id", "method", "route", "status", "tenant", "key_id", "level", "message")
    )
    assert session_id not in str(line)


def test_probes_are_logged_at_debug_only(app: Flask, lines: Lines) -> None:
    app.test_client().get("/health/live")
    app.test_client().get("/health/ready")

    assert [] == lines()


def test_a_probe_that_finds_no_database_is_logged_with_the_cause_and_not_counted(lines: Lines) -> None:
    settings = make_settings(f"postgresql://u:{SECRET}@127.0.0.1:1/d")
    unreachable = create_app(replace(settings, log_level="INFO")).test_client()
    counted = metrics.UNAVAILABLE.labels(UNREACHABLE.reason)
    before = counted._value.get()
    unreachable.get("/health/ready")

    (line,) = lines()
    assert ("error", 503, "/health/ready") == (line["level"], line["status"], line["route"])
    assert "OperationalError" in line["cause"]
    assert SECRET not in str(line)
    assert before == counted._value.get()


def test_a_defect_is_one_line_with_its_kind_and_place_and_without_its_text(app: Flask, lines: Lines) -> None:
    def defect() -> None:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(f"{SECRET} is wrong") from error

    app.add_url_rule("/defect", view_func=defect)
    app.test_client().get("/defect")

    (line,) = lines()
    assert ("error", 500, "ValueError", "ValueError < KeyError") == (
        line["level"],
        line["status"],
        line["error"],
        line["cause"],
    )
    assert any("test_logs.py" in place for place in line["at"])
    assert SECRET not in str(line)


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO sessions VALUES ('x', 'default', 'AGENT', '{SECRET}', 1, now(), now())",
        f"SELECT '{SECRET}'::int",
        f"SELECT 1 FROM nowhere WHERE '{SECRET}' = ''",
        f"DO $$ BEGIN RAISE EXCEPTION '{SECRET}'; END $$",
    ],
)
def test_what_postgresql_says_of_a_statement_is_told_by_its_sqlstate(app: Flask, lines: Lines, statement: str) -> None:
    app.add_url_rule(
        "/run",
        view_func=lambda: app.extensions["session_api_database"].run(lambda tx: tx.execute(text(statement))),
    )
    answer = app.test_client().get("/run")

    (line,) = lines()
    assert SECRET not in str(line) + answer.get_data(as_text=True)
    if answer.status_code >= 500:
        assert any(code in line["cause"] for code in ("42P01", "P0001"))


def test_an_unreachable_database_is_told_with_libpq_s_reason_and_without_the_password(lines: Lines) -> None:

    settings = make_settings(f"postgresql+psycopg2://me:{SECRET}@127.0.0.1:1/db", retry_attempts=1)
    create_app(replace(settings, log_level="INFO")).test_client().get("/api/v1/sessions")

    (line,) = lines()
    assert (503, "error") == (line["status"], line["level"])
    assert "Connection refused" in line["cause"]
    assert SECRET not in str(line)


def test_libraries_lines_have_the_same_form_and_no_exception_text(app: Flask, lines: Lines) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("some.package").exception("it failed")

    (line,) = lines()
    assert ("some.package", "it failed", "ValueError") == (line["logger"], line["message"], line["error"])
    assert SECRET not in str(line)


def test_messages_never_reach_the_log(app: Flask, lines: Lines, database_url: str) -> None:
    client = app.test_client()
    session = client.post("/api/v1/sessions", json={"session_id": new_id()}).headers["Location"]
    body = {**HELLO, "message": {"role": "user", "content": [{"text": SECRET}]}}
    client.post(f"{session}/agents/missing/messages", json=body)
    client.post(f"{session}/agents", json={"agent_id": "a", "state": SECRET})
    client.post(f"{session}/agents", data=f'{{"{SECRET}": NaN}}', content_type="application/json")

    assert SECRET not in str(lines())


def test_text_lines_are_for_people(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:

    app = create_app(replace(make_settings(database_url), log_level="INFO", log_format="text"))
    app.test_client().get("/api/v1/sessions")

    (line,) = capsys.readouterr().out.splitlines()
    assert "request" in line
    assert "status=200" in line
    assert not line.startswith("{")
