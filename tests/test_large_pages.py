"""A page of a list is bounded by its bytes too, so that what somebody stored can't take a worker's memory."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection
from werkzeug.test import TestResponse

from session_api.config import Settings
from session_api.db import Database

from .conftest import AGENT, new_id
from .sent import statements_of

KINDS = {
    "packs well": lambda size: "x" * size,
    "does not pack": lambda size: "".join(random.Random(size).choices("0123456789abcdefghijklmnopqrstuvwxyz", k=size)),
}


class Conversation:
    """An agent's messages, over HTTP."""

    def __init__(self, client: FlaskClient, agent_url: str) -> None:
        self.client, self.url = client, f"{agent_url}/messages"
        self.sizes: list[int] = []

    def append(self, *texts: str) -> None:
        for text in texts:
            message = {"role": "user", "content": [{"text": text}]}
            answer = self.client.post(self.url, json={"message_id": len(self.sizes), "message": message})
            assert 201 == answer.status_code
            self.sizes.append(len(json.dumps(message, separators=(",", ":"))))

    def read(self, query: str, **headers: str) -> TestResponse:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"{self.url}?{query}", headers=headers)


@pytest.fixture
def conversation(client: FlaskClient, agent_url: str) -> Conversation:
    return Conversation(client, agent_url)


def ids(answer: TestResponse) -> list[int]:
    return [row["message_id"] for row in answer.json["messages"]]


def pages(conversation: Conversation, query: str) -> list[list[int]]:
    """The ids on each page, as `next` leads from one to the other."""
    found, after = [], ""
    while True:
        answer = conversation.read(query + after)
        assert 200 == answer.status_code, answer.text
        found.append(ids(answer))
        if answer.json["next"] is None:
            return found
        query = query.replace("offset=1&", "")
        after = f"&after={answer.json['next']}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("max_bytes=65000", [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]),
        ("max_bytes=65000&order=desc", [[9, 8, 7], [6, 5, 4], [3, 2, 1], [0]]),
        ("offset=1&max_bytes=45000", [[1, 2], [3, 4], [5, 6], [7, 8], [9]]),
        ("max_bytes=65000&limit=2&total=false", [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]),
        ("max_bytes=1", [[number] for number in range(10)]),
        ("max_bytes=300000", [[*range(10)]]),
    ],
)
def test_a_page_ends_before_it_has_more_than_max_bytes(
    conversation: Conversation, kind: str, query: str, expected: list[list[int]]
) -> None:
    conversation.append(*(KINDS[kind](20_000) for _ in range(10)))

    assert expected == pages(conversation, query)


@pytest.mark.parametrize(("less", "expected"), [(0, [[*range(21)]]), (1, [[*range(20)], [20]])])
def test_nothing_but_documents_is_counted(conversation: Conversation, less: int, expected: list[list[int]]) -> None:
    conversation.append(*["x" * 300] * 20, "")

    assert expected == pages(conversation, f"max_bytes={sum(conversation.sizes) - less}")


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from([*KINDS]), st.integers(0, 9000)), min_size=1, max_size=9),
    st.integers(1, 20_000),
    st.integers(1, 9),
)
def test_its_pages_are_the_list_and_none_could_be_longer(
    client: FlaskClient, session_url: str, texts: list[tuple[str, int]], max_bytes: int, limit: int
) -> None:
    agent_id = new_id()
    client.post(f"{session_url}/agents", json={**AGENT, "agent_id": agent_id})
    conversation = Conversation(client, f"{session_url}/agents/{agent_id}")
    conversation.append(*(KINDS[kind](size) for kind, size in texts))

    found = pages(conversation, f"max_bytes={max_bytes}&limit={limit}")

    assert [*range(len(texts))] == [number for page in found for number in page]
    for page, following in zip(found, [*found[1:], []], strict=True):
        together = sum(conversation.sizes[number] for number in page)
        assert 1 == len(page) or together <= max_bytes
        more = sum(conversation.sizes[number] for number in following[:1])
        assert len(page) == limit or not following or together + more > max_bytes


