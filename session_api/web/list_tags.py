"""The ETags of lists: what a page consists of, so that the service can tell what somebody who has one lacks."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..store.pages import Known, Listing

_TAG = re.compile(r"([1-9a-f][0-9a-f]{0,3})-([0-9a-f]{1,15}|[1-7][0-9a-f]{15})-[-0-9a-f]*")
_SHORT = "2"  # where others have whether rows follow


def of(listing: Listing[object]) -> str:
    """Changes when any row of the page, the number of all rows or the page's place among them does."""
    total = "" if listing.total is None else f"{listing.total:x}"
    return (
        f"{listing.all.number:x}-{listing.all.versions:x}-{total}-{_SHORT if listing.is_short else int(listing.more)}"
    )


def base(tags: Collection[str], limit: int, may_be_short: bool) -> str | None:
    """The one of these tags that is of a page of up to `limit` rows; None if none is, or several are."""
    found = [tag for tag in tags if _TAG.fullmatch(tag) and _is_of(known(tag), limit, may_be_short)]
    return found[0] if len(found) == 1 else None


def known(tag: str) -> Known:
    """The rows that somebody has who names this tag.

    One that was made up does no harm: it is worth something only where the rows are what it says.
    """
    number, versions, *_, end = tag.split("-")
    return Known(int(number, 16), int(versions, 16), end == _SHORT)


def _is_of(page: Known, limit: int, may_be_short: bool) -> bool:
    return page.number <= limit and (may_be_short or not page.is_short)
