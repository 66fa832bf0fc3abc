"""What all resources share: absent reads as None, a delete says what it found, a list has a limit and an offset."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from strands_session_client.cache import Cache
from strands_session_client.errors import NotFoundError, SessionRepositoryError, ValidationError
from strands_session_client.pages import Pages
from strands_session_client.reader import Reader
from strands_session_client.transport import Transport
from strands_session_client.wire import Document


class Resources:
    """The service's resources by their paths. Raises what errors.py lists."""

    def __init__(self, transport: Transport, cache: Cache) -> None:
        self._transport = transport
        self._reader = Reader(transport, cache)
        self._pages = Pages(self._reader, cache)

    def create(self, path: str, document: Document, *, expects: str) -> Document:
        """What is stored now; the answer has the field `expects`, or it is not the service's."""
        return self._transport.call("POST", path, document, expects=expects).body or {}

    def read(self, path: str, *, expects: str) -> Document | None:
        """What is stored, or None."""
        try:
            return self._reader.read(path, expects=expects)
        except NotFoundError:
            return None

    def update(self, path: str, changes: Mapping[str, object], *, expects: str) -> Document:
        """What is stored now. Raises a NotFoundError if nothing was."""
        return self._transport.call("PUT", path, changes, expects=expects).document()

    def delete(self, path: str, resource: str) -> bool:
        """True if it was deleted, False if it was not there."""
        try:
            self._transport.call("DELETE", path, resource=resource)
        except NotFoundError:
            return False
        return True

    def rows(
        self,
        path: str,
        name: str,
        limit: int | None,
        offset: int | None,
        filters: Mapping[str, object] | None = None,
    ) -> Iterator[Document]:
        """The rows of a list in their order: `limit`, or all, from the position `offset` on."""
        query: dict[str, object] = {key: _text(value) for key, value in (filters or {}).items() if value is not None}
        offset = _checked("offset", offset or 0)
        if limit is None:
            return self._pages.all(path, name, query, offset)
        if offset:
            query["offset"] = offset
        return self._pages.rows(path, name, query, _checked("limit", limit))

    def is_healthy(self, path: str) -> bool:
        """Whether the service says so; asked once, since the answer is about now."""
        try:
            self._transport.call("GET", path, expects="status", tries=1)
        except SessionRepositoryError:
            return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _checked(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValidationError(f"{name} must be an integer from 0.")
    return value


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
