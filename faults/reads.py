"""What the answers in a history say about each key: its value, or that it is not there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from .history import Attempt
from .registers import ABSENT, Register

Read = tuple[str, str | None, float, float, str]  # key, value, start, end, how


def reads(history: Sequence[Attempt], written: dict[str, Register]) -> Iterator[Read]:
    """Everything that an answer said about a key."""
    siblings = _siblings(written)
    for attempt in history:
        span = (attempt.start, attempt.end)
        if attempt.missing is not None:
            yield (attempt.missing, ABSENT, *span, f"404 to {attempt.operation}")
        if attempt.method == "GET" and attempt.status == 200:
            if attempt.rows is None:
                yield (attempt.key, attempt.sha256, *span, "a read")
            else:
                yield from ((key, value, *span, "a list") for key, value in attempt.rows)
                if attempt.operation == "GET messages":
                    yield from ((key, ABSENT, *span, "a list") for key in _left_out(attempt, written, siblings))


def _siblings(written: dict[str, Register]) -> dict[str, list[tuple[int, str]]]:
    """By list of messages, the ids that were ever written, in order."""
    found: dict[str, list[tuple[int, str]]] = {}
    for key in written:
        collection, _, own = key.rpartition("/")
        if collection.endswith("/messages"):
            found.setdefault(collection, []).append((int(own), key))
    return {collection: sorted(ids) for collection, ids in found.items()}


def _left_out(
    attempt: Attempt, written: dict[str, Register], siblings: dict[str, list[tuple[int, str]]]
) -> Iterator[str]:
    """Keys that the first page of a list should show if their rows were there."""
    query = dict(part.split("=") for part in attempt.query.split("&") if part)
    rows = attempt.rows or ()
    if "after" in query or query.get("offset", "0") != "0":
        return
    ids = siblings.get(attempt.key, [])
    shown = {key for key, _ in rows}
    is_full = len(rows) >= int(query.get("limit", "100")) and rows
    last = int(rows[-1][0].rpartition("/")[2]) if rows else 0
    if query.get("order") == "desc":
        expected = ids[bisect_left(ids, (last, "")) :] if is_full else ids
    else:
        expected = ids[: bisect_left(ids, (last, ""))] if is_full else ids
    for _, key in expected:
        if written[key].writes[1].start > attempt.end:
            return  # ids are given out in their order, so all that follow are later still
        if key not in shown:
            yield key
