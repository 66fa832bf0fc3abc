"""What the four tables have in common: one statement for each verb, built once and run many times."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Table,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from ..errors import Conflict, Gone, NotFound, NotModified, PreconditionFailed
from ..models import is_document
from .statement import Statement

Row = TypeVar("Row")
Key = tuple[str | int, ...]

_NOW = func.statement_timestamp()


@dataclass(frozen=True, eq=False)
class Rows(Generic[Row]):
    """The rows of one table. `key_type` names a row, the last of its columns among its siblings."""

    resource: str
    table: Table
    row_type: Callable[..., Row]
    key_type: type[Any]

    def create(self, tx: Connection, key: Key, new: Mapping[str, Any]) -> Row:
        """Insert a row. `new` holds its documents as JSON text; times that are None become now.

        Raises Conflict when the key is taken; a missing parent is the foreign key's to refuse.
        """
        version = _new_version()
        values = {**dict(zip(self.key_type._fields, key, strict=True)), **new, "version": version}
        times = self._insert.one_or_none(tx, values)
        if times is None:
            raise Conflict(self.resource, stored=self._if_identical(tx, key, new))
        return self.row_type(
            **{self._own_id: key[-1], **new, "version": version, "created_at": times[0], "updated_at": times[1]}
        )

    def read(self, tx: Connection, key: Key, known: Collection[int] | None = None) -> Row:
        """The row. Raises NotFound, and NotModified when its version is among the `known` ones."""
        parameters = self._named(key)
        if not known:
            found = self._select.one_or_none(tx, parameters)
        else:
            found = self._select_unless_known.one_or_none(tx, {**parameters, "known": list(known)})
        if found is None:
            raise NotFound(self.resource)
        if known and found[self._version] in known:
            raise NotModified(found[self._version])
        return self.row_type(*found)

    def update(
        self, tx: Connection, key: Key, changes: Mapping[str, Any], expected: Collection[int] | None = None
    ) -> Row:
        """Replace the given columns and move `updated_at`; with `expected`, only from one of these versions.

        Raises NotFound, and PreconditionFailed when the version is another one.
        """
        version = _new_version()
        parameters: dict[str, Any] = {**self._named(key), **{f"new_{name}": changes[name] for name in changes}}
        statement = _update(self, frozenset(changes), expected is not None)
        made = statement.one_or_none(tx, {**parameters, "new_version": version, "expected": list(expected or ())})
        if made is None:
            raise self._why_not(tx, key, expected)
        kept = dict(zip(statement.columns, made, strict=True))
        return self.row_type(**{self._own_id: key[-1], **changes, "version": version, **kept})

    def delete(self, tx: Connection, key: Key, expected: Collection[int] | None = None) -> None:
        """Delete the row and all that is under it; raises as `update` does."""
        statement = self._delete if expected is None else self._delete_expected
        if statement.one_or_none(tx, {**self._named(key), "expected": list(expected or ())}) is None:
            raise self._why_not(tx, key, expected, Gone)

    def _named(self, key: Key) -> dict[str, Any]:
        return {f"key_{name}": value for name, value in zip(self.key_type._fields, key, strict=True)}

    def _if_identical(self, tx: Connection, key: Key, new: Mapping[str, Any]) -> Row | None:
        """What is stored when it equals `new`. Times count only if sent; updated_at doesn't, since a PUT moves it."""
        found = self._select.one_or_none(tx, self._named(key))
        if found is None:
            return None
        stored = self.row_type(*found)
        same = all(
            getattr(stored, name) == value
            for name, value in new.items()
            if name != "updated_at" and not (name == "created_at" and value is None)
        )
        return stored if same else None

    def _why_not(
        self, tx: Connection, key: Key, expected: Collection[int] | None, missing: type[NotFound] = NotFound
    ) -> NotFound | PreconditionFailed:
        there = expected is not None and self._select_version.one_or_none(tx, self._named(key))
        return PreconditionFailed() if there else missing(self.resource)

    @cached_property
    def _own_id(self) -> str:
        return str(self.key_type._fields[-1])

    @cached_property
    def _version(self) -> int:
        """Where a row has its version."""
        return int(cast(Any, self.row_type)._fields.index("version"))

    @cached_property
    def _columns(self) -> list[Column[Any]]:
        return [self.table.c[name] for name in cast(Any, self.row_type)._fields]

    @cached_property
    def _is_row(self) -> ColumnElement[bool]:
        return and_(*(self.table.c[name] == bindparam(f"key_{name}") for name in self.key_type._fields))

    @cached_property
    def _is_expected(self) -> ColumnElement[bool]:
        return and_(self._is_row, self.table.c.version == any_(_versions("expected")))

    @cached_property
    def _insert(self) -> Statement:
        given = {
            column.name: bindparam(column.name, type_=column.type)
            for column in self.table.c
            if column.name not in ("created_at", "updated_at")
        }
        times = {
            name: func.coalesce(bindparam(name, type_=DateTime(timezone=True)), _NOW)
            for name in ("created_at", "updated_at")
        }
        statement = insert(self.table).values({**given, **times}).on_conflict_do_nothing()
        return Statement(statement.returning(self.table.c.created_at, self.table.c.updated_at))

    @cached_property
    def _select(self) -> Statement:
        return Statement(select(*self._columns).where(self._is_row))

    @cached_property
    def _select_version(self) -> Statement:
        return Statement(select(self.table.c.version).where(self._is_row))

    @cached_property
    def _select_unless_known(self) -> Statement:
        """The row without reading its documents when the caller has them already."""
        is_known = self.table.c.version == any_(_versions("known"))
        columns = [
            case((is_known, null()), else_=column).label(column.name) if is_document(column) else column
            for column in self._columns
        ]
        return Statement(select(*columns).where(self._is_row))

    @cached_property
    def _delete(self) -> Statement:
        return Statement(delete(self.table).where(self._is_row).returning(self.table.c.version))

    @cached_property
    def _delete_expected(self) -> Statement:
        return Statement(delete(self.table).where(self._is_expected).returning(self.table.c.version))


def _new_version() -> int:
    """63 random bits, never the same in two processes, forked ones included."""
    return int.from_bytes(os.urandom(8), "big") >> 1


def _versions(name: str) -> Any:
    return bindparam(name, type_=ARRAY(BigInteger))


@lru_cache(maxsize=256)
def _update(rows: Rows[Any], changed: frozenset[str], only_expected: bool) -> Statement:
    values = {name: bindparam(f"new_{name}", type_=rows.table.c[name].type) for name in sorted(changed)}
    where = rows._is_expected if only_expected else rows._is_row
    # What was just sent need not come back over the wire.
    returned = [column for column in rows._columns if column.name not in {*changed, "version"}]
    statement = update(rows.table).where(where)
    statement = statement.values(**values, version=bindparam("new_version"), updated_at=_NOW).returning(*returned)
    return Statement(statement, tuple(column.name for column in returned))
