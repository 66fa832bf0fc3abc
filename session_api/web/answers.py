"""Builds answers out of stored rows: JSON text, ETag, 304; and reads the conditions that requests carry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.http import parse_accept_header
from werkzeug.wsgi import ClosingIterator

from .. import render
from ..errors import Invalid, NotModified

_PLAIN = re.compile(r"[/A-Za-z0-9_.~-]*")
_IN_A_PATH = "/!$&'()*+,;=:@"  # RFC 3986, besides what is safe anywhere

_TAG = r'(W/)?"[!#-~]*"'
CONDITION_PATTERN = rf"^ *(\*|{_TAG}( *, *{_TAG})*) *$"
_CONDITION = re.compile(CONDITION_PATTERN)
_TAGS = re.compile(r'(W/)?"([^"]*)"')


class Answer(Response):
    """JSON with a tag, by the shortest way: Flask does for every answer what only some kinds need (ADR 12)."""

    def __init__(self, body: bytes, tag: str, status: str = "200 OK", location: str | None = None) -> None:
        self.response = self._body = [body]
        self._status, self._status_code = status, int(status[:3])
        self._on_close = []
        self._head = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("ETag", f'"{tag}"'),
        ]
        if location is not None:
            self._head.append(("Location", location))

    @cached_property
    def headers(self) -> Headers:  # type: ignore[override]
        """For those who change them."""
        return Headers(self._head)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(self._status, self.headers.to_wsgi_list() if "headers" in self.__dict__ else self._head)
        body = [] if environ["REQUEST_METHOD"] == "HEAD" else self._body
        return ClosingIterator(body, self._on_close) if self._on_close else body


def created(row: Any) -> Response:
    """201 with the row, its ETag and where it is now."""
    path = f"{_quoted(request.path, _IN_A_PATH)}/{_quoted(str(row[0]), '')}"
    return Answer(render.row(row), render.etag(row.version), "201 CREATED", path)


def _quoted(text: str, safe: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe)


def stored(row: Any) -> Response:
    """200 with the row and its ETag."""
    if request.environ.get("HTTP_IF_NONE_MATCH") == "*" and request.method in ("GET", "HEAD"):
        raise NotModified(row.version)
    return Answer(render.row(row), render.etag(row.version))


def deleted(_: None) -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def tagged(response: Response, tag: str) -> Response:
    response.headers["ETag"] = f'"{tag}"'
    return response


def rest(response: Response, base: str) -> Response:
    """226: the body is only what came after what has the tag `base`, while the ETag is of the whole (RFC 3229)."""
    response.status_code = 226
    response.headers["IM"] = "feed"
    response.headers["Delta-Base"] = f'"{base}"'
    # A cache that knows no 226 must not take this for the whole.
    response.headers["Cache-Control"] = "no-store, im"
    response.vary.add("A-IM")
    return response


def wants_rest() -> bool:
    """Whether A-IM accepts the end of a list in place of the list."""
    accepted = request.environ.get("HTTP_A_IM")
    return accepted == "feed" or (accepted is not None and parse_accept_header(accepted).quality("feed") > 0)


def known_tags() -> set[str]:
    """What If-None-Match names; a tag counts as known whether it is given as weak or as strong."""
    condition = request.environ.get("HTTP_IF_NONE_MATCH", "").strip()
    # None of ours is a star, which stands for the wildcard.
    return {"*"} if condition == "*" else {tag for _, tag in _TAGS.findall(condition)} - {"*"}


def known_versions() -> set[int]:
    return _versions(known_tags())


def expected_versions() -> set[int] | None:
    """The versions that If-Match allows; None without a condition. Raises Invalid when it is malformed."""
    condition = request.environ.get("HTTP_IF_MATCH")
    if condition is None:
        return None
    if not _CONDITION.fullmatch(condition):
        raise Invalid({"If-Match": ['Must be * or a list of entity tags such as "5f3a".']})
    return None if condition.strip() == "*" else _versions(tag for weak, tag in _TAGS.findall(condition) if not weak)


def _versions(tags: Iterable[str]) -> set[int]:
    """Tags that this service never gave can't match, such as the same number written otherwise."""
    return {int(tag, 16) for tag in tags if re.fullmatch(r"0|[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15}", tag)}
