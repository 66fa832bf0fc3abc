"""The environment decides how the service behaves, or is refused with all that is wrong with it."""

from __future__ import annotations

import io
import json
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults.proxy import refusing
from session_api import create_app
from session_api.db import Database
from session_api.errors import ConfigError, DatabaseUnavailable

from . import api
from .environment import LEVELS, NAMES, NOWHERE, OPEN, REQUIRED, SECRET, loaded


def _cased(*words: str) -> st.SearchStrategy[str]:
    return st.builds(lambda word, change: change(word), st.sampled_from(words), st.sampled_from([str.upper, str.lower]))


ORIGINS = ["https://app.example", "http://localhost:3000", "http://[::1]:8080", "https://xn--bcher-kva.example"]

# What each variable may hold, as it is written.
VALID: dict[str, st.SearchStrategy[str]] = {
    "DATABASE_URL": st.sampled_from(
        [
            NOWHERE,
            f"postgres://user:{SECRET}@db.example/sessions?sslmode=require",
            f"postgresql+asyncpg://user:{SECRET}@[::1]:5432/sessions",
            f"postgresql+psycopg2://user:{SECRET}%40@/sessions?host=/tmp",
        ]
    ),
    "DATABASE_POOL_SIZE": st.integers(1, 1000).map(str),
    "DATABASE_MAX_OVERFLOW": st.integers(0, 1000).map(str),
    "DATABASE_POOL_PRE_PING": _cased("true", "false", "on", "off", "1", "0"),
    "SESSION_API_DATA_DIR": st.sampled_from(["/var/lib/session api", "data", "./日本"]),
    "API_HOST": st.sampled_from(["0.0.0.0", "::1", "localhost"]),
    "API_PORT": st.integers(1, 65535).map(str),
    "API_WORKERS": st.integers(1, 256).map(str),
    "API_CONNECTIONS": st.integers(1, 100_000).map(str),
    "API_MAX_BODY_BYTES": st.integers(1024, 2**30).map(str),
    "AUTH_MODE": _cased("keys"),
    "API_KEY_SECRET": st.sampled_from([SECRET * 3, f"{SECRET * 4}, {'ä' * 32}"]),
    "DOCS_ACCESS": _cased("open", "key", "off"),
    "METRICS_ACCESS": _cased("open", "key", "off"),
    "PROXY_COUNT": st.integers(0, 16).map(str),
    "CORS_ORIGINS": st.lists(st.sampled_from(ORIGINS), unique=True).map(",".join),
    "RATE_LIMIT": st.sampled_from(["5/second", "100 per 2 minutes; 1/day"]),
    "RATE_LIMIT_STORAGE_URL": st.sampled_from([f"redis://:{SECRET}@h:6379/1", "rediss://h", "memcached://h:11211"]),
    "LOG_LEVEL": _cased(*LEVELS),
    "LOG_FORMAT": _cased("json", "text"),
    "ENVIRONMENT": _cased("development", "test", "staging", "production"),
    "RETRY_ATTEMPTS": st.integers(1, 20).map(str),
    "RETRY_BACKOFF_MULTIPLIER": st.floats(1, 10).map(str),
    "RETRY_BACKOFF_MIN": st.floats(0, 1).map(str),
    "RETRY_BACKOFF_MAX": st.floats(1, 60).map(str),
}
_MEANING: dict[str, Any] = {
    "DATABASE_POOL_PRE_PING": lambda written: written.lower() in ("true", "on", "1"),
    "SESSION_API_DATA_DIR": Path,
    "CORS_ORIGINS": lambda written: tuple(filter(None, written.split(","))),
    "LOG_LEVEL": str.upper,
    "LOG_FORMAT": str.lower,
    **dict.fromkeys(["ENVIRONMENT", "AUTH_MODE", "DOCS_ACCESS", "METRICS_ACCESS"], str.lower),
    **dict.fromkeys(["RETRY_BACKOFF_MULTIPLIER", "RETRY_BACKOFF_MIN", "RETRY_BACKOFF_MAX"], float),
    **dict.fromkeys(["DATABASE_URL", "API_HOST", "API_KEY_SECRET", "RATE_LIMIT", "RATE_LIMIT_STORAGE_URL"], str),
}
# What others may need, or all do.
_NEEDED = [*REQUIRED, "RATE_LIMIT_STORAGE_URL"]
valid_settings = st.fixed_dictionaries(
    {name: VALID[name] for name in _NEEDED},
    optional={name: values for name, values in VALID.items() if name not in _NEEDED},
)


