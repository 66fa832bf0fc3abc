"""Reads from the service, which says of what is kept here what is unchanged: that does not travel again."""

from typing import NamedTuple

from strands_session_client.answers import Answer
from strands_session_client.cache import Cache, Kept
from strands_session_client.transport import Transport
from strands_session_client.wire import Document


class Page(NamedTuple):
    """The rows of a page, and where the next one begins if there is one."""

    rows: list[Document]
    next: str | None


class Reader:
    """Gives documents as the service had them after the call began; they are the caller's own to change."""

    def __init__(self, transport: Transport, cache: Cache) -> None:
        self._transport = transport
        self._cache = cache

    def read(self, path: str, *, expects: str) -> Document:
        """The row at this path, which has the field `expects`. Raises what errors.py lists."""
        kept = self._cache.get(path)
        answer = self._ask(path, expects, kept)
        if kept is not None and answer.confirms(kept.tag):
            return kept.document
        document = answer.document()
        if "ETag" in answer.headers and self._cache.is_on:
            self._cache.put(path, Kept.of(answer.headers["ETag"], document))
        return document

    def page(self, path: str, *, expects: str, name: str) -> Page:
        """The page at this path, with its rows in the field `expects`.

        Kept under `name`, which pages of other lengths share that begin in the same place. Raises what errors.py lists.
        """
        kept = self._cache.get(name)
        answer = self._ask(path, expects, kept, takes_rest=True)
        if kept is not None and answer.confirms(kept.tag):
            return Page(kept.rows, kept.next)
        rows, following = answer.rows(expects), (answer.body or {}).get("next")
        if kept is None or not answer.continues(kept.tag):
            kept, known = None, []
        else:
            known = kept.rows
        if "ETag" in answer.headers and self._cache.is_on:
            tag = answer.headers["ETag"]
            self._cache.put(name, kept.grown(tag, rows, following) if kept else Kept.of_rows(tag, rows, following))
        return Page(known + rows, following)

    def _ask(self, path: str, expects: str, kept: Kept | None, *, takes_rest: bool = False) -> Answer:
        if kept is not None:
            answer = self._transport.call("GET", path, expects=expects, known_tag=kept.tag, takes_rest=takes_rest)
            if answer.is_whole or answer.confirms(kept.tag) or answer.continues(kept.tag):
                return answer
        # For the first time, or since what came was about something else.
        return self._transport.call("GET", path, expects=expects)
