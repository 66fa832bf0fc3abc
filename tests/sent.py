"""Sees every statement that psycopg2 sends, whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import cursor
from sqlalchemy import event

from session_api.db import Database


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

    def record(connection: Any, *_: Any) -> None:
        connection.cursor_factory = Recording

    def forget(connection: Any, *_: Any) -> None:
        if connection is not None:
            connection.cursor_factory = None

    event.listen(database.engine, "checkout", record)
    event.listen(database.engine, "checkin", forget)
    yield statements
    event.remove(database.engine, "checkout", record)
    event.remove(database.engine, "checkin", forget)
