"""A list of which somebody has the beginning: only what came since travels (RFC 3229)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from session_api.db import Database

from .conftest import AGENT, HELLO, new_id
from .sent import statements_of


class Conversation:
    """An agent's messages, over HTTP."""

    def __init__(self, client: FlaskClient, agent_url: str) -> None:
        self.client, self.url = client, f"{agent_url}/messages"
        self._numbers = count()

    def append(self, number: int) -> None:
        for _ in range(number):
            assert 201 == self.client.post(self.url, json={**HELLO, "message_id": next(self._numbers)}).status_code

    def change(self, kind: str, message_id: int) -> None:
        """Of a message that may not be there, or be there already."""
        if kind == "append":
            self.append(1)
        elif kind == "create":
            self.client.post(self.url, json={**HELLO, "message_id": message_id + 1000})
        elif kind == "redact":
            self.redact(message_id)
        else:
            self.client.delete(f"{self.url}/{message_id}")

    def read(self, query: str = "", tag: str | None = None, a_im: str | None = "feed") -> TestResponse:
        headers = {"If-None-Match": tag, "A-IM": a_im}
        return self.client.get(self.url + query, headers={name: value for name, value in headers.items() if value})

    def redact(self, message_id: int) -> None:
        self.client.put(f"{self.url}/{message_id}", json={"redact_message": HELLO["message"]})


@pytest.fixture
def conversation(client: FlaskClient, agent_url: str) -> Conversation:
    """Of five messages."""
    conversation = Conversation(client, agent_url)
    conversation.append(5)
    return conversation


def ids(answer: TestResponse) -> list[int]:
    return [row["message_id"] for row in answer.json["messages"]]


QUERIES = ["", "?total=false", "?limit=9", "?offset=3", "?limit=6&offset=1", "?after=WzFd", "?page=1&page_size=7"]


@pytest.mark.parametrize("query", QUERIES)
def test_only_new_rows_travel_and_the_tag_is_that_of_the_whole(conversation: Conversation, query: str) -> None:
    before = conversation.read(query)
    conversation.append(3)

    since = conversation.read(query, before.headers["ETag"])

    now = conversation.read(query)
    assert (226, "226 IM USED", "feed") == (since.status_code, since.status, since.headers["IM"])
    assert before.headers["ETag"] == since.headers["Delta-Base"]
    assert now.headers["ETag"] == since.headers["ETag"] != before.headers["ETag"]
    assert now.json == {**since.json, "messages": before.json["messages"] + since.json["messages"]}
    assert ids(before) + ids(since) == ids(now)


@pytest.mark.parametrize("query", [*QUERIES, "?order=desc", "?limit=2", "?limit=0", "?limit=5", "?offset=9"])
def test_what_is_unchanged_is_304_with_or_without(conversation: Conversation, query: str) -> None:
    tag = conversation.read(query).headers["ETag"]

    for a_im in ("feed", None):
        again = conversation.read(query, tag, a_im)

        assert (304, b"", tag) == (again.status_code, again.data, again.headers["ETag"])


def test_of_a_page_that_was_full_only_what_is_said_about_the_rows_behind_it_travels(conversation: Conversation) -> None:
    before = conversation.read("?limit=5")
    conversation.append(2)

    since = conversation.read("?limit=5", before.headers["ETag"])

    now = conversation.read("?limit=5")
    assert (226, []) == (since.status_code, ids(since))
    assert (7, now.json["next"]) == (since.json["total"], since.json["next"])
    assert [5, 6] == ids(conversation.read(f"?after={since.json['next']}"))
    assert now.headers["ETag"] == since.headers["ETag"]


def test_a_page_that_fills_up_ends_where_it_would_end(conversation: Conversation) -> None:
    before = conversation.read("?limit=7")
    conversation.append(5)

    since = conversation.read("?limit=7", before.headers["ETag"])

    now = conversation.read("?limit=7")
    assert (226, [5, 6]) == (since.status_code, ids(since))
    assert now.json["next"] == since.json["next"] is not None


def test_the_tag_of_a_shorter_page_that_begins_there_counts_too(conversation: Conversation) -> None:
    tag = conversation.read("?limit=2").headers["ETag"]

    longer = conversation.read("?limit=4", tag)

    assert (226, [2, 3]) == (longer.status_code, ids(longer))
    assert 200 == conversation.read("?limit=4", tag, None).status_code
    assert conversation.read("?limit=4").headers["ETag"] == longer.headers["ETag"]