@pytest.fixture
def small(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a service whose bodies have 20 kB at most, and whose pages four times that."""
    settings: Settings = replace(app.extensions["session_api_settings"], api_max_body_bytes=20_000)
    monkeypatch.setitem(app.extensions, "session_api_settings", settings)
    return settings


def test_who_gives_none_is_told_how_many_fit_and_never_gets_fewer_than_there_are(
    conversation: Conversation, small: Settings
) -> None:
    conversation.append(*["x" * 9_900] * 10)

    refused = conversation.read("limit=100")

    sentence = "A page of 100 has more than 80000 bytes here: ask for 8 at most, or give max_bytes and follow next."
    assert (400, {"limit": [sentence]}) == (refused.status_code, refused.json["details"])
    assert [*range(8)] == ids(conversation.read("limit=8"))
    assert [8, 9] == ids(conversation.read("limit=8&offset=8"))
    assert [*range(8)] == ids(conversation.read("max_bytes=1000000"))


def test_every_list_is_bounded(client: FlaskClient, small: Settings, session_url: str) -> None:
    state = {"key": "x" * 9_900}
    prefix = new_id()
    for number in range(9):
        client.post("/api/v1/sessions", json={"session_id": f"{prefix}{number}", "multi_agent_state": state})
        client.post(f"{session_url}/agents", json={**AGENT, "agent_id": str(number), "state": state})
        client.post(f"{session_url}/multi-agents", json={"multi_agent_id": str(number), "state": state})

    for url in (f"/api/v1/sessions?prefix={prefix}", f"{session_url}/agents?", f"{session_url}/multi-agents?"):
        assert (400, ["limit"]) == _refusal(client.get(url))
        name, rows = next(iter(client.get(f"{url}&max_bytes=30000").json.items()))
        assert 3 == len(rows), name
        assert 9 == client.get(f"{url}&max_bytes=30000").json["total"]


def test_rows_without_documents_are_no_reason_for_a_large_one_behind_them(client: FlaskClient) -> None:
    prefix = new_id()
    for number, state in enumerate([None, None, {"key": "x" * 9_900}, None]):
        client.post("/api/v1/sessions", json={"session_id": f"{prefix}{number}", "multi_agent_state": state})

    short = client.get(f"/api/v1/sessions?prefix={prefix}&max_bytes=5000").json
    behind = client.get(f"/api/v1/sessions?prefix={prefix}&max_bytes=5000&after={short['next']}").json

    found = [[row["session_id"].removeprefix(prefix) for row in page["sessions"]] for page in (short, behind)]
    assert [["0", "1"], ["2"]] == found


def _refusal(answer: TestResponse) -> tuple[int, list[str]]:
    return answer.status_code, list(answer.json["details"])


def test_it_is_two_statements_where_rows_may_be_large_and_one_where_not(
    conversation: Conversation, sent: list[str]
) -> None:
    conversation.append(*["x" * 900] * 10)
    costs = []
    for max_bytes in (100_000, 5_000):
        sent.clear()
        conversation.read(f"limit=50&max_bytes={max_bytes}")
        costs.append(len(sent))

    assert [1, 2] == costs


def test_what_lies_behind_a_page_is_not_unpacked_however_well_it_packs(
    conversation: Conversation, db: Database, tx: Connection
) -> None:
    conversation.append(*["x" * 200_000] * 10)
    with statements_of(db, complete=True) as sent:
        assert [0] == ids(conversation.read("max_bytes=200000"))

    # Where PostgreSQL keeps what it unpacks, it would write it to a file.
    tx.exec_driver_sql("SET LOCAL work_mem = '64kB'")
    explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sent[-1]}".replace("%", "%%")
    (plan,) = tx.exec_driver_sql(explained).scalar_one()

    assert 0 == plan["Plan"]["Temp Written Blocks"]
    (cut,) = (node for node in nodes(plan["Plan"]) if node.get("Subplan Name") == "CTE cut")
    assert {1, 2} == {node["Actual Rows"] for node in nodes(cut) if node["Node Type"] in ("Limit", "WindowAgg")}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan with all that is in it."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("query", ["limit=0", "limit=0&max_bytes=1"])
def test_a_page_of_no_rows_is_one_statement_that_reads_no_document(
    conversation: Conversation, db: Database, query: str
) -> None:
    conversation.append(*[text(20_000) for text in KINDS.values()])
    with statements_of(db, complete=True) as sent:
        tag = conversation.read(query).headers["ETag"]
        assert 304 == conversation.read(query, If_None_Match=tag).status_code

    rows = [db.read(lambda tx, sql=sql: tx.exec_driver_sql(sql.replace("%", "%%")).all()) for sql in sent]

    assert 2 == len(rows)
    assert "content" not in str(rows)


def test_it_is_one_more_where_what_is_known_has_changed(conversation: Conversation, sent: list[str]) -> None:
    conversation.append(*["x" * 20_000] * 4)
    tag = conversation.read("max_bytes=65000").headers["ETag"]
    conversation.client.delete(f"{conversation.url}/0")
    sent.clear()

    again = conversation.read("max_bytes=65000", If_None_Match=tag, A_IM="feed")

    assert (200, [1, 2, 3], 3) == (again.status_code, ids(again), len(sent))


@pytest.mark.parametrize("a_im", [{}, {"A_IM": "feed"}])
def test_a_short_page_that_is_unchanged_is_304_in_one_statement_that_reads_no_document(
    conversation: Conversation, sent: list[str], a_im: dict[str, str]
) -> None:
    conversation.append(*["x" * 20_000] * 10)
    tag = conversation.read("max_bytes=65000").headers["ETag"]
    sent.clear()

    again = conversation.read("max_bytes=65000", If_None_Match=tag, **a_im)

    assert (304, tag, 1) == (again.status_code, again.headers["ETag"], len(sent))
    assert 304 == conversation.read("max_bytes=65000", If_None_Match=tag, **a_im).status_code


def test_the_end_of_a_short_page_stays_until_nothing_is_behind_it(conversation: Conversation) -> None:
    conversation.append(*["x" * 20_000] * 4)
    before = conversation.read("max_bytes=65000")
    conversation.client.delete(f"{conversation.url}/3")

    since = conversation.read("max_bytes=65000", If_None_Match=before.headers["ETag"], A_IM="feed")

    now = conversation.read("max_bytes=65000")
    assert ([0, 1, 2], [0, 1, 2]) == (ids(before), ids(now))
    assert (226, [], None) == (since.status_code, ids(since), since.json["next"])
    assert now.headers["ETag"] == since.headers["ETag"] != before.headers["ETag"]


def test_what_is_new_is_bounded_as_well(conversation: Conversation) -> None:
    conversation.append("first")
    before = conversation.read("max_bytes=65000")
    conversation.append(*["x" * 20_000] * 4)

    since = conversation.read("max_bytes=65000", If_None_Match=before.headers["ETag"], A_IM="feed")

    assert (226, [1, 2, 3]) == (since.status_code, ids(since))
    assert [4] == ids(conversation.read(f"max_bytes=65000&after={since.json['next']}"))
    again = conversation.read("max_bytes=65000", If_None_Match=since.headers["ETag"], A_IM="feed")
    assert 304 == again.status_code


def test_the_tag_of_a_short_page_is_worth_nothing_to_who_wants_a_whole_one(conversation: Conversation) -> None:
    conversation.append(*["x" * 20_000] * 5)
    tag = conversation.read("max_bytes=65000").headers["ETag"]

    for a_im in ({}, {"A_IM": "feed"}):
        whole = conversation.read("limit=100", If_None_Match=tag, **a_im)

        assert (200, [*range(5)]) == (whole.status_code, ids(whole))


@pytest.mark.parametrize("query", ["max_bytes=0", "max_bytes=-1", "max_bytes=1.5", "max_bytes=", f"max_bytes={2**63}"])
def test_a_bound_is_a_number(conversation: Conversation, query: str) -> None:
    assert (400, ["max_bytes"]) == _refusal(conversation.read(query))
