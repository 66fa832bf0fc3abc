"""Reads the service's answers, telling them from those of anything else that may listen at the URL."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from strands_session_client import errors
from strands_session_client.documents import restored

_BY_STATUS: dict[int, type[errors.SessionRepositoryError]] = {
    400: errors.ValidationError,
    401: errors.AuthenticationError,
    403: errors.AuthorizationError,
    409: errors.ConflictError,
    412: errors.PreconditionFailedError,
    413: errors.PayloadTooLargeError,
    429: errors.RateLimitedError,
    502: errors.DatabaseConnectionError,
    503: errors.DatabaseConnectionError,
    504: errors.DatabaseConnectionError,
}
_BY_RESOURCE: dict[object, type[errors.NotFoundError]] = {
    "session": errors.SessionNotFoundError,
    "agent": errors.AgentNotFoundError,
    "message": errors.MessageNotFoundError,
    "multi_agent": errors.MultiAgentNotFoundError,
}
# Gateways in front of the service give these too, in a shape of their own.
_FROM_ANYONE = frozenset({401, 403, 407, 413, 429})


class Answer(NamedTuple):
    """An HTTP answer; `body` is None where it is not a JSON object."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any] | None
    request_id: str
    is_cut_short: bool
    may_hold_bytes: bool  # in the SDK's form of them, which `documents.restored` undoes

    @property
    def details(self) -> dict[str, Any]:
        """What an error of the service says beyond its sentence."""
        details = (self.body or {}).get("details")
        return details if isinstance(details, dict) else {}

    def grants(self, method: str, resource: str) -> bool:
        """Whether this refusal shows that an earlier try of the same request did its work."""
        if method == "POST":
            return self.status == 409 and self.details.get("identical") is True
        return method == "DELETE" and self.status == 404 and self.details.get("resource") == resource

    @property
    def is_whole(self) -> bool:
        """Whether it has all that was asked for, and not only what is new about it."""
        return self.status not in {226, 304}

    def confirms(self, tag: str) -> bool:
        """Whether what has this ETag is unchanged; a 304 that doesn't name it comes from who knows where."""
        return self.status == 304 and _is_same(tag, self.headers.get("ETag"))

    def continues(self, tag: str) -> bool:
        """Whether its rows are those behind the ones of the page that has this ETag."""
        return self.status == 226 and _is_same(tag, self.headers.get("Delta-Base"))

    def checked(self, method: str, expects: str, known_tag: str | None, *, takes_rest: bool) -> "Answer":
        """The answer itself if it is a success. Raises the error that it stands for otherwise."""
        if method == "DELETE" and self.status == 204:
            return self
        is_success = self.status in {200, 201} or (self.status == 226 and takes_rest)
        if is_success and self.body is not None and expects in self.body:
            return self
        if self.status == 304 and known_tag is not None:
            return self
        raise self.error()

    def document(self) -> dict[str, Any]:
        """The row that the body is, with the bytes in it restored."""
        body = self.body or {}
        return restored(body) if self.may_hold_bytes else body

    def rows(self, expects: str) -> list[dict[str, Any]]:
        """The rows that the body's field `expects` holds, with the bytes in them restored."""
        rows: list[dict[str, Any]] = (self.body or {}).get(expects) or []
        return [restored(row) for row in rows] if self.may_hold_bytes else rows

    def error(self) -> errors.SessionRepositoryError:
        """The error that this answer stands for."""
        kind, message = self._kind(), self._message()
        return kind(message, status=self.status, request_id=self.request_id, details=self.details or None)

    def _kind(self) -> type[errors.SessionRepositoryError]:
        if self.status >= 500:
            return _BY_STATUS.get(self.status, errors.InternalServerError)
        if self.status == 404:
            return _BY_RESOURCE.get(self.details.get("resource"), errors.UnexpectedAnswerError)
        if not self._is_ours and self.status not in _FROM_ANYONE:
            return errors.UnexpectedAnswerError
        return _BY_STATUS.get(self.status, errors.SessionRepositoryError)

    @property
    def _is_ours(self) -> bool:
        return self.body is not None and {"error", "message", "request_id"} <= self.body.keys()

    def _message(self) -> str:
        if self._kind() is errors.UnexpectedAnswerError:
            target = f", a redirect to {self.headers['Location']}" if "Location" in self.headers else ""
            return f"The base URL looks wrong: what answered ({self.status}{target}) is not the session service."
        if self.body is None or not self._is_ours:
            return f"The answer was HTTP {self.status}, without an explanation."
        fields = f" {json.dumps(self.details)}" if self.status == 400 and self.details else ""
        return f"{self.body['message']}{fields}"


def _is_same(tag: str, other: str | None) -> bool:
    """Proxies weaken the tags of what they compress."""
    return other is not None and tag.removeprefix("W/") == other.removeprefix("W/")


def read(status: int, headers: Mapping[str, str], content: bytes, sent_id: str) -> Answer:
    """The answer in these bytes; `sent_id` is its request id where it names none itself."""
    body, is_cut_short = None, False
    if headers.get("Content-Type", "").startswith("application/json"):
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            # Without a length, a connection that was cut looks like one that was closed.
            is_cut_short = bool(content) or status in {200, 201}
    return Answer(
        status,
        headers,
        body if isinstance(body, dict) else None,
        headers.get("X-Request-ID", sent_id),
        is_cut_short,
        # Whoever wrote it with escapes used some of these; looking is a hundredth of the walk that it often spares.
        may_hold_bytes=b"__bytes_encoded__" in content or b"\\u00" in content,
    )
