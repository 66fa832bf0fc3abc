"""What all resources share: absent reads as None, a delete says what it found, lists come in pages."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import urlencode

from strands_session_client.errors import NotFoundError, SessionRepositoryError, ValidationError
from strands_session_client.transport import Transport
from strands_session_client.wire import Document

PAGE_SIZE = 1000  # the most that the service gives at a time


class Resources:
    """The service's resources by their paths. Raises what errors.py lists."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, path: str, document: Document, *, expects: str) -> Document:
        """What is stored now; the answer has the field `expects`, or it is not the service's."""
        return self._transport.call("POST", path, document, expects=expects)

    def read(self, path: str, *, expects: str) -> Document | None:
        """What is stored, or None."""
        try:
            return self._transport.call("GET", path, expects=expects)
        except NotFoundError:
            return None

    def update(self, path: str, changes: Mapping[str, object], *, expects: str) -> Document:
        """What is stored now. Raises a NotFoundError if nothing was."""
        return self._transport.call("PUT", path, changes, expects=expects)

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
        offset: int,
        filters: Mapping[str, object] | None = None,
    ) -> Iterator[Document]:
        """The rows of a list in their order: `limit`, or all, from the position `offset` on."""
        left = None if limit is None else _checked("limit", limit)
        query = {key: _text(value) for key, value in (filters or {}).items() if value is not None}
        start = {"offset": str(_checked("offset", offset))} if offset else {}
        while True:
            size = PAGE_SIZE if left is None else min(left, PAGE_SIZE)
            parameters = urlencode({"limit": size, "total": "false", **query, **start})
            page = self._transport.call("GET", f"{path}?{parameters}", expects=name)
            yield from page[name]
            left = None if left is None else left - len(page[name])
            if page["next"] is None or not page[name] or left == 0:
                return
            start = {"after": page["next"]}

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
