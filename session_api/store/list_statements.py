"""The statements of lists, each written once for every form that a question can have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
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

from ..models import is_document
from . import sizes
from .statement import Statement

if TYPE_CHECKING:
    from .lists import Lists


class Form(NamedTuple):
    """What about a question is not a value.

    Without `bounded`, documents are sizes.LEFT_OUT where they may be large. With it, the first rows have theirs, as
    many as fit in `max_bytes`; one more column says of each row whether it is one of these.
    """

    descending: bool
    behind: bool
    with_total: bool
    filters: frozenset[str]
    bounded: bool


@lru_cache(maxsize=256)
def whole(lists: Lists[Any], form: Form) -> Statement:
    """Row, and the total if it is asked for. That there is a row says that its parent exists."""
    columns = _columns(lists, form)
    if form.with_total:
        columns.append(_total(lists, form).label("total"))
    return _statement(lists, form, _page(lists, form, columns).limit(_LIMIT).offset(_OFFSET))


@lru_cache(maxsize=128)
def without_rows(lists: Lists[Any], form: Form) -> Statement:
    """The total of a list whose page is empty; nothing when there is no parent."""
    total = _total(lists, form) if form.with_total else null()
    return Statement(select(total.label("total")).select_from(_parent(lists)))


@lru_cache(maxsize=256)
def rest(lists: Lists[Any], form: Form) -> Statement:
    """Row behind the known ones, total, whether the known ones are what they were, and the last one's sort key.

    In one statement, so that one moment decides. Of what is known no document is read.
    """
    order = [lists.table.c[name] for name in lists.order]
    number = bindparam("number", type_=Integer)
    known = _page(lists, form, [lists.table.c.version, *order])
    first = known.limit(number).offset(_OFFSET).subquery("first")
    same = and_(func.count() == number, func.bit_xor(first.c.version) == bindparam("versions", type_=BigInteger))
    # An array has the order of the subquery, so its last is the last row's.
    last = [func.array_agg(first.c[column.name])[number].label(f"last_{column.name}") for column in order]
    seen = select(same.label("same"), *last).select_from(first).subquery("seen")

    rows = _page(lists, form._replace(behind=False), _columns(lists, form))
    rows = rows.where(seen.c.same, _behind(order, [seen.c[f"last_{name}"] for name in lists.order], form.descending))
    lateral = rows.limit(_LIMIT).lateral("rest")
    total = case((seen.c.same, _total(lists, form))) if form.with_total else null()
    tables = _parent(lists).join(seen, true()).outerjoin(lateral, true())
    return _statement(lists, form, select(*lateral.c, total.label("total"), *seen.c).select_from(tables))


def _statement(lists: Lists[Any], form: Form, page: Select[Any]) -> Statement:
    if not form.bounded:
        return Statement(page)
    rows = sizes.fitting(page.subquery("page"), lists.order, form.descending)
    columns = [case((rows.c.fits, column)).label(column.name) if is_document(column) else column for column in rows.c]
    order = [rows.c[name] for name in lists.order]
    return Statement(select(*columns).order_by(*_sorted(order, form.descending)))


def _page(lists: Lists[Any], form: Form, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    order = [lists.table.c[name] for name in lists.order]
    page: Select[Any] = select(*columns).where(_scope(lists, form))
    if form.behind:
        last = [bindparam(f"after_{column.name}", type_=column.type) for column in order]
        page = page.where(_behind(order, last, form.descending))
    return page.order_by(*_sorted(order, form.descending))


def _columns(lists: Lists[Any], form: Form) -> list[ColumnElement[Any]]:
    columns = [lists.table.c[name] for name in lists.names]
    return [
        sizes.unless_large(column).label(column.name) if is_document(column) and not form.bounded else column
        for column in columns
    ]


def _sorted(order: Sequence[ColumnElement[Any]], descending: bool) -> list[ColumnElement[Any]]:
    return [column.desc() if descending else column for column in order]


def _behind(
    order: Sequence[ColumnElement[Any]], last: Sequence[ColumnElement[Any]], descending: bool
) -> ColumnElement[bool]:
    return tuple_(*order) < tuple_(*last) if descending else tuple_(*order) > tuple_(*last)


def _scope(lists: Lists[Any], form: Form) -> ColumnElement[bool]:
    mine = (lists.table.c[name] == bindparam(f"key_{name}") for name in lists.scope)
    return and_(*mine, *(FILTERS[name](lists.table) for name in sorted(form.filters)))


def _total(lists: Lists[Any], form: Form) -> ColumnElement[Any]:
    return select(func.count()).select_from(lists.table).where(_scope(lists, form)).scalar_subquery()


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