@settings(max_examples=100)
@given(given_there=valid_settings, given_in_file=valid_settings)
def test_property_14_settings_come_from_the_environment_and_the_env_file(
    tmp_path: Path, given_there: dict[str, str], given_in_file: dict[str, str]
) -> None:
    """Feature: session-backend-api, Property 14: Configuration changes behaviour"""
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}='{written}'\n" for name, written in given_in_file.items()))
    environment = {"ENVIRONMENT": loaded(REQUIRED).environment, **given_in_file, **given_there}["ENVIRONMENT"]
    defaults = loaded({**REQUIRED, "ENVIRONMENT": environment})

    found = loaded(given_there, dotenv)

    for name in NAMES:
        written = given_there.get(name, given_in_file.get(name))
        default = getattr(defaults, name.lower())
        expected = default if written is None else _MEANING.get(name, int)(written)
        assert expected == getattr(found, name.lower()), name


@settings(max_examples=100)
@given(
    pool=st.tuples(st.integers(1, 40), st.integers(0, 40)),
    limit=st.integers(1024, 4096),
    level=st.sampled_from(LEVELS),
    log_format=st.sampled_from(["json", "text"]),
)
def test_property_14_settings_change_how_the_service_behaves(
    database_url: str, tmp_path: Path, own_logs: None, pool: tuple[int, int], limit: int, level: str, log_format: str
) -> None:
    """Feature: session-backend-api, Property 14: Configuration changes behaviour"""
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"LOG_LEVEL={level}\nDATABASE_MAX_OVERFLOW={pool[1]}\n")
    variables = {"DATABASE_POOL_SIZE": str(pool[0]), "API_MAX_BODY_BYTES": str(limit), "LOG_FORMAT": log_format}
    output = io.StringIO()
    with redirect_stdout(output):
        app = create_app(loaded({"DATABASE_URL": database_url, **OPEN, **variables}, dotenv))
        client = app.test_client()
        statuses = [
            client.post(api.url(), data=_padded(length), content_type="application/json").status_code
            for length in (limit, limit + 1)
        ]
        figures = api.parsed(client.get("/health/db"))["checks"]["database"]["pool"]
        database: Database = app.extensions["session_api_database"]
    database.dispose()

    assert [201, 413] == statuses
    assert (pool[0], sum(pool)) == (figures["size"], database.pool.places)
    lines = output.getvalue().splitlines()
    assert (3 if level in ("DEBUG", "INFO") else 0) == len(lines)
    assert all(line.startswith("{") == (log_format == "json") for line in lines)


def _padded(length: int) -> str:
    """A new session in a body of so many bytes."""
    body = json.dumps({"session_id": api.new_id(), "multi_agent_state": {"padding": ""}})
    return body.replace('""', f'"{"x" * (length - len(body))}"')


@settings(max_examples=100)
@given(attempts=st.integers(1, 4), longest=st.floats(0, 0.003))
def test_property_14_retry_attempts_are_how_often_the_database_is_tried(attempts: int, longest: float) -> None:
    """Feature: session-backend-api, Property 14: Configuration changes behaviour"""
    variables = {"RETRY_ATTEMPTS": attempts, "RETRY_BACKOFF_MIN": longest, "RETRY_BACKOFF_MAX": longest}
    written = {name: str(value) for name, value in variables.items()}
    hangs_up = refusing()
    url = f"postgresql://nobody@127.0.0.1:{hangs_up.port}/nothing?sslmode=disable&gssencmode=disable"
    database = Database(loaded({"DATABASE_URL": url, **OPEN, **written}))

    with pytest.raises(DatabaseUnavailable):
        database.run(lambda tx: None)

    assert attempts == hangs_up.accepted
    hangs_up.close()


