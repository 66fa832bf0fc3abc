"""HTTP in bytes, for requests that a library would refuse to send or tidy up first."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from http.client import HTTPMessage, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ERRORS = {
    400: "ValidationError",
    401: "AuthenticationError",
    403: "AuthorizationError",
    404: "NotFoundError",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "ConflictError",
    412: "PreconditionFailed",
    408: "RequestTimeout",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(method: str, target: str | bytes, body: str | bytes = b"", **headers: str | bytes | None) -> bytes:
    """A request as it is sent; `X_Y="z"` adds or replaces a header, None leaves one out."""
    content = body if isinstance(body, bytes) else body.encode()
    fields: dict[str, str | bytes | None] = {"Host": "localhost", "Connection": "close"}
    if method in ("POST", "PUT"):
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [b"%s %s HTTP/1.1" % (method.encode(), _octets(target))]
    lines += [b"%s: %s" % (name.encode(), _octets(value)) for name, value in fields.items() if value is not None]
    return b"\r\n".join([*lines, b"", content])


def send(url: str, data: bytes, *, and_stop: bool = False) -> Answer:
    """The answer to these bytes; `and_stop` tells the server that no more will come."""
    address = urlsplit(url)
    method = data.partition(b" ")[0].decode("latin-1")
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        # A server may answer before it has read everything, and close.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        if and_stop:
            with contextlib.suppress(OSError):  # the service may have answered and closed already
                connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method=method)
        response.begin()
        return Answer(response.status, response.headers, response.read())


def assert_error(answer: Answer, status: int, *paths: str) -> None:
    """The one shape of every error; of a 400, `details` names exactly these paths."""
    assert status == answer.status, answer
    assert "application/json" == answer.headers["Content-Type"]
    assert ["error", "message", "details", "timestamp", "request_id"] == list(answer.json)
    assert ERRORS[status] == answer.json["error"]
    assert _REQUEST_ID.fullmatch(answer.json["request_id"])
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    if paths:
        assert sorted(paths) == sorted(answer.json["details"])
        assert all(isinstance(text, str) and text for texts in answer.json["details"].values() for text in texts)


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
