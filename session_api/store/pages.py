"""Which part of a list is wanted, what came of it, and what of it somebody has already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import attrgetter, xor
from typing import Any, Generic, NamedTuple, TypeVar

Row = TypeVar("Row")
SortKey = tuple[Any, ...]

_version = attrgetter("version")


class Page(NamedTuple):
    """Which part of a list: `limit` rows behind `after` (sort key of the row before) or behind `offset` rows.

    Fewer where more would have over `max_bytes` of documents, but at least one.
    """

    limit: int = 100
    offset: int = 0
    after: SortKey | None = None
    descending: bool = False
    with_total: bool = True
    max_bytes: int = 64 * 1024 * 1024


class Known(NamedTuple):
    """Rows at the beginning of a page, by their number and the XOR of their versions.

    A version never comes back (ADR 2), so no other rows have both. `is_short` if the page ended with them because more
    would have been too large; it goes on ending there.
    """

    number: int
    versions: int
    is_short: bool = False


NOTHING = Known(0, 0)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """The rows of a page in order, without those that were `known`.

    `total` is how many match in all, None when not asked for; `more` whether rows follow; `last` the sort key of the
    page's last row, None when it has none; `is_short` whether it has fewer than asked for, as more would be too large.
    """

    rows: Sequence[Row]
    total: int | None
    more: bool
    last: SortKey | None
    known: Known = NOTHING
    is_short: bool = False

    @cached_property
    def all(self) -> Known:
        """All rows of the page, the ones that were known included."""
        versions = reduce(xor, map(_version, self.rows), self.known.versions)
        return Known(self.known.number + len(self.rows), versions, self.is_short)
