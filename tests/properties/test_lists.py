"""Lists: the order of ids whatever the order of arrival, and every row on one page and on one page only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from . import api, strategies

SOME_DAY = datetime(2026, 1, 31, tzinfo=timezone.utc)


@settings(max_examples=100)
@given(arrival=st.lists(strategies.message_ids, max_size=8, unique=True))
def test_property_7_messages_are_ordered_by_id_whatever_the_order_of_arrival(
    client: FlaskClient, arrival: list[int]
) -> None:
    """Feature: session-backend-api, Property 7: Order whatever the insertion order"""
    messages = api.new_collection(client, "message")
    for message_id in arrival:
        api.created(client, messages, api.message(message_id, f"words of {message_id}"))

    ascending = api.listed(client, messages, "message")
    descending = api.listed(client, messages, "message", order="desc")

    assert sorted(arrival) == [each["message_id"] for each in ascending]
    assert [f"words of {each}" for each in sorted(arrival)] == [_words(each) for each in ascending]
    assert ascending == descending[::-1]


def _words(listed: Any) -> Any:
    return listed["message"]["content"][0]["text"]


@settings(max_examples=100)
@given(
    kind=st.sampled_from(strategies.KINDS),
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.one_of(st.integers(0, 9), strategies.ids)),
        max_size=10,
        unique_by=lambda row: str(row[1]),
    ),
    size=st.one_of(st.integers(1, 4), st.sampled_from([7, 1000])),
    descending=st.booleans(),
    way=st.sampled_from(["offset", "page", "after", "after"]),
    late=st.integers(0, 3),
)
def test_property_8_pagination_returns_each_row_exactly_once(
    client: FlaskClient,
    kind: str,
    rows: list[tuple[int, int | str]],
    size: int,
    descending: bool,
    way: str,
    late: int,
) -> None:
    """Feature: session-backend-api, Property 8: Pagination returns each row exactly once"""
    collection, name = api.new_collection(client, kind), api.new_id()
    bodies = [_body(kind, name, number, day, own_id) for number, (day, own_id) in enumerate(rows)]
    for body in bodies:
        api.created(client, collection, body)
    expected = sorted((_sort_key(kind, body) for body in bodies), reverse=descending)
    query = {"order": "desc" if descending else "asc", **({"prefix": name} if kind == "session" else {})}
    seen: list[Any] = []
    added = 0
    for number, page in enumerate(_pages(client, collection, query, way, size), 1):
        assert number <= max(1, len(rows))
        seen.extend(_sort_key(kind, each) for each in page[api.COLLECTIONS[kind]])
        assert (size, None if way == "after" and number > 1 else number) == (page["page_size"], page["page"])
        assert len(rows) + added == page["total"]
        # A row behind the reader moves those ahead by a place, which only the keyset is proof against.
        if way == "after" and added < late:
            api.created(client, collection, _behind(kind, name, added, descending))
            added += 1

    assert expected == seen


def _pages(client: FlaskClient, collection: str, query: dict[str, Any], way: str, size: int) -> Iterator[Any]:
    """Page by page, until one says that it is the last."""
    number = 0
    place: dict[str, Any] = {}
    while True:
        paging = {"page": number + 1, "page_size": size} if way == "page" else {"limit": size, **place}
        response = client.get(collection, query_string={**query, **paging})
        assert 200 == response.status_code, response.get_data(as_text=True)
        page = api.parsed(response)
        yield page
        if page["next"] is None:
            return
        number += 1
        place = {"after": page["next"]} if way == "after" else {"offset": number * size}


def _body(kind: str, name: str, number: int, day: int, own_id: int | str) -> dict[str, Any]:
    """A resource that was created on one of a few days, so that some share theirs."""
    if kind == "message":
        return api.message(own_id + 10 if isinstance(own_id, int) else 100 + number * 3)
    moment = (SOME_DAY + timedelta(days=day)).isoformat()
    own_id = f"{name}{own_id}"[:255]
    return {f"{kind}_id": own_id, "state": {}, "conversation_manager_state": {}, "created_at": moment}


def _behind(kind: str, name: str, number: int, descending: bool) -> dict[str, Any]:
    if kind == "message":
        return api.message(strategies.INT64_MAX - number if descending else number)
    return _body(kind, name, number, 100 if descending else -100, f"added later {number}")


def _sort_key(kind: str, resource: dict[str, Any]) -> tuple[Any, ...]:
    own_id = resource[f"{kind}_id"]
    return (own_id,) if kind == "message" else (datetime.fromisoformat(resource["created_at"]), own_id)
