"""`strands-session check`: what is wrong, if something is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strands_session_client import __version__
from tests.client.conftest import Steps, serve, steps  # noqa: F401
from tests.conftest import new_key


class Backend:
    """Answers as the service would, but for what a test wants otherwise."""

    def __init__(self, **otherwise: Any) -> None:
        self.otherwise = otherwise

    def __call__(self, handler: Any) -> None:
        path = handler.path.partition("?")[0]
        health = {"status": "alive", "version": self.otherwise.get("version", __version__)}
        if path.startswith("/health"):
            ill = path == "/health/ready" and self.otherwise.get("ill")
            step = Steps.refuse(503) if ill else Steps.answer(200, health)
        elif "key" in self.otherwise and f"Bearer {self.otherwise['key']}" != handler.headers["Authorization"]:
            step = Steps.refuse(401)
        elif handler.command in self.otherwise.get("forbidden", ()):
            step = Steps.refuse(403)
        else:
            step = {
                "GET": Steps.answer(200, {"sessions": []}),
                "POST": Steps.refuse(400, "ValidationError", {"session_id": ["Missing."]}),
                "DELETE": Steps.refuse(404, "NotFoundError", {"resource": "session"}),
            }[handler.command]
        step(handler)


@pytest.fixture
def check(here, cli, serve, monkeypatch):  # noqa: F811
    """The check's lines for a backend, each a word, a word and the rest."""

    def of(**otherwise):
        monkeypatch.setenv("SESSION_BACKEND_URL", serve(Backend(**otherwise)).url)
        result = cli("check")
        lines = [line.split(None, 2) for line in result.stdout.splitlines()]
        return result.exit_code, {what: (how, remark) for what, how, remark in lines}

    return of


def test_a_live_service_is_well(here, cli, live_url, monkeypatch):
    monkeypatch.setenv("SESSION_BACKEND_URL", live_url)

    result = cli("check")

    assert 0 == result.exit_code, result.output
    assert ["ok"] * 4 == [line.split()[1] for line in result.stdout.splitlines()]


def test_a_live_service_keeps_nothing_of_a_check(here, cli, live_url, monkeypatch, client, empty):
    monkeypatch.setenv("SESSION_BACKEND_URL", live_url)

    cli.ok("check")

    assert 0 == client.get("/api/v1/sessions").json["total"]


@pytest.mark.parametrize(
    ("scopes", "code", "said"),
    [
        (("read", "write", "delete"), 0, "may read, write and delete"),
        (("read",), 1, "the key lacks the scope write, delete"),
        (("write", "delete"), 1, "the key lacks the scope read"),
    ],
)
def test_a_live_service_with_keys(here, cli, keyed_url, keyed_app, monkeypatch, scopes, code, said):
    monkeypatch.setenv("SESSION_BACKEND_URL", keyed_url)
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", new_key(keyed_app, *scopes))

    result = cli("check")

    assert code == result.exit_code, result.output
    assert said in result.stdout


@pytest.mark.parametrize(("key", "said"), [("", "there is none"), ("sk_of_nobody", "unknown to the backend")])
def test_a_live_service_without_a_key_of_it(here, cli, keyed_url, monkeypatch, key, said):
    monkeypatch.setenv("SESSION_BACKEND_URL", keyed_url)
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", key)

    result = cli("check")

    assert 1 == result.exit_code
    assert said in result.stdout
    assert ["ok", "ok", "failed", "ok"] == [line.split()[1] for line in result.stdout.splitlines()]


def test_the_projects_own_settings_are_used(project, cli, live_url):
    (project / ".env").write_text(f"SESSION_BACKEND_URL={live_url}\n")

    assert f"answers at {live_url}" in cli.ok("check")


def test_the_environment_wins_over_the_projects_settings(project, cli, live_url, monkeypatch):
    (project / ".env").write_text("SESSION_BACKEND_URL=http://127.0.0.1:1\n")
    monkeypatch.setenv("SESSION_BACKEND_URL", live_url)

    assert f"answers at {live_url}" in cli.ok("check")


def test_nobody_there(here, cli, monkeypatch, port):
    monkeypatch.setenv("SESSION_BACKEND_URL", f"http://127.0.0.1:{port}")

    result = cli("check")

    assert 1 == result.exit_code
    assert ["failed", "skipped", "skipped", "skipped"] == [line.split()[1] for line in result.stdout.splitlines()]
    assert f"No answer from http://127.0.0.1:{port}" in result.stdout


def test_a_url_that_cannot_be_one(here, cli, monkeypatch):
    monkeypatch.setenv("SESSION_BACKEND_URL", "localhost")

    result = cli("check")

    assert 1 == result.exit_code
    assert "The base URL must look like" in result.output


def test_a_key_that_would_travel_in_clear_text(here, cli, monkeypatch):
    monkeypatch.setenv("SESSION_BACKEND_URL", "http://sessions.example.com")
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", "secret-key-123")

    result = cli("check")

    assert 1 == result.exit_code
    assert "clear text" in result.stderr


def test_somebody_else_there(here, cli, serve, steps, monkeypatch):  # noqa: F811
    monkeypatch.setenv("SESSION_BACKEND_URL", serve(steps.answer(200, "<html>", "text/html")).url)

    result = cli("check")

    assert 1 == result.exit_code
    assert "is not the session service" in result.stdout


def test_an_ill_database(check):
    code, found = check(ill=True)

    assert 1 == code
    assert ("failed", "ok", "ok") == (found["database"][0], found["backend"][0], found["key"][0])


@pytest.mark.parametrize(
    ("theirs", "fits"),
    [(__version__, True), ("0.1.99", True), ("0.2.0", False), ("1.0.0", False), ("None", False), ("", False)],
)
def test_versions_that_fit(check, theirs, fits):
    code, found = check(version=theirs)

    assert (0 if fits else 1, "ok" if fits else "failed") == (code, found["version"][0])


def test_no_key_is_ever_printed(check, monkeypatch):
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", "secret-key-123")

    assert "secret-key-123" not in json.dumps([check(), check(key="other"), check(forbidden=["GET"]), check(ill=True)])
