"""The constructor takes what can work and refuses the rest at once."""

import pytest

from strands_session_client import PostgreSQLSessionRepository, ValidationError


def test_the_url_falls_back_to_the_environment_and_then_to_localhost(monkeypatch):
    without = PostgreSQLSessionRepository().base_url
    monkeypatch.setenv("SESSION_BACKEND_URL", "https://sessions.example")

    assert "http://localhost:8001" == without
    assert "https://sessions.example" == PostgreSQLSessionRepository().base_url
    assert "https://other.example" == PostgreSQLSessionRepository("https://other.example").base_url


@pytest.mark.parametrize(
    "given",
    [
        "http://host:8001",
        "http://host:8001/",
        "http://host:8001//",
        "http://host:8001/api/v1",
        "http://host:8001/api/v1/",
        " http://host:8001\n",
    ],
)
def test_the_url_is_the_same_with_slash_or_prefix(given):
    assert "http://host:8001" == PostgreSQLSessionRepository(given).base_url


def test_a_url_may_have_a_path_of_its_own():
    assert "https://host/sessions" == PostgreSQLSessionRepository("https://host/sessions/api/v1").base_url


@pytest.mark.parametrize(
    "given",
    [
        "localhost:8001",
        "host",
        "ftp://host",
        "postgresql://host/db",
        "http://",
        "http:///api/v1",
        "http://host:port",
        "http://host:99999",
        "http://user:secret@host",
        "http://host?x=1",
        "http://host#x",
        "http://ho st",
        "http://ho\nst",
        "http://[::1",
        "file:///etc/passwd",
    ],
)
def test_a_url_that_can_not_work_is_refused_without_showing_a_password(given):
    with pytest.raises(ValidationError) as refused:
        PostgreSQLSessionRepository(given)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "30", None, True])
def test_a_timeout_that_is_no_positive_number_is_refused(timeout):
    with pytest.raises(ValidationError, match="timeout"):
        PostgreSQLSessionRepository(timeout=timeout)
