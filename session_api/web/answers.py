"""Builds answers out of stored rows: JSON text, ETag, 304; and reads the conditions that requests carry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import quote

from flask import Response, request
from prometheus_client import Counter
from werkzeug.datastructures import Headers

from .. import metrics, render
from ..errors import Invalid, NotModified

_IN_A_PATH = "/!$&'()*+,;=:@"  # RFC 3986, besides what is safe anywhere

_TAG = r'(W/)?"[!#-~]*"'
CONDITION_PATTERN = rf"^ *(\*|{_TAG}( *, *{_TAG})*) *$"
_CONDITION = re.compile(CONDITION_PATTERN)
_STRONG = re.compile(r'(?<!W/)"([^"]*)"')
_ANY = re.compile(r'"([^"*]*)"')  # none of ours has a star in it, which stands for the wildcard below


class Answer(Response):
    """JSON text. Its head is sent as it is: werkzeug would look for what only other kinds of answers have."""

    default_mimetype = "application/json"

    def get_wsgi_headers(self, environ: Any) -> Headers:
        return self.headers


def created(row: Any) -> Response:
    """201 with the row, its ETag and where it is now."""
    _created(row._fields[0]).inc()
    response = tagged(Answer(render.row(row), 201), render.etag(row.version))
    response.headers["Location"] = f"{quote(request.path, safe=_IN_A_PATH)}/{quote(str(row[0]), safe='')}"
    return response


@cache
def _created(own_id: str) -> Counter:
    return metrics.CREATED.labels(own_id.removesuffix("_id"))


def stored(row: Any) -> Response:
    """200 with the row and its ETag."""
    if request.environ.get("HTTP_IF_NONE_MATCH") == "*" and request.method == "GET":
        raise NotModified(row.version)
    return tagged(Answer(render.row(row)), render.etag(row.version))


def deleted(_: None) -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def tagged(response: Response, tag: str) -> Response:
    response.headers["ETag"] = f'"{tag}"'
    return response


def known_tags() -> set[str]:
    """What If-None-Match names; a tag counts as known whether it is given as weak or as strong."""
    condition = request.environ.get("HTTP_IF_NONE_MATCH", "").strip()
    return {"*"} if condition == "*" else set(_ANY.findall(condition))


def known_versions() -> set[int]:
    return _versions(known_tags())


def expected_versions() -> set[int] | None:
    """The versions that If-Match allows; None without a condition. Raises Invalid when it is malformed."""
    condition = request.environ.get("HTTP_IF_MATCH")
    if condition is None:
        return None
    if not _CONDITION.fullmatch(condition):
        raise Invalid({"If-Match": ['Must be * or a list of entity tags such as "5f3a".']})
    return None if condition.strip() == "*" else _versions(_STRONG.findall(condition))


def _versions(tags: Iterable[str]) -> set[int]:
    """Tags that this service never gave can't match, such as the same number written otherwise."""
    return {int(tag, 16) for tag in tags if re.fullmatch(r"0|[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15}", tag)}