CHANGES: dict[str, Callable[[Conversation], Any]] = {
    "redacted": lambda there: there.redact(2),
    "the last one redacted": lambda there: there.redact(4),
    "deleted": lambda there: there.client.delete(f"{there.url}/2"),
    "the last one deleted": lambda there: there.client.delete(f"{there.url}/4"),
    "made again": lambda there: (
        there.client.delete(f"{there.url}/2"),
        there.client.post(there.url, json={**HELLO, "message_id": 2}),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_where_a_known_row_changed_everything_travels(conversation: Conversation, change: str) -> None:
    tag = conversation.read().headers["ETag"]
    CHANGES[change](conversation)
    conversation.append(1)

    answer = conversation.read("", tag)

    assert 200 == answer.status_code
    assert {"IM", "Delta-Base"}.isdisjoint(answer.headers.keys())
    assert conversation.read().json == answer.json
    assert conversation.read().headers["ETag"] == answer.headers["ETag"]


def test_rows_that_come_before_the_known_ones_make_everything_travel(conversation: Conversation) -> None:
    tag = conversation.read("?order=desc").headers["ETag"]
    conversation.append(1)

    answer = conversation.read("?order=desc", tag)

    assert (200, [5, 4, 3, 2, 1, 0]) == (answer.status_code, ids(answer))


@pytest.mark.parametrize("a_im", [None, "", "vcdiff", "feed;q=0", ";;,=", "feed;q=nonsense", "f\u00e9ed", "x" * 5000])
def test_who_does_not_ask_for_it_gets_everything(conversation: Conversation, a_im: str | None) -> None:
    tag = conversation.read().headers["ETag"]
    conversation.append(1)

    answer = conversation.read("", tag, a_im)

    assert (200, list(range(6))) == (answer.status_code, ids(answer))


@pytest.mark.parametrize("a_im", ["feed", "FEED", "vcdiff, feed", "vcdiff;q=1, feed ; q=0.1"])
def test_it_is_asked_for_as_any_manipulation(conversation: Conversation, a_im: str) -> None:
    tag = conversation.read().headers["ETag"]
    conversation.append(1)

    assert 226 == conversation.read("", f'W/{tag}, "another"', a_im).status_code


FOREIGN = [
    "5f3a",
    "5-0-0-0",
    "0-0-5-0",
    "ffff-5f3a-5-0",
    "fffff-5f3a-5-0",
    "5-ffffffffffffffff-5-0",
    "5-5f3a",
    "-",
    "*",
]


@pytest.mark.parametrize("tag", FOREIGN)
def test_a_tag_that_is_not_of_this_list_is_as_good_as_none(conversation: Conversation, tag: str) -> None:
    answer = conversation.read("", f'"{tag}"')

    assert (200, list(range(5))) == (answer.status_code, ids(answer))


def test_of_several_tags_none_is_preferred(conversation: Conversation) -> None:
    tags = [conversation.read(query).headers["ETag"] for query in ("", "?limit=2")]
    conversation.append(1)

    assert 200 == conversation.read("", ", ".join(tags)).status_code
    tags.append(conversation.read().headers["ETag"])
    assert 304 == conversation.read("", ", ".join(tags)).status_code


def test_what_is_gone_is_404_whatever_is_known_of_it(
    conversation: Conversation, client: FlaskClient, agent_url: str
) -> None:
    tag = conversation.read().headers["ETag"]
    client.delete(agent_url)

    assert 404 == conversation.read("", tag).status_code
    client.post(agent_url.rpartition("/")[0], json={**AGENT, "agent_id": agent_url.rpartition("/")[2]})
    assert (200, []) == (conversation.read("", tag).status_code, ids(conversation.read("", tag)))


@pytest.mark.parametrize("kind", ["session", "agent", "multi_agent"])
def test_every_list_can_be_asked_for_it(client: FlaskClient, session_url: str, kind: str) -> None:
    prefix = new_id()
    urls = {"agent": f"{session_url}/agents", "multi_agent": f"{session_url}/multi-agents"}
    url = urls.get(kind, "/api/v1/sessions")

    def add(name: str) -> None:
        body = {**AGENT, f"{kind}_id": f"{prefix}-{name}"}
        assert 201 == client.post(url, json=body).status_code

    query = {"prefix": prefix} if kind == "session" else {}
    add("a")
    before = client.get(url, query_string=query)
    add("b")

    headers = {"If-None-Match": before.headers["ETag"], "A-IM": "feed"}
    since = client.get(url, query_string=query, headers=headers)

    assert (226, [f"{prefix}-b"]) == (since.status_code, [row[f"{kind}_id"] for row in since.json[f"{kind}s"]])
    rows = before.json[f"{kind}s"] + since.json[f"{kind}s"]
    assert client.get(url, query_string=query).json == {**since.json, f"{kind}s": rows}


def test_caches_in_between_neither_keep_nor_mix_up_a_part(conversation: Conversation) -> None:
    tag = conversation.read().headers["ETag"]
    conversation.append(1)

    since = conversation.read("", tag)

    assert ("no-store, im", "A-IM") == (since.headers["Cache-Control"], since.headers["Vary"])


# Any changes, seen by who has any state of a page from before

changes = st.tuples(st.sampled_from(["append", "append", "create", "redact", "delete"]), st.integers(0, 9))
queries = st.builds(
    "?limit={}&offset={}&order={}&total={}".format,
    st.integers(1, 8),
    st.sampled_from([0, 0, 1, 2]),
    st.sampled_from(["asc", "asc", "desc"]),
    st.sampled_from(["true", "false"]),
)


@settings(max_examples=60)
@given(script=st.lists(st.lists(changes, max_size=3), min_size=3, max_size=12), query=queries)
def test_what_is_known_and_what_is_new_are_together_what_there_is(
    client: FlaskClient, script: list[list[tuple[str, int]]], query: str
) -> None:
    session_id = new_id()
    client.post("/api/v1/sessions", json={"session_id": session_id})
    client.post(f"/api/v1/sessions/{session_id}/agents", json=AGENT)
    conversation = Conversation(client, f"/api/v1/sessions/{session_id}/agents/{AGENT['agent_id']}")
    bodies: dict[str, Any] = {}  # by tag

    for step in script:
        for change in step:
            conversation.change(*change)
        now = conversation.read(query)
        for tag, body in [*bodies.items()]:
            answer = conversation.read(query, tag)
            known = body["messages"] if answer.status_code == 226 else []
            got = body if answer.status_code == 304 else {**answer.json, "messages": known + answer.json["messages"]}
            assert (now.headers["ETag"], now.json) == (answer.headers["ETag"], got)
            assert (tag == now.headers["ETag"]) == (answer.status_code == 304)
            begins_so = 0 < len(body["messages"]) and body["messages"] == now.json["messages"][: len(body["messages"])]
            assert answer.status_code == 304 or begins_so == (answer.status_code == 226)
        bodies[now.headers["ETag"]] = now.json


# Statements


def test_it_is_one_statement_and_two_where_a_known_row_changed(conversation: Conversation, sent: list[str]) -> None:
    tag = conversation.read().headers["ETag"]
    costs = []
    for change in (lambda: None, lambda: conversation.append(1), lambda: conversation.redact(2)):
        change()
        for a_im in ("feed", None):
            sent.clear()
            status = conversation.read("", tag, a_im).status_code
            costs.append((status, len(sent)))

    unchanged, grown, redacted = [(304, 1), (304, 1)], [(226, 1), (200, 2)], [(200, 2), (200, 2)]
    assert [*unchanged, *grown, *redacted] == costs


@pytest.mark.parametrize("query", ["", "?limit=5", "?limit=3"])
def test_of_rows_that_are_known_no_document_is_read(conversation: Conversation, db: Database, query: str) -> None:
    tag = conversation.read(query).headers["ETag"]
    with statements_of(db, complete=True) as sent:
        for a_im in ("feed", None):
            assert 304 == conversation.read(query, tag, a_im).status_code

    again = [sql.replace("%", "%%") for sql in sent]
    rows = [db.read(lambda tx, sql=sql: tx.exec_driver_sql(sql).all()) for sql in again]

    assert 2 == len(rows)
    assert "content" in str(HELLO)
    assert "content" not in str(rows)
