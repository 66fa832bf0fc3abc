"""Sees every statement that psycopg2 sends, whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import cursor

from session_api.db import Database
from session_api.pool import Lease


@contextmanager
def statements_of(database: Database, *, complete: bool = False) -> Iterator[list[str]]:
    """The statements, in order, `complete` with their values; each is checked to be in autocommit, so that no BEGIN and
    COMMIT go along.
    """
    statements: list[str] = []

    class Recording(cursor):
        def execute(self, statement: Any, parameters: Any = None) -> None:
            assert self.connection.autocommit
            statements.append(self.mogrify(statement, parameters).decode() if complete else str(statement))
            super().execute(statement, parameters)

    class Watcher:
        def taken(self, lease: Lease) -> None:
            lease.raw.cursor_factory = Recording

        def given(self, lease: Lease) -> None:
            lease.raw.cursor_factory = None

    watcher = Watcher()
    database.pool.watchers.append(watcher)
    yield statements
    database.pool.watchers.remove(watcher)
