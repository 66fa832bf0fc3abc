"""Lists of the rows of a table: a page as a whole, or what lies behind the rows of it that somebody has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.engine import Connection

from ..errors import NotFound
from .pages import NOTHING, Known, Listing, Page, SortKey
from .rows import Key, is_document
from .statement import Statement

Row = TypeVar("Row")
Filters = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Lists(Generic[Row]):
    """The lists of one table, sorted by the columns `order`.

    `scope` are the columns that rows of one list have in common; `parent` is the table with the row of these that must
    exist for a list to exist, None for sessions.
    """

    table: Table
    row_type: Callable[..., Row]
    scope: tuple[str, ...]
    parent: Table | None
    parent_resource: str
    order: tuple[str, ...]

    def list_(self, tx: Connection, parent: Key, page: Page, filters: Filters | None = None) -> Listing[Row]:
        """One page in one statement; where it is empty, a second one. Raises NotFound for the parent."""
        found = self._run(_whole, tx, parent, page, filters or {}, {"limit": page.limit + 1})
        total = None
        if not found:
            there = self._run(_without_rows, tx, parent, page, filters or {}, {})
            if not there:
                raise NotFound(self.parent_resource)
            ((total,),) = there
        elif page.with_total:
            total = found[0][-1]
            found = [row[:-1] for row in found]
        return self._listing(found, page.limit, total, None, NOTHING)

    def list_rest(
        self, tx: Connection, parent: Key, page: Page, filters: Filters | None, known: Known, *, wanted: bool
    ) -> Listing[Row] | None:
        """The page without the rows that are known, in one statement; None if it begins with others by now.

        Unless the rest is `wanted`, it only shows whether there is any. Raises NotFound for the parent.
        """
        left = page.limit - known.number if wanted else 0
        more = {
            "number": known.number,
            "versions": known.versions,
            "limit": left + 1,
            "documents": left > 0,
        }
        found = self._run(_rest, tx, parent, page, filters or {}, more)
        if not found:
            raise NotFound(self.parent_resource)
        width = len(_names(self))
        total, same, *key = found[0][width:]
        rows = [row[:width] for row in found] if found[0][0] is not None else []
        is_longer = len(rows) > left and known.number + left < page.limit
        return self._listing(rows, left, total, tuple(key), known) if same and not is_longer else None

    def _run(
        self, build: Callable[..., Statement], tx: Connection, parent: Key, page: Page, filters: Filters, more: Filters
    ) -> list[tuple[Any, ...]]:
        statement = build(self, page.descending, page.after is not None, page.with_total, frozenset(filters))
        parameters: dict[str, Any] = {f"key_{name}": value for name, value in zip(self.scope, parent, strict=True)}
        parameters |= {f"after_{name}": value for name, value in zip(self.order, page.after or (), strict=False)}
        parameters |= {f"filter_{name}": value for name, value in filters.items()}
        return statement.all(tx, {**parameters, "offset": page.offset, **more})

    def _listing(
        self, rows: list[tuple[Any, ...]], limit: int, total: int | None, known_last: SortKey | None, known: Known
    ) -> Listing[Row]:
        page = [*map(cast(Any, self.row_type)._make, rows[:limit])]
        last = tuple(getattr(page[-1], name) for name in self.order) if page else known_last
        return Listing(page, total, len(rows) > limit, last, known)


@lru_cache(maxsize=128)
def _whole(lists: Lists[Any], descending: bool, behind: bool, with_total: bool, filters: frozenset[str]) -> Statement:
    """Row, and the total if it is asked for. That there is a row says that its parent exists."""
    columns: list[Any] = _columns(lists)
    if with_total:
        columns.append(_total(lists, filters).label("total"))
    return Statement(_page(lists, descending, behind, filters, columns).limit(_LIMIT).offset(_OFFSET))


@lru_cache(maxsize=128)
def _without_rows(
    lists: Lists[Any], descending: bool, behind: bool, with_total: bool, filters: frozenset[str]
) -> Statement:
    """The total of a list whose page is empty; nothing when there is no parent."""
    total = _total(lists, filters) if with_total else null()
    return Statement(select(total.label("total")).select_from(_parent(lists)))


@lru_cache(maxsize=128)
def _rest(lists: Lists[Any], descending: bool, behind: bool, with_total: bool, filters: frozenset[str]) -> Statement:
    """Row behind the known ones, total, whether the known ones are what they were, and the last one's sort key.

    In one statement, so that one moment decides. Of what is known no document is read.
    """
    order = [lists.table.c[name] for name in lists.order]
    number = bindparam("number", type_=Integer)
    known = _page(lists, descending, behind, filters, [lists.table.c.version, *order])
    first = known.limit(number).offset(_OFFSET).subquery("first")
    same = and_(func.count() == number, func.bit_xor(first.c.version) == bindparam("versions", type_=BigInteger))
    # An array has the order of the subquery, so its last is the last row's.
    last = [func.array_agg(first.c[column.name])[number].label(f"last_{column.name}") for column in order]
    seen = select(same.label("same"), *last).select_from(first).subquery("seen")

    columns = [
        case((bindparam("documents", type_=Boolean), column)).label(column.name) if is_document(column) else column
        for column in _columns(lists)
    ]
    rows = _page(lists, descending, False, filters, columns)
    rows = rows.where(seen.c.same, _behind(order, [seen.c[f"last_{name}"] for name in lists.order], descending))
    lateral = rows.limit(_LIMIT).lateral("page")
    total = case((seen.c.same, _total(lists, filters))) if with_total else null()
    tables = _parent(lists).join(seen, true()).outerjoin(lateral, true())
    return Statement(select(*lateral.c, total.label("total"), *seen.c).select_from(tables))


def _page(
    lists: Lists[Any], descending: bool, behind: bool, filters: frozenset[str], columns: list[Any]
) -> Select[Any]:
    order = [lists.table.c[name] for name in lists.order]
    page: Select[Any] = select(*columns).where(_scope(lists, filters))
    if behind:
        last = [bindparam(f"after_{column.name}", type_=column.type) for column in order]
        page = page.where(_behind(order, last, descending))
    return page.order_by(*(column.desc() if descending else column for column in order))


def _behind(order: list[Column[Any]], last: list[Any], descending: bool) -> ColumnElement[bool]:
    return tuple_(*order) < tuple_(*last) if descending else tuple_(*order) > tuple_(*last)


def _columns(lists: Lists[Any]) -> list[Column[Any]]:
    return [lists.table.c[name] for name in _names(lists)]


def _names(lists: Lists[Any]) -> tuple[str, ...]:
    names: tuple[str, ...] = cast(Any, lists.row_type)._fields
    return names


def _scope(lists: Lists[Any], filters: frozenset[str]) -> ColumnElement[bool]:
    mine = (lists.table.c[name] == bindparam(f"key_{name}") for name in lists.scope)
    return and_(*mine, *(FILTERS[name](lists.table) for name in sorted(filters)))


def _total(lists: Lists[Any], filters: frozenset[str]) -> ColumnElement[Any]:
    return select(func.count()).select_from(lists.table).where(_scope(lists, filters)).scalar_subquery()


def _parent(lists: Lists[Any]) -> FromClause:
    there = select(literal(1).label("there"))
    if lists.parent is not None:
        mine = (lists.parent.c[name] == bindparam(f"key_{name}") for name in lists.scope)
        there = there.select_from(lists.parent).where(*mine)
    return there.subquery("parent")


_LIMIT = bindparam("limit", type_=BigInteger)
_OFFSET = bindparam("offset", type_=BigInteger)

FILTERS: dict[str, Callable[[Table], ColumnElement[bool]]] = {
    # starts_with knows no wildcards, so an id with % or _ in it is found literally.
    "prefix": lambda table: func.starts_with(table.c.session_id, bindparam("filter_prefix")),
    "created_after": lambda table: table.c.created_at > bindparam("filter_created_after"),
    "created_before": lambda table: table.c.created_at < bindparam("filter_created_before"),
    "updated_after": lambda table: table.c.updated_at > bindparam("filter_updated_after"),
    "updated_before": lambda table: table.c.updated_at < bindparam("filter_updated_before"),
}
