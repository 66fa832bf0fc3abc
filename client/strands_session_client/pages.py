"""Which pages a list is read in: as few as can be, each of which is asked again for nothing but what came since."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from strands_session_client import ahead
from strands_session_client.cache import Cache
from strands_session_client.reader import Page, Reader
from strands_session_client.transport import TooMuch
from strands_session_client.wire import Document

LONGEST = 1000  # the most that the service gives at a time
STEP = 50  # rows; no more than the SDK leaves by default, or old ones would outnumber those that are wanted
_FEW = 50  # of rows that are large
_PAGE_BYTES = 4 * 1024 * 1024  # about; where messages are large, a page has fewer of them
_GLUT = 2 * _PAGE_BYTES  # is not read, but asked for in pages of fewer rows

Query = Mapping[str, Any]


class Pages:
    """Reads lists by their paths; the rows are in the field `name` of each page."""

    def __init__(self, reader: Reader, cache: Cache, longest: int = LONGEST, step: int = STEP) -> None:
        self._reader = reader
        self._cache = cache
        self._longest = longest
        self._step = step if cache.is_on else 1

    def rows(self, path: str, name: str, query: Query, limit: int) -> Iterator[Document]:
        """The first `limit` rows."""
        while True:
            size = min(limit, self._longest)
            target = _with_limit(_target(path, query), size)
            page = self._reader.page(target, expects=name, name=target)
            yield from page.rows
            limit -= size
            if page.next is None or not limit:
                return
            query = _behind(query, page.next)

    def all(self, path: str, name: str, query: Query, offset: int) -> Iterator[Document]:
        """All rows from a position on.

        From up to a step before it: the SDK moves the position with every turn, and what begins elsewhere is another
        list, of which everything travels.
        """
        skipped = offset % self._step
        if offset > skipped:
            query = {**query, "offset": offset - skipped}
        return islice(self._all(path, name, query), skipped, None)

    def _all(self, path: str, name: str, query: Query) -> Iterator[Document]:
        size, begun = self._longest, None
        try:
            while True:
                target = _target(path, query)
                mine, begun = begun, None
                # Where the next page begins is known if this one turns out to begin as it did.
                kept = self._cache.get(target)
                if kept and kept.next:
                    following = _target(path, _behind(query, kept.next))
                    begun = ahead.begin(partial(self._page, name, size), following)
                page = (mine and mine.page(target)) or self._page(name, size, target)
                yield from page.rows
                if page.next is None:
                    return
                query, size = _behind(query, page.next), self._fitting(len(page.rows), page.size)
        finally:
            if begun:
                begun.wait()

    def _page(self, name: str, size: int, target: str) -> Page:
        """As many rows as fit in a page, if it is kept; else `size` of them, or fewer if these are too large."""
        read = partial(self._reader.page, expects=name, name=target)
        kept = self._cache.get(target)
        if kept:
            # One with another behind it stays as long as it is, so that the other begins where it did.
            size = kept.number if kept.next else max(kept.number, self._fitting(kept.number, kept.size))
        try:
            return read(_with_limit(target, size), at_most=_GLUT)
        except TooMuch:
            page = read(_with_limit(target, min(_FEW, size)))
        larger = self._fitting(len(page.rows), page.size)
        if page.next is not None and larger > len(page.rows) and self._cache.get(target):
            return read(_with_limit(target, larger))  # what is there already does not travel again
        return page

    def _fitting(self, number: int, size: int) -> int:
        """How many rows a page should have if so many are of that size."""
        return max(1, min(self._longest, _PAGE_BYTES * number // max(size, 1))) if number else self._longest


def _target(path: str, query: Query) -> str:
    return f"{path}?{urlencode({'total': 'false', **query})}"


def _with_limit(target: str, limit: int) -> str:
    return f"{target}&limit={limit}"


def _behind(query: Query, cursor: str) -> Query:
    return {**{name: value for name, value in query.items() if name != "offset"}, "after": cursor}
