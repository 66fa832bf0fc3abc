"""Which pages a list is read in: as few as can be, each of which is asked again for nothing but what came since."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from strands_session_client import ahead
from strands_session_client.cache import Cache
from strands_session_client.errors import UnexpectedAnswerError
from strands_session_client.reader import Page, Reader
from strands_session_client.wire import Document

LONGEST = 1000  # the most that the service gives at a time
STEP = 50  # rows; no more than the SDK leaves by default, or old ones would outnumber those that are wanted
MAX_BYTES = 4 * 1024 * 1024  # of a page; where messages are large, it has fewer of them

Query = Mapping[str, Any]


class Pages:
    """Reads lists by their paths; the rows are in the field `name` of each page."""

    def __init__(
        self, reader: Reader, cache: Cache, longest: int = LONGEST, step: int = STEP, max_bytes: int = MAX_BYTES
    ) -> None:
        self._reader = reader
        self._cache = cache
        self._longest = longest
        self._max_bytes = max_bytes
        self._step = step if cache.is_on else 1

    def rows(self, path: str, name: str, query: Query, limit: int) -> Iterator[Document]:
        """The first `limit` rows."""
        while True:
            target = _with_limit(self._target(path, query), min(limit, self._longest))
            page = self._reader.page(target, expects=name, name=target)
            yield from page.rows[:limit]
            limit -= len(page.rows)
            if page.next is None or limit <= 0:
                return
            query = _following(query, page, page.next)

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
        begun = None
        try:
            while True:
                target = self._target(path, query)
                mine, begun = begun, None
                # Where the next page begins is known if this one turns out to begin as it did.
                kept = self._cache.get(target)
                if kept and kept.next:
                    begun = ahead.begin(partial(self._page, name), self._target(path, _behind(query, kept.next)))
                page = (mine and mine.page(target)) or self._page(name, target)
                yield from page.rows
                if page.next is None:
                    return
                query = _following(query, page, page.next)
        finally:
            if begun:
                begun.wait()

    def _page(self, name: str, target: str) -> Page:
        """As many rows as a page may have; no more than were there before if others are behind them or it is full.

        So the page behind it begins where it did.
        """
        kept = self._cache.get(target)
        limit = self._longest
        if kept and kept.number and (kept.next is not None or kept.size >= self._max_bytes):
            limit = kept.number
        return self._reader.page(_with_limit(target, limit), expects=name, name=target)

    def _target(self, path: str, query: Query) -> str:
        return f"{path}?{urlencode({'total': 'false', **query, 'max_bytes': self._max_bytes})}"


def _with_limit(target: str, limit: int) -> str:
    return f"{target}&limit={limit}"


def _following(query: Query, page: Page, cursor: str) -> Query:
    """What asks for the page behind this one. Raises UnexpectedAnswerError where that would never end."""
    if not page.rows or cursor == query.get("after"):
        raise UnexpectedAnswerError("The base URL looks wrong: a page of what answered leads to no other.")
    return _behind(query, cursor)


def _behind(query: Query, cursor: str) -> Query:
    return {**{name: value for name, value in query.items() if name != "offset"}, "after": cursor}
