"""What a broken database means to a request: one row of docs/reliability.md each, on real connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.engine import Connection, make_url

from faults.proxy import Proxy, refusing, to_database
from session_api import breaker, create_app, deadline
from session_api.db import Database
from session_api.errors import Conflict, DatabaseUnavailable, Gone, PreconditionFailed
from session_api.models import AgentKey, MessageKey
from session_api.store import agents, messages
from session_api.strict_json import EMPTY, Document

from .conftest import HELLO, make_settings
from .sent import statements_of

NEW = {
    "message": Document(b'{"role":"user","content":[]}'),
    "redact_message": None,
    "created_at": None,
    "updated_at": None,
}


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    """In front of the test's database."""
    proxy = Proxy(to_database(database_url))
    yield proxy
    proxy.close()


@pytest.fixture
def url(database_url: str, proxy: Proxy) -> str:
    return proxy.url(database_url)


@pytest.fixture
def far(url: str) -> Iterator[Database]:
    """The database as seen through the proxy, with one connection at a time."""
    database = Database(make_settings(url, database_pool_size=1, database_max_overflow=0))
    yield database
    database.dispose()


@pytest.fixture
def far_client(url: str) -> FlaskClient:
    return create_app(make_settings(url)).test_client()


@contextmanager
def a_row_lock(database_url: str, key: AgentKey) -> Iterator[None]:
    """Somebody else holds the agent's row."""
    connection = psycopg2.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False))
    connection.cursor().execute(
        "SELECT 1 FROM session_agents WHERE session_id = %s AND agent_id = %s FOR UPDATE",
        (key.session_id, key.agent_id),
    )
    yield
    connection.rollback()  # unlike close(), it returns when the lock is gone
    connection.close()


def unavailable(operation: object) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as caught:
        operation()
    return caught.value


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_refused_connection_is_tried_as_often_as_the_setting_says(attempts: int) -> None:
    hangs_up = refusing()
    url = f"postgresql+psycopg2://u@127.0.0.1:{hangs_up.port}/d?sslmode=disable&gssencmode=disable"
    database = Database(make_settings(url, retry_attempts=attempts))

    error = unavailable(lambda: database.run(agents.read, AgentKey("t", "s", "a")))

    assert (attempts, False, 2) == (hangs_up.accepted, error.details["applied"], error.retry_after)
    hangs_up.close()


def test_after_five_failures_nothing_is_tried_until_the_next_probe_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(breaker, "monotonic", lambda: now)
    hangs_up = refusing()
    url = f"postgresql+psycopg2://u@127.0.0.1:{hangs_up.port}/d?sslmode=disable&gssencmode=disable"
    database = Database(make_settings(url, retry_attempts=5))
    unavailable(lambda: database.run(agents.read, AgentKey("t", "s", "a")))
    accepted = [hangs_up.accepted]

    errors = []
    for _ in range(3):
        errors += [unavailable(lambda: database.run(agents.read, AgentKey("t", "s", "a"))) for _ in range(10)]
        accepted.append(hangs_up.accepted)
        now += 1

    assert [5, 5, 6, 7] == accepted
    assert {("it cannot be reached", False)} == {(e.details["reason"], e.details["applied"]) for e in errors}
    hangs_up.close()


def test_a_pool_without_a_free_connection_is_not_waited_for_twice(far: Database, agent_key: AgentKey) -> None:
    lease = far.pool.take()
    error = unavailable(lambda: far.run(agents.read, agent_key))
    far.pool.give(lease)

    assert ("all its connections are in use", False, 1) == (*error.details.values(), error.retry_after)


def test_an_append_whose_answer_was_lost_is_found_and_succeeds(
    far: Database, proxy: Proxy, agent_key: AgentKey
) -> None:
    far.read(agents.read, agent_key)
    proxy.cut_answers()

    with statements_of(far) as sent:
        row = far.run(messages.append, MessageKey(*agent_key, 0), NEW)

    assert far.read(messages.read, MessageKey(*agent_key, 0)) == row
    assert 2 == sum(statement.startswith("INSERT") for statement in sent)


def test_an_append_of_other_content_after_a_lost_answer_is_still_a_conflict(
    far: Database, db: Database, proxy: Proxy, agent_key: AgentKey
) -> None:
    db.run(messages.append, MessageKey(*agent_key, 0), NEW)
    far.read(agents.read, agent_key)
    proxy.cut_answers()

    with pytest.raises(Conflict) as caught:
        far.run(
            messages.append, MessageKey(*agent_key, 0), {**NEW, "message": Document(b'{"role":"user","content":[1]}')}
        )

    assert caught.value.stored is None


def test_a_delete_whose_answer_was_lost_succeeds_and_a_second_one_finds_nothing(
    far: Database, proxy: Proxy, agent_key: AgentKey
) -> None:
    far.read(agents.read, agent_key)
    proxy.cut_answers()

    far.run(agents.delete, agent_key)

    with pytest.raises(Gone):
        far.run(agents.delete, agent_key)


def test_a_conditional_write_whose_answer_was_lost_is_unknown_and_not_a_412(
    far: Database, proxy: Proxy, agent_key: AgentKey
) -> None:
    version = far.read(agents.read, agent_key).version
    proxy.cut_answers()

    error = unavailable(lambda: far.run(agents.update, agent_key, {"state": EMPTY}, {version}))

    assert "unknown" == error.details["applied"]
    with pytest.raises(PreconditionFailed):
        far.run(agents.update, agent_key, {"state": EMPTY}, {version})


