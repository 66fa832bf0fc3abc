"""Which connections are kept, and for how long."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from session_api import pool as pool_module
from session_api.db import Database
from session_api.pool import Lease

from .conftest import make_settings


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(make_settings(database_url, database_pool_size=2, database_max_overflow=1))
    yield database
    database.dispose()


def cut(lease: Lease) -> None:
    """End the connection below libpq, which does not notice before it is used."""
    with socket.socket(fileno=os.dup(lease.raw.fileno())) as link:
        link.shutdown(socket.SHUT_RDWR)


def process_of(database: Database) -> int:
    """Of the server, for the connection that the next request gets."""
    return database.read(lambda tx: tx.connection.dbapi_connection.info.backend_pid)


def test_a_connection_is_used_again(database: Database) -> None:
    assert 1 == len({process_of(database) for _ in range(5)})


def test_one_that_broke_is_not_kept(database: Database) -> None:
    lease = database.pool.take()
    lease.raw.close()
    database.pool.give(lease)

    assert {"size": 2, "in_use": 0, "idle": 0} == database.pool.figures()


def test_one_that_is_left_in_the_middle_of_something_is_clean_for_the_next(database: Database) -> None:
    def fail(tx: Any) -> None:
        tx.execute(text("SELECT 1"))
        raise KeyError

    with pytest.raises(KeyError):
        database.run(fail)

    assert not database.read(lambda tx: tx.in_transaction())


def test_one_that_broke_in_the_middle_of_something_leaves_without_an_error(database: Database) -> None:
    lease = database.pool.take()
    lease.connection.execute(text("SELECT 1"))
    lease.raw.close()

    database.pool.give(lease)

    assert {"size": 2, "in_use": 0, "idle": 0} == database.pool.figures()


def test_one_that_was_being_opened_when_all_were_disposed_of_is_not_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = database.engine.connect

    def connect_meanwhile() -> Any:
        connection = connect()
        database.dispose()
        return connection

    monkeypatch.setattr(database.engine, "connect", connect_meanwhile)
    database.pool.give(database.pool.take())

    assert 0 == database.pool.figures()["idle"]


def test_an_old_one_is_replaced(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = process_of(database)
    monkeypatch.setattr(pool_module, "OLD_SECONDS", 0)

    assert first != process_of(database)


def test_after_a_dispose_nobody_gets_a_connection_from_before(database: Database) -> None:
    in_use, idle = database.pool.take(), database.pool.take()
    database.pool.give(idle)
    database.dispose()
    database.pool.give(in_use)

    assert [True, True] == [bool(lease.raw.closed) for lease in (in_use, idle)]
    assert {"size": 2, "in_use": 0, "idle": 0} == database.pool.figures()


def test_a_place_comes_back_when_no_connection_can_be_opened() -> None:
    database = Database(make_settings("postgresql+psycopg2://127.0.0.1:1/nowhere", database_pool_size=1))
    for _ in range(5):
        with pytest.raises(Exception, match=r"refused|Open"):
            database.pool.take()

    assert 0 == database.pool.figures()["in_use"]


def test_a_place_comes_back_when_a_watcher_fails(database: Database) -> None:
    class Failing:
        def taken(self, lease: Lease) -> None:
            raise KeyError

        def given(self, lease: Lease) -> None:
            raise KeyError

    database.pool.watchers.append(Failing())
    with pytest.raises(KeyError):
        database.pool.take()

    assert 0 == database.pool.figures()["in_use"]


def test_with_pre_ping_a_dead_one_is_noticed_before_it_is_used(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(make_settings(database_url, database_pool_pre_ping=True))
    lease = database.pool.take()
    cut(lease)
    database.pool.give(lease)

    with caplog.at_level(logging.ERROR):
        replaced: Lease = database.pool.take()

    assert lease.raw is not replaced.raw
    assert [] == caplog.messages
    assert (1,) == tuple(replaced.connection.execute(text("SELECT 1")).one())
    database.pool.give(replaced)
    database.dispose()


def test_more_than_its_size_are_kept_while_they_are_needed_and_closed_when_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lease in [database.pool.take() for _ in range(3)]:
        database.pool.give(lease)
    busy = database.pool.figures()["idle"]
    monkeypatch.setattr(pool_module, "UNUSED_SECONDS", 0)
    database.pool.tend()

    assert (3, 2) == (busy, database.pool.figures()["idle"])
