"""What keeps the way past one PostgreSQL open: keys, statements, and the command that spreads the tables.

Native hash partitions stand for the servers of a distributed engine. As there, a row lies where the hash of its
`session_id` says, keys must hold that column, and the plan of a statement shows which parts it asks.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import make_url

from session_api import create_app, models
from session_api.store import distribution

from .conftest import AGENT, HELLO, _execute, make_settings
from .sent import statements_of

SPREAD = [table for table in models.metadata.sorted_tables if "session_id" in table.columns]
PARTS = 4


def catalog(url: str, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.exec_driver_sql(query.replace("%", "%%"))]
    engine.dispose()
    return rows


def test_every_primary_foreign_and_unique_key_is_led_by_session_id(database_url: str) -> None:
    keys = catalog(
        database_url,
        """
        SELECT conrelid::regclass::text, conname, contype, attname FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f', 'u')
        """,
    )
    indexes = catalog(
        database_url,
        """
        SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index
        JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indisunique AND attname <> 'session_id' AND indrelid IN
            (SELECT attrelid FROM pg_attribute WHERE attname = 'session_id')
            AND indrelid::regclass::text !~ '^pg_|\\.'
        """,
    )
    names = {table.name for table in SPREAD}

    assert {(name, "p") for name in names} <= {(table, kind) for table, _, kind, _ in keys}
    assert {"session_id"} == {column for table, _, _, column in keys if table in names}
    # A foreign key from or to a table that is copied to every server would be one that crosses servers.
    assert all(table in names for table, _, kind, _ in keys if kind == "f")
    assert [] == [index for table, index in indexes if table in names]


def test_the_column_is_of_one_type_everywhere(database_url: str) -> None:
    types = catalog(
        database_url,
        """
        SELECT data_type, character_maximum_length, collation_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'session_id'
        """,
    )

    assert [("character varying", 255, "C")] * len(SPREAD) == types


def test_nothing_needs_a_sequence_a_trigger_a_rule_or_a_default_of_the_server(database_url: str) -> None:
    for query in (
        "SELECT sequencename FROM pg_sequences",
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT rulename FROM pg_rules WHERE schemaname = 'public'",
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND (column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS')",
    ):
        assert [] == catalog(database_url, query)


@pytest.fixture(scope="module")
def spread_url(server_url: str) -> Iterator[str]:
    """A database whose tables are spread over parts by the hash of session_id."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    plain = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    _execute(plain, f"CREATE DATABASE {name}")
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    engine, metadata = create_engine(url), MetaData()
    for table in models.metadata.sorted_tables:
        copy = table.to_metadata(metadata)
        if table in SPREAD:
            copy.dialect_options["postgresql"]["partition_by"] = "HASH (session_id)"
    with engine.begin() as connection:
        metadata.create_all(connection)
        for table in SPREAD:
            for part in range(PARTS):
                connection.exec_driver_sql(
                    f"CREATE TABLE {table.name}_part{part} PARTITION OF {table.name}"
                    f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
                )
    engine.dispose()
    yield url
    _execute(plain, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def spread_app(spread_url: str) -> Iterator[Flask]:
    app = create_app(make_settings(spread_url))
    yield app
    app.extensions["session_api_database"].dispose()


@pytest.fixture
def client(spread_app: Flask) -> FlaskClient:
    return spread_app.test_client()


@pytest.fixture
def plans(spread_url: str) -> Iterator[Connection]:
    connection = psycopg2.connect(make_url(spread_url).set(drivername="postgresql").render_as_string(False))
    yield connection
    connection.close()


def parts_of(plans: Connection, statement: str) -> set[str]:
    """Which parts the statement asks, of whatever table; what it inserts goes to the one part of its row."""
    cursor = plans.cursor()
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
    plan = json.dumps(cursor.fetchone()[0])
    return set(re.findall(r'"Relation Name": "\w+_part(\d+)"', plan))


# Each in the state that the one before left; {s} is a session.
HOT = [
    ("POST", "/sessions", {"session_id": "{s}"}),
    ("POST", "/sessions", {"session_id": "{s}"}),  # again: 409, which reads what is there
    ("POST", "/sessions/{s}/agents", AGENT),
    ("POST", "/sessions/{s}/agents/assistant/messages", HELLO),
    ("POST", "/sessions/{s}/agents/nobody/messages", HELLO),  # 404
    ("POST", "/sessions/{s}/multi-agents", {"multi_agent_id": "graph", "state": {}}),
    *(
        (method, url, body)
        for url, body in (
            ("/sessions/{s}", {"session_type": "X"}),
            ("/sessions/{s}/agents/assistant", {"state": {}}),
            ("/sessions/{s}/agents/assistant/messages/0", {"redact_message": None}),
            ("/sessions/{s}/multi-agents/graph", {"state": {}}),
        )
        for method, body in (
            ("GET", None),
            ("PUT", body),
            ("GET known", None),
            ("PUT stale", body),
            ("DELETE stale", None),
        )
    ),
    *(
        ("GET", f"/sessions/{{s}}/{children}{query}", None)
        for children in ("agents", "agents/assistant/messages", "multi-agents")
        for query in ("", "?total=false", "?order=desc&limit=1&offset=1", "?limit=1")
    ),
    ("GET known", "/sessions/{s}/agents/assistant/messages", None),
    ("GET", "/sessions/{s}/agents/nobody/messages", None),
    ("DELETE", "/sessions/{s}/agents/assistant/messages/0", None),
    ("DELETE", "/sessions/{s}/agents/assistant/messages/0", None),  # again: 404
    ("DELETE", "/sessions/{s}/multi-agents/graph", None),
    ("DELETE", "/sessions/{s}/agents/assistant", None),
    ("DELETE", "/sessions/{s}", None),
]


def test_every_statement_about_a_session_asks_one_part_only(
    spread_app: Flask, client: FlaskClient, plans: Connection
) -> None:
    session_id, answers = f"s-{uuid.uuid4().hex[:8]}", []
    with statements_of(spread_app.extensions["session_api_database"], complete=True) as statements:
        for method, url, body in HOT:
            verb, _, how = method.partition(" ")
            url = f"/api/v1{url}".format(s=session_id)
            headers = {"If-None-Match": client.get(url).headers["ETag"]} if how == "known" else {}
            headers |= {"If-Match": '"1"'} if how == "stale" else {}
            body = json.loads(json.dumps(body).replace("{s}", session_id))
            answers.append(client.open(url, method=verb, json=body, headers=headers).status_code)
            after = client.get(url).json.get("next") if "limit=1" in url else None
            if after:
                client.get(url, query_string={"after": after})
    kinds = {statement.split()[0] for statement in statements}

    assert {"SELECT", "INSERT", "UPDATE", "DELETE"} == kinds
    assert {200, 201, 204, 304, 404, 409, 412} == set(answers)
    assert len(statements) > len(HOT)
    for statement in statements:
        assert f"'{session_id}'" in statement
        parts = parts_of(plans, statement)
        # An INSERT names the whole table in its plan, and goes where the hash of its single row says.
        assert len(parts) <= (0 if statement.startswith("INSERT") else 1), statement
        assert statement.startswith("INSERT") or parts, statement
        # Citus refuses the clock and its like in RETURNING, and in an UPDATE within COALESCE or CASE.
        done, _, returned = statement.partition(" RETURNING ")
        assert "timestamp()" not in returned, statement
        assert not (statement.startswith("UPDATE") and re.search(r"\b(coalesce|CASE)\b", done)), statement


def test_the_list_of_sessions_is_the_one_that_asks_every_part(
    spread_app: Flask, client: FlaskClient, plans: Connection
) -> None:
    with statements_of(spread_app.extensions["session_api_database"], complete=True) as statements:
        for number in range(20):
            client.post("/api/v1/sessions", json={"session_id": f"listed-{number}"})
        del statements[:]
        listed = client.get("/api/v1/sessions?prefix=listed-").json

    assert 20 == listed["total"] == len(listed["sessions"])
    assert [{str(part) for part in range(PARTS)}] == [parts_of(plans, statement) for statement in statements]


def test_a_missing_parent_and_a_cascade_work_across_parts(client: FlaskClient, spread_url: str) -> None:
    for number in range(8):
        url = f"/api/v1/sessions/family-{number}"
        client.post("/api/v1/sessions", json={"session_id": f"family-{number}"})
        missing = client.post(f"{url}/agents/nobody/messages", json=HELLO)
        client.post(f"{url}/agents", json=AGENT)
        client.post(f"{url}/agents/assistant/messages", json=HELLO)

        assert (404, "agent") == (missing.status_code, missing.json["details"]["resource"])
        assert 204 == client.delete(url).status_code
    assert [(0,)] == catalog(spread_url, "SELECT count(*) FROM session_messages WHERE session_id LIKE 'family-%'")


@pytest.fixture
def command(fresh_url: str) -> Iterator[Callable[..., Result]]:
    """`flask …` in the process of the test, on a database that is migrated."""
    app = create_app(make_settings(fresh_url))
    runner = app.test_cli_runner()
    upgraded = runner.invoke(args=["db", "upgrade"])
    assert 0 == upgraded.exit_code, upgraded.output
    yield lambda *arguments: runner.invoke(args=arguments)
    app.extensions["session_api_database"].dispose()


def test_distribute_without_citus_says_what_is_missing(command: Callable[..., Result]) -> None:
    made = command("distribute")

    assert 1 == made.exit_code
    assert made.output.startswith("Error: This database has no Citus")
    assert "CREATE EXTENSION citus" in made.output


def test_distribute_dry_run_prints_the_sql_in_an_order_that_citus_takes(command: Callable[..., Result]) -> None:
    lines = command("distribute", "--dry-run").output.splitlines()
    names = [re.search(r"'(\w+)'", line)[1] for line in lines]

    assert {table.name for table in models.metadata.sorted_tables} == set(names)
    assert "SELECT create_distributed_table('sessions', 'session_id', colocate_with => 'none');" in lines
    for table in SPREAD[1:]:
        line = f"SELECT create_distributed_table('{table.name}', 'session_id', colocate_with => 'sessions');"
        assert line in lines
        for key in table.foreign_key_constraints:
            assert names.index(key.referred_table.name) < names.index(table.name)


# What Citus offers, as far as the command needs it; Debian and the embedded PostgreSQL have no Citus to test with.
CITUS = """
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, asked text);
CREATE FUNCTION create_distributed_table(name regclass, key text, colocate_with text) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO pg_dist_partition VALUES (name, key || ' beside ' || colocate_with) $$;
CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO pg_dist_partition VALUES (name, 'everywhere') $$;
"""


def test_distribute_spreads_each_table_once(
    command: Callable[..., Result],
    fresh_url: str,
) -> None:
    _execute(make_url(fresh_url).set(drivername="postgresql").render_as_string(False), CITUS)
    first = command("distribute")
    asked = dict(catalog(fresh_url, "SELECT logicalrelid::text, asked FROM pg_dist_partition"))
    again = command("distribute")

    assert (0, 0) == (first.exit_code, again.exit_code)
    assert len(distribution.steps()) == len(asked) == first.output.count("\n")
    assert "session_id beside none" == asked.pop("sessions")
    assert {"session_id beside sessions"} == {asked[table.name] for table in SPREAD[1:]}
    assert all(line.endswith(" already") for line in again.output.splitlines())


# As Citus says it (its ReportResultError): SQLSTATE and message of the other server, whose names end in the number of a
# shard, and no field that names the constraint.
ELSEWHERE = """
ALTER TABLE session_messages DROP CONSTRAINT fk_session_messages_session_agents;
CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE foreign_key_violation USING MESSAGE = 'insert or update on table "session_messages_102040" violates'
        ' foreign key constraint "fk_session_messages_session_agents_102040"';
END $$;
CREATE TRIGGER elsewhere BEFORE INSERT ON session_messages FOR EACH ROW EXECUTE FUNCTION elsewhere();
"""


def test_a_missing_parent_that_another_server_noticed_is_a_404(
    command: Callable[..., Result],
    fresh_url: str,
) -> None:
    _execute(make_url(fresh_url).set(drivername="postgresql").render_as_string(False), ELSEWHERE)
    app = create_app(make_settings(fresh_url))
    missing = app.test_client().post("/api/v1/sessions/s/agents/nobody/messages", json=HELLO)
    app.extensions["session_api_database"].dispose()

    assert (404, "agent") == (missing.status_code, missing.json["details"]["resource"])
