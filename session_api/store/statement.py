"""Statements that are written with SQLAlchemy, compiled once, and run by psycopg2 itself.

SQLAlchemy's own execution does more than these need (compilation cache, types, result metadata) and costs more than all
else that a request does between socket and socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import psycopg2
from psycopg2.extensions import BYTES
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg2 import dialect as psycopg2_dialect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..models import JSONText

# libpq keeps the room that the largest statement and the largest row took for as long as the connection lasts.
LARGE_BYTES = 1 << 19
IS_LARGE = "session_api.is_large"

# By the number of the type in PostgreSQL. Documents are for no parser; as text, one with an emoji in it would take four
# bytes a character.
_AS_BYTES = {114: BYTES}

_DIALECT: Any = cast(Any, psycopg2_dialect)()


class Statement:
    """One whose parameters and columns psycopg2 converts as they are; `columns` are the names of what it returns."""

    def __init__(self, core: ClauseElement, columns: tuple[str, ...] = ()) -> None:
        compiled: Any = core.compile(dialect=_DIALECT)
        self._sql: str = compiled.string
        self._fixed = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        self._documents = [at for at, column in enumerate(compiled._result_columns) if isinstance(column[3], JSONText)]
        self.columns = columns

    def all(self, tx: Connection, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row, in order. Raises sqlalchemy.exc.DBAPIError, as SQLAlchemy's own execution does."""
        dbapi_connection: Any = tx.connection.dbapi_connection
        with dbapi_connection.cursor() as cursor:
            cursor.string_types = _AS_BYTES
            try:
                cursor.execute(self._sql, {**self._fixed, **parameters})
                rows: list[tuple[Any, ...]] = cursor.fetchall()
            except psycopg2.Error as error:
                dialect: Any = tx.dialect
                lost = dialect.is_disconnect(error, dbapi_connection, cursor)
                if lost:
                    tx.invalidate(error)
                # No parameters: conversations must not reach the logs inside a traceback.
                raise DBAPIError.instance(
                    self._sql,
                    None,
                    error,
                    psycopg2.Error,
                    hide_parameters=True,
                    connection_invalidated=lost,
                    dialect=dialect,
                ) from error
            if len(cursor.query) > LARGE_BYTES or self._is_large(rows):
                tx.info[IS_LARGE] = True
        return rows

    def one_or_none(self, tx: Connection, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        rows = self.all(tx, parameters)
        return rows[0] if rows else None

    def _is_large(self, rows: list[tuple[Any, ...]]) -> bool:
        return any(len(row[at] or b"") > LARGE_BYTES for at in self._documents for row in rows)
