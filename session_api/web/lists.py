"""Turns the query of a list into a page of the store, and what comes back into an answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from flask import Response, current_app

from .. import render
from ..errors import Invalid
from ..fields import INT64_MAX
from ..schemas import PAGE_DEFAULT
from ..store.pages import Known, Listing, Page, SortKey
from . import answers, list_tags
from .blueprint import db

_BODIES = 4  # A page has at most so many times what a body may have; one row may have twice that.
FILTERS = ("prefix", "created_after", "created_before", "updated_after", "updated_before")


class Listable(Protocol):
    """What lists need of a module of the store."""

    @property
    def ORDER(self) -> tuple[str, ...]: ...

    def list_(self, tx: Any, parent: Any, page: Page, filters: Any) -> Listing[Any]: ...

    def list_rest(
        self, tx: Any, parent: Any, page: Page, filters: Any, known: Known, *, wanted: bool
    ) -> Listing[Any] | None: ...


def answer(name: str, store: Listable, parent: tuple[str, ...], query: Mapping[str, Any]) -> Response:
    """One page with its ETag; of what If-None-Match names, nothing (304) or, if A-IM asks for it, what is new (226)."""
    page = _page(query, store.ORDER)
    filters = {key: query[key] for key in FILTERS if key in query}
    tags = answers.known_tags()
    may_be_short = "max_bytes" in query
    base = list_tags.base(tags, page.limit, may_be_short) if tags else None
    listing = db.read(_read, store, parent, page, filters, base, answers.wants_rest())
    if listing.is_short and not may_be_short:
        raise _too_large(page, listing)
    tag = list_tags.of(listing)
    if tag in tags or "*" in tags:
        return answers.tagged(Response(status=304), tag)
    text = render.listing(
        name,
        listing.rows,
        total=listing.total,
        page=None if page.after else page.offset // page.limit + 1 if page.limit else 1,
        size=page.limit,
        next=_cursor(listing.last) if listing.more and listing.last else None,
    )
    response = answers.Answer(text, tag)
    return answers.rest(response, base) if base and listing.known.number else response


def _read(
    tx: Any, store: Listable, parent: Any, page: Page, filters: Any, base: str | None, wants_rest: bool
) -> Listing[Any]:
    """The page, without the rows that its tag `base` stands for if that is enough of an answer."""
    if base is not None:
        listing = store.list_rest(tx, parent, page, filters, list_tags.known(base), wanted=wants_rest)
        if listing is not None and (wants_rest or list_tags.of(listing) == base):
            return listing
    return store.list_(tx, parent, page, filters)


def _page(query: Mapping[str, Any], order: tuple[str, ...]) -> Page:
    given = query.keys()
    if given & {"limit", "offset"} and given & {"page", "page_size"}:
        raise Invalid({"page": ["Give limit and offset, or page and page_size, not both."]})
    if "after" in given and given & {"offset", "page"}:
        raise Invalid({"after": ["Cannot be combined with offset or page."]})
    limit = query.get("limit", query.get("page_size", PAGE_DEFAULT))
    offset = query.get("offset", (query.get("page", 1) - 1) * limit)
    if offset > INT64_MAX:
        raise Invalid({"page": ["Is beyond the last possible page."]})
    after = _position(query["after"], order) if "after" in given else None
    largest = _BODIES * current_app.extensions["session_api_settings"].api_max_body_bytes
    max_bytes = min(query.get("max_bytes", largest), largest)
    return Page(limit, offset, after, query["order"] == "desc", query["total"], max_bytes)


def _too_large(page: Page, listing: Listing[Any]) -> Invalid:
    """Not a shorter page: who counts on its length would never see what it lacks."""
    fits = f"ask for {listing.all.number} at most, or give max_bytes and follow next."
    return Invalid({"limit": [f"A page of {page.limit} has more than {page.max_bytes} bytes here: {fits}"]})


def _cursor(last: SortKey) -> str:
    """Where a page ended, as the opaque `next`: the sort key of its last row."""
    key = [value.isoformat() if isinstance(value, datetime) else value for value in last]
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _position(cursor: str, order: tuple[str, ...]) -> tuple[Any, ...]:
    """The sort key in a cursor. Raises Invalid for one that no page of such a list ends with."""
    try:
        key = json.loads(base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return tuple(_READERS.get(column, _text)(value) for column, value in zip(order, key, strict=True))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Invalid({"after": ["Must be the `next` of a page of this list."]}) from None


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= INT64_MAX:
        raise ValueError
    return value


def _text(value: Any) -> str:
    value.encode()  # a lone surrogate is a ValueError, anything but a string an AttributeError
    if "\0" in value:
        raise ValueError
    return str(value)


_READERS = {"created_at": _time, "message_id": _number}
