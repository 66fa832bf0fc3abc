"""Settings: where they come from, and what is said when they are wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from session_api import config
from session_api.db import Database
from session_api.engine import SERVER_SETTINGS
from session_api.errors import ConfigError
from session_api.gate import Full

from .conftest import KEYED, ROOT, make_settings

SETTINGS = [name.upper() for name in config.Settings.__dataclass_fields__]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("API_KEY_SECRET", KEYED["API_KEY_SECRET"])
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_documented_with_its_default() -> None:
    documentation = (ROOT / "docs" / "configuration.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line for line in documentation.splitlines() if line.startswith("| `")}
    defaults = config.load()

    assert set(SETTINGS) == set(rows)
    for name in set(SETTINGS) - {"SESSION_API_DATA_DIR", "API_KEY_SECRET"}:
        default = getattr(defaults, name.lower())
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert ("none" if default in (None, ()) else f"`{shown}`") in rows[name].split("|")[2], name


def test_the_example_env_file_is_valid_and_names_only_settings() -> None:
    example = ROOT / ".env.example"
    named = {line.lstrip("# ").split("=")[0] for line in example.read_text().splitlines() if "=" in line}

    assert named <= {*SETTINGS, "POSTGRES_PASSWORD", "DATABASE_PASSWORD", "PGADMIN_PASSWORD"}  # compose.yaml's
    config.load(example)


def test_a_user_without_a_home_is_served_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    assert Path("/var/lib/strands-session-api") == config.load().session_api_data_dir


def test_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=1234\nAPI_HOST=0.0.0.0\nSOMETHING_ELSE=x\nPGPASSWORD=y\n")
    monkeypatch.setenv("API_PORT", "4321")

    settings = config.load()

    assert (4321, "0.0.0.0") == (settings.api_port, settings.api_host)
    assert "SOMETHING_ELSE" not in os.environ


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_every_form_of_url_leads_to_the_same_driver(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://me:p%40ss@db.example:5433/sessions?sslmode=require")

    url = Database(config.load()).engine.url

    assert "postgresql+psycopg2://me:p%40ss@db.example:5433/sessions?sslmode=require" == url.render_as_string(False)


FAULTS = {
    "DATABASE_URL": ["mysql://u:canary@h/d", "postgresql://u:canary@h:port/d", "postgresql://u:canary@h:99999/d",
                     "postgresql://u:canary@h", "", "canary"],
    "DATABASE_POOL_SIZE": ["0", "-1", "x", "1.5", ""],
    "DATABASE_MAX_OVERFLOW": ["-1", "x"],
    "DATABASE_POOL_PRE_PING": ["perhaps"],
    "API_HOST": [""],
    "API_PORT": ["0", "65536", "http"],
    "API_WORKERS": ["0"],
    "API_CONNECTIONS": ["0"],
    "API_MAX_BODY_BYTES": ["0", "16M"],
    "AUTH_MODE": ["off", ""],
    "API_KEY_SECRET": ["canary", "", "canary" * 6 + ",canary", "canary" * 6 + ","],
    "DOCS_ACCESS": ["public", ""],
    "METRICS_ACCESS": ["admin", ""],
    "PROXY_COUNT": ["-1", "17", "yes", ""],
    "CORS_ORIGINS": ["canary", "*.example.com", "https://*.canary", "https://a.example/", "https://a.example/canary",
                     "https://a.example:443", "http://a.example:80", "https://u:canary@a.example", "*,https://a.example",
                     "https://a.example;https://b.example", "https://bücher.example", "https://[::1", "null", "https://"],
    "RATE_LIMIT": ["canary", "100", "0/second", "5/fortnight", "5/second;canary", "-1/second"],
    "RATE_LIMIT_STORAGE_URL": ["canary", "http://canary", "redis://", "redis://:canary@h:port", "redis://:canary@h:99999",
                               "memcached://", "memory://canary", "redis+sentinel://canary/x"],
    "LOG_LEVEL": ["LOUD", ""],
    "LOG_FORMAT": ["xml"],
    "ENVIRONMENT": ["prod"],
    "RETRY_ATTEMPTS": ["-1", "0", "many"],
    "RETRY_BACKOFF_MULTIPLIER": ["0", "nan"],
    "RETRY_BACKOFF_MIN": ["-0.1", "2"],
    "RETRY_BACKOFF_MAX": ["-1", "inf"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FAULTS.items() for value in values])
def test_a_bad_value_is_refused_by_name_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        config.load()

    # A maximum below the minimum is told of the minimum.
    assert {name} <= set(caught.value.details) | {"RETRY_BACKOFF_MAX"}
    assert name in str(caught.value) or "RETRY_BACKOFF" in name
    assert "canary" not in str(caught.value)


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, values in FAULTS.items():
        monkeypatch.setenv(name, values[0])

    with pytest.raises(ConfigError) as caught:
        config.load()

    assert set(FAULTS) == set(caught.value.details)


def test_settings_that_are_printed_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:canary@host/database")
    monkeypatch.setenv("API_KEY_SECRET", "canary" * 6)
    monkeypatch.setenv("RATE_LIMIT_STORAGE_URL", "redis://:canary@host")

    settings = config.load()

    assert "canary" not in repr(settings)
    assert "redis://:canary@host" == settings.rate_limit_storage_url


def test_production_needs_a_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "Production")

    with pytest.raises(ConfigError, match="DATABASE_URL: Must be set when ENVIRONMENT is production"):
        config.load()


def test_production_asks_for_keys_everywhere_but_at_the_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/sessions")
    settings = config.load()

    assert ("keys", "key", "key") == (settings.auth_mode, settings.docs_access, settings.metrics_access)
    monkeypatch.setenv("AUTH_MODE", "none")
    with pytest.raises(ConfigError, match="AUTH_MODE: Must not be none when ENVIRONMENT is production") as caught:
        config.load()
    assert ["AUTH_MODE"] == list(caught.value.details)


def test_keys_need_a_secret_unless_none_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_KEY_SECRET")

    with pytest.raises(ConfigError, match="API_KEY_SECRET: Must be set, to 32 random characters or more"):
        config.load()
    monkeypatch.setenv("AUTH_MODE", "NONE")
    assert ("none", None, []) == (
        (settings := config.load()).auth_mode,
        settings.api_key_secret,
        settings.api_key_secrets,
    )


@pytest.mark.parametrize("name", ["DOCS_ACCESS", "METRICS_ACCESS"])
def test_a_page_cannot_ask_for_a_key_where_there_are_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("AUTH_MODE", "none")
    monkeypatch.setenv(name, "key")

    with pytest.raises(ConfigError, match=f"{name}: Must not be key when AUTH_MODE is none"):
        config.load()


def test_several_secrets_are_told_apart_and_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "canary-1" * 4, "canary-2" * 4
    monkeypatch.setenv("API_KEY_SECRET", f"{first}, {second}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:canary@localhost/sessions")
    settings = config.load()

    assert [first, second] == settings.api_key_secrets
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.8.8.8", True), ("0.0.0.0", False), ("::", False)],
)
def test_it_knows_whether_only_this_machine_reaches_it(
    monkeypatch: pytest.MonkeyPatch, host: str, expected: bool
) -> None:
    monkeypatch.setenv("API_HOST", host)

    assert expected == config.load().listens_on_loopback


def test_an_env_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"API_PORT=\xff\xfe")

    with pytest.raises(ConfigError, match=r"\.env: Cannot be read"):
        config.load()


def test_pool_settings_reach_the_pool(database_url: str) -> None:
    settings = make_settings(database_url, database_pool_size=3, database_max_overflow=1, database_pool_pre_ping=True)
    database = Database(settings)
    leases = [database.pool.take() for _ in range(4)]
    with pytest.raises(Full):
        database.pool.take()
    for lease in leases:
        database.pool.give(lease)

    assert {"size": 3, "in_use": 0, "idle": 4} == database.pool.figures()
    database.dispose()


def test_every_connection_has_the_service_s_limits(db: Database) -> None:
    """Behind a pooler they are the role's, from examples/role.sql."""
    with db.engine.connect() as connection:
        shown = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SERVER_SETTINGS}

    assert SERVER_SETTINGS == shown


def test_options_in_the_url_are_kept_beside_the_service_s_own(database_url: str, pooled: bool) -> None:
    joined = "&" if "?" in database_url else "?"
    database = Database(make_settings(f"{database_url}{joined}options=-c%20work_mem%3D7MB"))

    with database.engine.connect() as connection:
        sent = connection.connection.dbapi_connection.info.options
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("work_mem", "lock_timeout")]
    database.dispose()

    assert sent.endswith(" -c client_connection_check_interval=2s -c work_mem=7MB")
    assert ["4MB" if pooled else "7MB", "2s"] == shown  # a pooler drops what is sent


@pytest.mark.parametrize("path", ["examples/role.sql", "docs/operations.md"])
def test_what_admins_are_told_gives_the_role_what_the_service_sends(path: str) -> None:
    script = (ROOT / path).read_text()
    written = re.findall(r"^ALTER ROLE session_api SET (\w+) = '(\w+)';$", script, re.MULTILINE)

    assert list(SERVER_SETTINGS.items()) == written
