"""Many writers at once, on the service as it runs in production: what was acknowledged is there, once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from session_api.db import Database

from . import api

WRITERS = 4
MESSAGE_IDS = st.integers(0, 4)
KEPT, SHARED = "kept", "shared"  # the one agent is never deleted, the other may be at any time


class Write(NamedTuple):
    verb: str
    agent_id: str
    message_id: int | None = None


class Outcome(NamedTuple):
    write: Write
    words: str
    status: int


message_writes = st.builds(
    Write,
    st.sampled_from(["append", "append", "append", "put", "delete"]),
    st.sampled_from([KEPT, SHARED]),
    MESSAGE_IDS,
)
agent_writes = st.builds(Write, st.sampled_from(["append", "put", "delete"]), st.just(SHARED), st.none())
increments = st.just(Write("increment", KEPT))
scripts = st.lists(
    st.lists(st.one_of(message_writes, message_writes, agent_writes, increments), min_size=1, max_size=5),
    min_size=2,
    max_size=WRITERS,
)


@pytest.fixture(scope="module")
def writers() -> Iterator[list[requests.Session]]:
    """Connections that stay open, one for each writer."""
    connections = [requests.Session() for _ in range(WRITERS)]
    yield connections
    for connection in connections:
        connection.close()


@settings(max_examples=100)
@given(scripts=scripts)
def test_property_18_concurrent_requests_stay_consistent(
    live_url: str, client: FlaskClient, db: Database, writers: list[requests.Session], scripts: list[list[Write]]
) -> None:
    """Feature: session-backend-api, Property 18: Concurrent requests stay consistent"""
    session_id = api.new_session(client)
    for agent_id in (KEPT, SHARED):
        api.new_agent(client, session_id, agent_id, {"n": 0})
    start = threading.Barrier(len(scripts))

    def perform(number: int) -> list[Outcome]:
        writer = Writer(writers[number], live_url, session_id)
        start.wait()
        return [writer.write(write, f"{number}.{step}") for step, write in enumerate(scripts[number])]

    with ThreadPoolExecutor(len(scripts)) as pool:
        outcomes = [outcome for script in pool.map(perform, range(len(scripts))) for outcome in script]

    assert [] == [outcome for outcome in outcomes if outcome.status not in EXPECTED[outcome.write.verb]]
    _check_agents(client, session_id, outcomes)
    for agent_id in (KEPT, SHARED):
        _check_messages(client, session_id, agent_id, outcomes)
    assert [] == api.orphans(db, session_id)


EXPECTED = {
    "append": {201, 404, 409},
    "put": {200, 404},
    "delete": {204, 404},
    "increment": {200, 412},
}


class Writer(NamedTuple):
    """One client of the service, who writes to one session over one connection."""

    http: requests.Session
    live_url: str
    session_id: str

    def write(self, write: Write, words: str) -> Outcome:
        """Send a write whose words are its own, and say what came of it."""
        path: tuple[Any, ...] = ("agents", write.agent_id)
        if write.message_id is None:
            body = {"agent_id": write.agent_id, "state": {"words": words}, "conversation_manager_state": {}}
        else:
            path = (*path, "messages", write.message_id)
            body = api.message(write.message_id, words)
        if write.verb == "increment":
            return Outcome(write, words, self._increment(path))
        method = {"append": "POST", "put": "PUT", "delete": "DELETE"}[write.verb]
        response = self._request(method, *(path[:-1] if write.verb == "append" else path), json=body)
        return Outcome(write, words, response.status_code)

    def _increment(self, path: tuple[Any, ...]) -> int:
        """Read, add one, and write on the condition that nobody did so in between."""
        seen = self._request("GET", *path)
        body = {"state": {"n": seen.json()["state"]["n"] + 1}}
        return self._request("PUT", *path, json=body, headers={"If-Match": seen.headers["ETag"]}).status_code

    def _request(self, method: str, *path: Any, **options: Any) -> requests.Response:
        return self.http.request(method, self.live_url + api.url(self.session_id, *path), timeout=30, **options)


def _check_agents(client: FlaskClient, session_id: str, outcomes: list[Outcome]) -> None:
    """Nobody's increment was lost; the shared agent is there if it was made once more than it was deleted."""
    done = Counter((outcome.write, outcome.status) for outcome in outcomes)
    shared = 1 + done[Write("append", SHARED), 201] - done[Write("delete", SHARED), 204]
    agents = {each["agent_id"]: each for each in api.listed(client, api.url(session_id, "agents"), "agent")}

    assert shared in (0, 1)
    assert ({KEPT, SHARED} if shared else {KEPT}) == agents.keys()
    assert done[Write("increment", KEPT), 200] == agents[KEPT]["state"]["n"]


def _check_messages(client: FlaskClient, session_id: str, agent_id: str, outcomes: list[Outcome]) -> None:
    """Each message is there if it was made once more than it was deleted, with words that were acknowledged."""
    response = client.get(api.url(session_id, "agents", agent_id, "messages"))
    acknowledged = [each for each in outcomes if each.write.agent_id == agent_id and each.status < 300]
    deleted = Write("delete", agent_id) in [each.write for each in acknowledged]
    if response.status_code == 404:
        assert deleted
        return
    messages = api.parsed(response)["messages"]
    ids = [each["message_id"] for each in messages]
    words = {each["message_id"]: each["message"]["content"][0]["text"] for each in messages}
    assert sorted(set(ids)) == ids
    assert len(ids) == api.parsed(response)["total"]
    assert words.keys() <= {each.write.message_id for each in acknowledged}
    for message_id in range(5):
        here = [each for each in acknowledged if each.write.message_id == message_id]
        verbs = Counter(each.write.verb for each in here)
        if not deleted:
            assert verbs["append"] - verbs["delete"] == (message_id in words)
        if message_id in words:
            # A PUT comes after the one append; where there were more of these, any of the writes may be the last.
            last = ("put",) if verbs["put"] and verbs["append"] == 1 else ("append", "put")
            assert words[message_id] in [each.words for each in here if each.write.verb in last]
