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
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
)

from ..models import JSONText, is_document

LEFT_OUT = b"0"  # in place of a document, which is an object

# LZ4 packs 255 bytes into one at best, pglz 88.
_UNPACKED: ColumnElement[int] = literal_column("255")
_BLOCK: ColumnElement[int] = literal_column("32768")  # the largest that PostgreSQL can be built with; a row is in one
_MAX_BYTES = bindparam("max_bytes", type_=BigInteger)
_LARGEST = bindparam("largest", type_=BigInteger)


def unless_large(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """The document, or LEFT_OUT if it may have more than `largest` bytes, which costs no unpacking to know."""
    is_packed = func.pg_column_compression(document).is_not(None)
    most = _stored(document) * case((is_packed, _UNPACKED), else_=literal_column("1"))
    return case((most > _LARGEST, literal_column(f"'{LEFT_OUT.decode()}'::json", JSONText)), else_=document)


def fitting(page: FromClause, order: Sequence[str], descending: bool) -> FromClause:
    """The page, with one more column, `fits`: whether a row is one of the first, which have `max_bytes` together.

    The very first one always is. Behind the first that is not, nothing is unpacked.
    """
    by = [page.c[name].desc() if descending else page.c[name] for name in order]
    rows = select(*page.c, func.row_number().over(order_by=by).label("number")).cte("numbered")
    size = _sum(_size(column) for column in rows.c if is_document(column))
    through = func.sum(size).over(order_by=rows.c.number, rows=(None, 0))
    sized = select(rows.c.number, through.label("through")).subquery("sized")
    is_cut = and_(sized.c.through > _MAX_BYTES, sized.c.number > literal_column("1"))
    # Row by row, and no further than to the one that is found; as a subquery it might be looked for at every row.
    cut = select(sized.c.number).where(is_cut).order_by(sized.c.number).limit(literal_column("1")).cte("cut")
    cut = cut.prefix_with("MATERIALIZED")
    fits = or_(cut.c.number.is_(None), rows.c.number < cut.c.number)
    columns = [rows.c[column.name] for column in page.c]
    return select(*columns, fits.label("fits")).select_from(rows.outerjoin(cut, true())).subquery("fitting")


def _size(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """What it has as text. Only what is packed or in the row itself has to be read for that."""
    is_apart = and_(func.pg_column_compression(document).is_(None), _stored(document) > _BLOCK)
    return case((is_apart, _stored(document)), else_=func.octet_length(cast(document, Text)))


def _stored(document: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.pg_column_size(document), BigInteger)


def _sum(sizes: Iterable[ColumnElement[Any]]) -> ColumnElement[Any]:
    return reduce(add, (func.coalesce(size, literal_column("0")) for size in sizes))
