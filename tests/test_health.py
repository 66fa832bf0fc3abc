"""Probes, and what they give away."""

from __future__ import annotations

from flask.testing import FlaskClient

from session_api import create_app
from session_api.version import __version__

from .conftest import make_settings

SECRET = "canary-2b9c"


def test_all_is_well(client: FlaskClient) -> None:
    answers = {path: client.get(path) for path in ("/health", "/health/live", "/health/ready", "/health/db")}

    assert {200} == {answer.status_code for answer in answers.values()}
    assert ["healthy", "alive", "ready", "healthy"] == [answer.json["status"] for answer in answers.values()]
    assert {("session-api", __version__)} == {
        (answer.json["service"], answer.json["version"]) for answer in answers.values()
    }


def test_db_tells_latency_and_pool(client: FlaskClient) -> None:
    check = client.get("/health/db").json["checks"]["database"]

    assert check["latency_ms"] > 0
    assert {"size", "in_use", "idle"} == set(check["pool"])


def test_without_a_database_live_is_alive_and_the_others_say_why_without_saying_where() -> None:
    url = f"postgresql+psycopg2://{SECRET}:{SECRET}@{SECRET}.invalid:1/{SECRET}"
    client = create_app(make_settings(url)).test_client()

    answers = {path: client.get(path) for path in ("/health", "/health/live", "/health/ready", "/health/db")}

    assert [503, 200, 503, 503] == [answer.status_code for answer in answers.values()]
    assert ["unhealthy", "alive", "not ready", "unhealthy"] == [answer.json["status"] for answer in answers.values()]
    assert "it cannot be reached" == answers["/health/ready"].json["checks"]["database"]["reason"]
    assert not any(SECRET in answer.get_data(as_text=True) for answer in answers.values())


def test_without_its_schema_the_service_is_not_ready_and_says_what_to_do(server_url: str) -> None:
    answer = create_app(make_settings(server_url)).test_client().get("/health/ready")

    assert (503, "not ready") == (answer.status_code, answer.json["status"])
    assert "flask db upgrade" in answer.json["checks"]["database"]["reason"]


def test_methods_that_callers_make_up_are_one_series_together(client: FlaskClient, session_url: str) -> None:
    for method in ("BREW", "CANARY", "X" * 20):
        client.open(session_url, method=method)

    metrics = client.get("/metrics").get_data(as_text=True)
    assert 'method="other",route="none",status="4xx"' in metrics
    assert not any(f'method="{method}"' in metrics for method in ("BREW", "CANARY", "X" * 20))


def test_metrics_count_requests_by_rule_and_status(client: FlaskClient, session_url: str) -> None:
    client.get(session_url)

    metrics = client.get("/metrics")

    sample = (
        'session_api_request_duration_seconds_count{method="GET",route="/api/v1/sessions/{session_id}",status="2xx"}'
    )
    assert sample in metrics.get_data(as_text=True)
    assert "text/plain" == metrics.mimetype
