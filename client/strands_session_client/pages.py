"""Which pages a list is read in: such that few rows travel again when others were added at its end."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, pairwise, repeat
from math import isqrt
from typing import Any, NamedTuple
from urllib.parse import urlencode

from strands_session_client import ahead
from strands_session_client.cache import Cache, Kept
from strands_session_client.reader import Reader
from strands_session_client.wire import Document

LONGEST = 1000  # the most that the service gives at a time
NEWEST = 50  # what is asked for first; the SDK's own conversation manager leaves 40 messages unless told otherwise
_PAGE_BYTES = 4 * 1024 * 1024  # about; where messages are large, a page has fewer of them

Query = Mapping[str, Any]


class _Plan(NamedTuple):
    """Sizes of the first pages, which have a row behind them, and of those that follow."""

    closed: list[int]
    longest: int


class Pages:
    """Reads lists by their paths; the rows are in the field `name` of each page."""

    def __init__(self, reader: Reader, cache: Cache, longest: int = LONGEST, newest: int = NEWEST) -> None:
        self._reader = reader
        self._cache = cache
        self._longest = longest
        self._newest = newest

    def rows(self, path: str, name: str, query: Query, limit: int | None) -> Iterator[Document]:
        """The first `limit` rows, or all, in as few pages as can be."""
        sizes = repeat(self._longest) if limit is None else _cut(limit, self._longest) or [0]
        for page in self._pages(path, name, query, sizes):
            yield from page[name]

    def growing(self, path: str, name: str, own_id: str, offset: int) -> Iterator[Document]:
        """All rows from a position on, of a list that is ordered by `own_id` and grows at its end.

        A page with a row behind it stays as it is when more are added, and need not travel again. So all rows but the
        last are read in pages of the same sizes again and again, until those behind them have become many.
        """
        query = {"offset": offset} if offset else {}
        if not self._cache.is_on:
            yield from self.rows(path, name, query, None)
            return
        plan_name = f"{path}#{offset}"  # no request has a fragment
        kept = self._cache.get(plan_name)
        last: list[Document] = []
        if kept is not None:
            plan = _Plan(**kept.document)
        else:
            target = _target(path, self._newest, {"order": "desc", "total": "true"})
            newest = self._reader.read(target, expects=name)
            last = newest[name][::-1]
            count = max(newest["total"] - offset, 0)
            if count <= len(last):
                yield from last[len(last) - count :]
                return
            longest = self._longest_of(target, len(last))
            plan = _Plan(_cut(count - 1, longest), longest)
        count = 0
        for page in self._pages(path, name, query, chain(plan.closed, repeat(plan.longest))):
            rows = page[name]
            if rows and last and last[0][own_id] <= rows[-1][own_id]:  # they overlap, so nothing lies between them
                rows += [row for row in last if row[own_id] > rows[-1][own_id]]
                page["next"] = None
            yield from rows
            count += len(rows)
        self._keep(plan_name, plan, count)

    def _pages(self, path: str, name: str, query: Query, sizes: Iterable[int]) -> Iterator[Document]:
        """Pages of these sizes, until one says that none comes next."""
        read = partial(self._reader.read, expects=name)
        begun = None
        for size, following in pairwise(chain(sizes, (0,))):
            target = _target(path, size, query)
            page = begun.page(target) if begun else None
            begun = None
            if page is None:
                # Where the next page begins is known if this one turns out to be unchanged.
                kept = self._cache.get(target)
                if kept and kept.next and following:
                    begun = ahead.begin(read, _target(path, following, _behind(query, kept.next)))
                try:
                    page = read(target)
                except Exception:
                    if begun:
                        begun.wait()
                    raise
            yield page
            if page["next"] is None or not page[name]:
                break
            query = _behind(query, page["next"])
        if begun:
            begun.wait()

    def _longest_of(self, target: str, count: int) -> int:
        """How many rows like the ones of this page a page should have."""
        kept = self._cache.get(target)
        if kept is None:  # not even so few are worth keeping
            return self._newest
        return max(1, min(self._longest, _PAGE_BYTES * count // len(kept.packed)))

    def _keep(self, name: str, plan: _Plan, count: int) -> None:
        """Keep the plan for the next time, made longer or dropped if the list of `count` rows has outgrown it."""
        rest = count - sum(plan.closed)
        # Every turn adds two rows and has the rest travel; a new cut has the last page travel. In sum this is least.
        if rest > 2 * isqrt(min(count, plan.longest)):
            closed = plan.closed[:-1]
            plan = plan._replace(closed=closed + _cut(count - sum(closed) - 1, plan.longest))
        if rest > 0:
            self._cache.put(name, Kept.of("", plan._asdict()))
        else:
            self._cache.drop(name)


def _cut(count: int, longest: int) -> list[int]:
    """The sizes of as few pages as can be for so many rows."""
    whole, rest = divmod(count, longest)
    return [*repeat(longest, whole), *([rest] if rest else [])]


def _target(path: str, size: int, query: Query) -> str:
    return f"{path}?{urlencode({'limit': size, 'total': 'false', **query})}"


def _behind(query: Query, cursor: str) -> Query:
    return {**{name: value for name, value in query.items() if name != "offset"}, "after": cursor}