def test_a_write_whose_link_breaks_twice_is_unknown_and_a_read_never_is(
    far: Database, proxy: Proxy, agent_key: AgentKey
) -> None:
    outcomes = []
    for call in (
        lambda: far.run(agents.update, agent_key, {"state": EMPTY}),
        lambda: far.read(agents.read, agent_key),
    ):
        far.read(agents.read, agent_key)
        proxy.cut_answers(9)
        outcomes.append(unavailable(call).details["applied"])
        proxy.cut_answers(0)

    assert ["unknown", False] == outcomes


def test_a_stalled_link_ends_with_the_deadline_and_leaves_no_connection_behind(
    far: Database, proxy: Proxy, agent_key: AgentKey
) -> None:
    far.read(agents.read, agent_key)
    proxy.stall()

    with deadline.within(0.5):
        error = unavailable(lambda: far.run(agents.update, agent_key, {"state": '{"late":1}'}))

    assert "unknown" == error.details["applied"]
    assert 0 == far.pool.figures()["in_use"]
    proxy.flow()
    assert far.read(agents.read, agent_key).agent_id == agent_key.agent_id


def test_a_stalled_connect_ends_with_its_deadline(far: Database, proxy: Proxy, agent_key: AgentKey) -> None:
    proxy.stall()

    with deadline.within(0.5):
        error = unavailable(lambda: far.run(agents.update, agent_key, {"state": EMPTY}))

    assert ("it cannot be reached", False) == tuple(error.details.values())


def test_links_that_are_cut_between_requests_are_not_noticed(
    far_client: FlaskClient, proxy: Proxy, agent_url: str
) -> None:
    for message_id in range(5):
        far_client.get(agent_url)
        proxy.cut()
        made = far_client.post(f"{agent_url}/messages", json={**HELLO, "message_id": message_id})
        assert 201 == made.status_code


def test_links_that_are_cut_do_not_make_the_service_unready(far_client: FlaskClient, proxy: Proxy) -> None:
    statuses = []
    for _ in range(5):
        far_client.get("/health/ready")
        proxy.cut()
        statuses.append(far_client.get("/health/ready").status_code)

    assert [200, 200, 200, 200, 200] == statuses


def test_a_locked_row_is_tried_twice_and_then_a_503(database_url: str, agent_key: AgentKey) -> None:
    joined = "&" if "?" in database_url else "?"
    database = Database(make_settings(f"{database_url}{joined}options=-c%20lock_timeout%3D100ms"))

    with a_row_lock(database_url, agent_key), statements_of(database) as sent:
        error = unavailable(lambda: database.run(agents.update, agent_key, {"state": EMPTY}))

    assert ("a lock is held by somebody else", False, 1) == (*error.details.values(), error.retry_after)
    assert 2 == len(sent)
    assert b"{}" == database.run(agents.update, agent_key, {"state": EMPTY}).state
    database.dispose()


@pytest.mark.parametrize(
    ("sqlstate", "tries", "retry_after"),
    [
        ("40001", 3, 1), ("40P01", 3, 1), ("57014", 1, 1), ("55P03", 2, 1), ("53100", 1, 30), ("53200", 2, 5),
        ("53300", 1, 5), ("25006", 2, 2), ("42P01", 1, 30), ("42501", 1, 30), ("08006", 2, 2), ("28P01", 1, 30),
    ],
)  # fmt: skip
def test_each_sqlstate_has_its_tries_and_its_retry_after(
    database_url: str, sqlstate: str, tries: int, retry_after: int
) -> None:
    database = Database(make_settings(database_url))
    raising = text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")

    with statements_of(database) as sent:
        error = unavailable(lambda: database.run(lambda tx: tx.execute(raising)))

    assert (tries, False, retry_after) == (len(sent), error.details["applied"], error.retry_after)
    database.dispose()


@pytest.mark.parametrize("sqlstate", ["40003", "08007"])
def test_what_a_distributed_engine_does_not_know_is_unknown(database_url: str, sqlstate: str) -> None:
    database = Database(make_settings(database_url))
    raising = text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")

    applied = [
        unavailable(lambda call=call: call(lambda tx: tx.execute(raising))).details["applied"]
        for call in (database.run, database.read)
    ]

    assert ["unknown", False] == applied
    database.dispose()


def test_a_terminated_backend_is_replaced_and_its_statement_run_again(
    db: Database, database_url: str, agent_key: AgentKey
) -> None:
    database = Database(make_settings(database_url))
    killed: list[int] = []

    def slow_once(tx: Connection) -> str:
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        if not killed:
            killed.append(pid)
            kill = text("SELECT pg_terminate_backend(:pid)").bindparams(pid=pid)
            threading.Timer(0.2, lambda: db.run(lambda other: other.execute(kill))).start()
            tx.execute(text("SELECT pg_sleep(30)"))
        return f"{pid != killed[0]}"

    assert "True" == database.run(slow_once)
    database.dispose()


def test_nothing_is_left_in_a_transaction(db: Database) -> None:
    # Only the service's own connections: others are the tests'.
    idle = text(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
        " AND datname = current_database() AND application_name = 'session-api'"
    )

    assert 0 == db.read(lambda tx: tx.execute(idle).scalar_one())
