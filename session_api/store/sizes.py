"""How many bytes the documents of rows have, in SQL: so that a page is bounded before it is read.

`json` tells the size that it is stored in, which is compressed beyond some 2 kB; what it has as text shows only when it
is unpacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    FunctionElement,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.types import UserDefinedType

from ..models import JSONText, is_document

LEFT_OUT = b"0"  # in place of a document, which is an object

# LZ4 packs 255 bytes into one at best, pglz 88.
_UNPACKED: ColumnElement[int] = literal_column("255")
_MAX_BYTES = bindparam("max_bytes", type_=BigInteger)
_LARGEST = bindparam("largest", type_=BigInteger)


def unless_large(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """The document, or LEFT_OUT if it may have more than `largest` bytes, which costs no unpacking to know."""
    is_packed = func.pg_column_compression(document).is_not(None)
    most = _stored(document) * case((is_packed, _UNPACKED), else_=literal_column("1"))
    return case((most > _LARGEST, literal_column(f"'{LEFT_OUT.decode()}'::json", JSONText)), else_=document)


def fitting(page: FromClause, order: Sequence[str], descending: bool) -> tuple[FromClause, ColumnElement[bool]]:
    """The page with the columns that it had, and whether a row is one of the first, which have `max_bytes` together.

    The very first one always is. Every document is unpacked once at most, and none behind rows that have as much while
    they are packed.
    """
    stored = _sum(_stored(column) for column in page.c if is_document(column))
    begins = _so_far(func.sum(stored), page, order, descending) - stored < _MAX_BYTES
    columns = [_unpacked(column, begins) if is_document(column) else column for column in page.c]
    unpacked = select(*columns, begins.label("begins")).subquery("unpacked")

    size = _sum(func.octet_length(column) for column in unpacked.c if is_document(column))
    through = _so_far(func.sum(size), unpacked, order, descending)
    is_first = _so_far(func.count(), unpacked, order, descending) == literal_column("1")
    return unpacked, and_(unpacked.c.begins, or_(through <= _MAX_BYTES, is_first))


def _unpacked(document: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    text = cast(cast(document, Text), _Bpchar)
    return type_coerce(case((condition, text)), JSONText).label(document.name)


class _Bpchar(UserDefinedType[str]):
    """Text under another name, by which statement.py knows that it is a document: back to `json` it would be parsed."""

    cache_ok = True

    def get_col_spec(self, **kwargs: Any) -> str:
        return "bpchar"


def _stored(document: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.pg_column_size(document), BigInteger)


def _sum(sizes: Iterable[ColumnElement[Any]]) -> ColumnElement[Any]:
    return reduce(add, (func.coalesce(size, literal_column("0")) for size in sizes))


def _so_far(
    aggregate: FunctionElement[Any], rows: FromClause, order: Sequence[str], descending: bool
) -> ColumnElement[Any]:
    """The aggregate of all rows as far as this one."""
    by = [rows.c[name].desc() if descending else rows.c[name] for name in order]
    return aggregate.over(order_by=by, rows=(None, 0))
