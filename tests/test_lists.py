"""Paging, the same for every list."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from .conftest import HELLO


@pytest.fixture
def ten(client: FlaskClient, agent_url: str) -> str:
    """The URL of a list of ten messages, with ids 0, 10, … 90."""
    for message_id in range(0, 100, 10):
        client.post(f"{agent_url}/messages", json={**HELLO, "message_id": message_id})
    return f"{agent_url}/messages"


def ids(page: dict[str, Any]) -> list[int]:
    return [message["message_id"] for message in page["messages"]]


def test_a_page_says_where_it_is(client: FlaskClient, ten: str) -> None:
    page = client.get(f"{ten}?limit=4&offset=4").json

    assert ["messages", "total", "page", "page_size", "next"] == list(page)
    assert ([40, 50, 60, 70], 10, 2, 4) == (ids(page), page["total"], page["page"], page["page_size"])


def test_page_and_page_size_are_limit_and_offset_in_other_words(client: FlaskClient, ten: str) -> None:
    assert client.get(f"{ten}?limit=3&offset=6").json == client.get(f"{ten}?page=3&page_size=3").json


def test_a_hundred_rows_if_not_said(client: FlaskClient, ten: str) -> None:
    assert 100 == client.get(ten).json["page_size"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_following_next_returns_each_row_once(client: FlaskClient, ten: str, order: str) -> None:
    seen: list[int] = []
    page = client.get(f"{ten}?limit=3&order={order}").json
    while page["next"]:
        seen += ids(page)
        page = client.get(ten, query_string={"limit": 3, "order": order, "after": page["next"]}).json
    seen += ids(page)

    assert sorted(range(0, 100, 10), reverse=order == "desc") == seen
    assert (None, 10) == (page["page"], page["total"])


def test_next_is_null_when_the_page_ends_with_the_last_row(client: FlaskClient, ten: str) -> None:
    assert client.get(f"{ten}?limit=10").json["next"] is None
    assert client.get(f"{ten}?limit=9").json["next"] is not None


def test_rows_added_behind_a_cursor_are_not_missed_and_none_comes_twice(client: FlaskClient, ten: str) -> None:
    first = client.get(f"{ten}?limit=5").json
    client.post(ten, json={**HELLO, "message_id": 1})
    client.post(ten, json={**HELLO, "message_id": 41})

    second = client.get(ten, query_string={"after": first["next"]}).json

    assert [41, 50, 60, 70, 80, 90] == ids(second)


def test_the_count_can_be_left_out(client: FlaskClient, ten: str) -> None:
    page = client.get(f"{ten}?total=false&limit=1").json

    assert (None, [0]) == (page["total"], ids(page))


def test_limit_zero_gives_an_empty_list(client: FlaskClient, ten: str) -> None:
    page = client.get(f"{ten}?limit=0").json

    assert ([], 10, 0, None) == (page["messages"], page["total"], page["page_size"], page["next"])


def test_an_offset_behind_the_end_gives_an_empty_list(client: FlaskClient, ten: str) -> None:
    page = client.get(f"{ten}?offset={2**63 - 1}").json

    assert ([], 10, None) == (page["messages"], page["total"], page["next"])


def test_a_parent_without_children_has_an_empty_list_and_a_missing_parent_none(
    client: FlaskClient, session_url: str, agent_url: str
) -> None:
    empty = [f"{agent_url}/messages", f"{session_url}/multi-agents"]
    missing = {
        f"{session_url}/agents/missing/messages": "agent",
        "/api/v1/sessions/missing/agents": "session",
        "/api/v1/sessions/missing/agents/a/messages": "agent",
        "/api/v1/sessions/missing/multi-agents": "session",
    }

    assert [(200, 0)] * 2 == [(answer.status_code, answer.json["total"]) for answer in map(client.get, empty)]
    for url, resource in missing.items():
        answer = client.get(url)
        assert (404, resource) == (answer.status_code, answer.json["details"]["resource"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("limit=abc", "limit"),
        ("limit=1_0", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        (f"offset={2**63}", "offset"),
        ("page=0", "page"),
        ("page_size=0", "page_size"),
        (f"page={2**63 - 1}&page_size=1000", "page"),
        ("limit=1&page=1", "page"),
        ("order=up", "order"),
        ("total=maybe", "total"),
        ("after=&offset=1", "after"),
        ("after=", "after"),
        ("after=!!!", "after"),
        ("after=WyJhIl0", "after"),
        ("after=WzEsMl0", "after"),
        ("after=WzFlNDAwXQ", "after"),
        ("after=bnVsbA", "after"),
    ],
)
def test_a_bad_query_is_refused_by_name(client: FlaskClient, ten: str, query: str, field: str) -> None:
    answer = client.get(f"{ten}?{query}")

    assert (400, [field]) == (answer.status_code, list(answer.json["details"]))


def test_cursors_of_other_lists_are_refused(client: FlaskClient, session_url: str, agent_url: str) -> None:
    for agent_id in "ab":
        client.post(f"{session_url}/agents", json={"agent_id": agent_id, "state": {}, "conversation_manager_state": {}})
    cursor = client.get(f"{session_url}/agents?limit=1").json["next"]

    assert 400 == client.get(f"{agent_url}/messages", query_string={"after": cursor}).status_code
    assert 200 == client.get(f"{session_url}/multi-agents", query_string={"after": cursor}).status_code
