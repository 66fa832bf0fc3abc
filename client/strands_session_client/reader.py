"""Reads from the service, which says of what is kept here whether it is unchanged: then no document travels."""

from strands_session_client.cache import Cache, Kept
from strands_session_client.transport import Transport
from strands_session_client.wire import Document


class Reader:
    """Gives documents as the service had them after the call began; they are the caller's own to change."""

    def __init__(self, transport: Transport, cache: Cache) -> None:
        self._transport = transport
        self._cache = cache

    def read(self, path: str, *, expects: str) -> Document:
        """The row at this path, or the page with its rows in the field `expects`. Raises what errors.py lists."""
        kept = self._cache.get(path)
        if kept is None:
            answer = self._transport.call("GET", path, expects=expects)
        else:
            answer = self._transport.call("GET", path, expects=expects, known_tag=kept.tag)
            if answer.confirms(kept.tag):
                return kept.document
            if answer.status == 304:  # about something else
                answer = self._transport.call("GET", path, expects=expects)
        document = answer.document(expects)
        if "ETag" in answer.headers and self._cache.is_on:
            self._cache.put(path, Kept.of(answer.headers["ETag"], document))
        return document