# What each variable must not hold; a value may be a secret that was pasted into the wrong line.
_NO_INTEGER = ["ten", "1.5", "0x10", "1e3", SECRET, f"8 {SECRET}"]
_NO_NUMBER = ["fast", "nan", "inf", "1,5", SECRET]
INVALID: dict[str, list[str]] = {
    "DATABASE_URL": [
        "",
        SECRET,
        f"mysql://user:{SECRET}@db/sessions",
        f"postgresql+psycopg://user:{SECRET}@db/sessions",
        f"postgresql://user:{SECRET}@db:port/sessions",
        f"postgresql://user:{SECRET}@db:99999/sessions",
        f"postgresql://user:{SECRET}@db/",
        f"postgresql://user:{SECRET}@db",
        f"postgresql//user:{SECRET}@db/sessions",
        f"postgresql://user:{SECRET}@[::1/sessions",
    ],
    "DATABASE_POOL_SIZE": [*_NO_INTEGER, "0", "-1", "1001"],
    "DATABASE_MAX_OVERFLOW": [*_NO_INTEGER, "-1", "1001"],
    "DATABASE_POOL_PRE_PING": ["maybe", "2", SECRET],
    "API_HOST": [""],
    "API_PORT": [*_NO_INTEGER, "0", "65536"],
    "API_WORKERS": [*_NO_INTEGER, "0", "257"],
    "API_CONNECTIONS": [*_NO_INTEGER, "0", "100001"],
    "API_MAX_BODY_BYTES": [*_NO_INTEGER, "1023", str(2**30 + 1)],
    "AUTH_MODE": ["", "off", SECRET],
    "API_KEY_SECRET": ["", SECRET, "x" * 31, f"{SECRET * 3},{SECRET}", f"{SECRET * 3},"],
    "DOCS_ACCESS": ["", "public", SECRET],
    "METRICS_ACCESS": ["", "admin", SECRET],
    "PROXY_COUNT": [*_NO_INTEGER, "-1", "17"],
    "CORS_ORIGINS": [SECRET, f"https://user:{SECRET}@app.example", "https://app.example/", "*,https://app.example"],
    "RATE_LIMIT": [SECRET, "100", "0/second", f"5/second;{SECRET}"],
    "RATE_LIMIT_STORAGE_URL": [SECRET, f"http://:{SECRET}@h", f"redis://:{SECRET}@h:port", f"memory://{SECRET}"],
    "LOG_LEVEL": ["", "LOUD", "INFO DEBUG", SECRET],
    "LOG_FORMAT": ["", "xml", SECRET],
    "ENVIRONMENT": ["", "prod", SECRET],
    "RETRY_ATTEMPTS": [*_NO_INTEGER, "0", "21"],
    "RETRY_BACKOFF_MULTIPLIER": [*_NO_NUMBER, "0.5", "11"],
    "RETRY_BACKOFF_MIN": [*_NO_NUMBER, "-0.1", "61"],
    "RETRY_BACKOFF_MAX": [*_NO_NUMBER, "-0.1", "61"],
}


@st.composite
def faulty_settings(draw: st.DrawFn) -> tuple[dict[str, str], set[str]]:
    """Variables, and the names of those at fault: by themselves, or seen together with another."""
    variables = draw(valid_settings)
    at_fault = draw(st.lists(st.sampled_from(list(INVALID)), max_size=5, unique=True))
    for name in at_fault:
        variables[name] = draw(st.sampled_from(INVALID[name]))
    together = []
    if not {"RETRY_BACKOFF_MIN", "RETRY_BACKOFF_MAX"} & set(at_fault):
        together.append(({"RETRY_BACKOFF_MIN": "30", "RETRY_BACKOFF_MAX": "2.5"}, "RETRY_BACKOFF_MIN"))
    if not {"DATABASE_URL", "ENVIRONMENT"} & set(at_fault):
        together.append(({"ENVIRONMENT": "production", "DATABASE_URL": None}, "DATABASE_URL"))
    if not {"AUTH_MODE", "API_KEY_SECRET", "ENVIRONMENT"} & set(at_fault):
        together.append(({"AUTH_MODE": "none", "ENVIRONMENT": "production"}, "AUTH_MODE"))
    if not {"RATE_LIMIT", "RATE_LIMIT_STORAGE_URL", "API_WORKERS"} & set(at_fault):
        limited = {"RATE_LIMIT": "5/second", "API_WORKERS": "2"}
        for storage in (None, "memory://"):
            together.append(({**limited, "RATE_LIMIT_STORAGE_URL": storage}, "RATE_LIMIT_STORAGE_URL"))
    chosen = draw(st.lists(st.sampled_from(together), unique_by=str)) if together else []
    for combination, name in chosen:
        variables = {key: value for key, value in {**variables, **combination}.items() if value is not None}
        at_fault.append(name)
    return variables, set(at_fault)


@settings(max_examples=100)
@given(drawn=faulty_settings().filter(lambda drawn: drawn[1]), in_file=st.booleans())
def test_property_15_bad_configuration_is_refused_clearly(
    tmp_path: Path, drawn: tuple[dict[str, str], set[str]], in_file: bool
) -> None:
    """Feature: session-backend-api, Property 15: Bad configuration refused clearly"""
    variables, at_fault = drawn
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}='{written}'\n" for name, written in variables.items()) if in_file else "")

    with pytest.raises(ConfigError) as refusal:
        loaded({} if in_file else variables, dotenv)

    named = [line.strip().partition(":")[0] for line in str(refusal.value).splitlines()[1:]]
    assert sorted(at_fault) == named
    assert at_fault == set(refusal.value.details or {})
    assert all(sentences for sentences in (refusal.value.details or {}).values())
    assert SECRET not in "".join(traceback.format_exception(refusal.value)) + repr(refusal.value.details)
