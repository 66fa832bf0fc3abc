"""Agents over HTTP."""

from __future__ import annotations

from flask.testing import FlaskClient

from .conftest import AGENT, HELLO

STATES = {"state": {"a": 1}, "conversation_manager_state": {"b": 2}, "internal_state": {"c": 3}}


def test_internal_state_is_kept_under_either_name(client: FlaskClient, session_url: str) -> None:
    ours = client.post(f"{session_url}/agents", json={"agent_id": "ours", **STATES})
    sdks = {"agent_id": "sdks", **STATES, "_internal_state": {"c": 3}}
    del sdks["internal_state"]
    theirs = client.post(f"{session_url}/agents", json=sdks)

    assert {"c": 3} == ours.json["internal_state"] == theirs.json["internal_state"]
    changed = client.put(f"{session_url}/agents/sdks", json={"_internal_state": {"c": 4}})
    assert {"c": 4} == changed.json["internal_state"] == client.get(f"{session_url}/agents/sdks").json["internal_state"]


def test_internal_state_is_empty_if_not_sent(client: FlaskClient, agent_url: str) -> None:
    assert {} == client.get(agent_url).json["internal_state"]


def test_body_has_the_fields_of_the_contract_in_order(client: FlaskClient, session_url: str) -> None:
    made = client.post(f"{session_url}/agents", json=AGENT)

    fields = ["agent_id", "state", "conversation_manager_state", "internal_state", "created_at", "updated_at"]
    assert fields == list(made.json)
    assert made.json == client.get(made.headers["Location"]).json


def test_put_replaces_only_the_states_that_are_given(client: FlaskClient, session_url: str) -> None:
    url = client.post(f"{session_url}/agents", json={"agent_id": "x", **STATES}).headers["Location"]

    changed = client.put(url, json={"state": {"new": True}})

    expected = {"state": {"new": True}, "conversation_manager_state": {"b": 2}, "internal_state": {"c": 3}}
    assert expected == {name: changed.json[name] for name in expected}
    assert changed.json == client.get(url).json


def test_a_fresh_created_at_in_a_put_is_ignored(client: FlaskClient, agent_url: str) -> None:
    before = client.get(agent_url).json["created_at"]

    after = client.put(agent_url, json={**AGENT, "created_at": "2030-01-01T00:00:00+00:00"})

    assert before == after.json["created_at"]


def test_agent_of_a_missing_session_is_refused(client: FlaskClient) -> None:
    answer = client.post("/api/v1/sessions/missing/agents", json=AGENT)

    assert (404, "session") == (answer.status_code, answer.json["details"]["resource"])


def test_delete_takes_its_messages_and_leaves_the_others(client: FlaskClient, session_url: str, agent_url: str) -> None:
    other = client.post(f"{session_url}/agents", json={**AGENT, "agent_id": "other"}).headers["Location"]
    for url in (agent_url, other):
        client.post(f"{url}/messages", json=HELLO)

    client.delete(agent_url)

    assert 404 == client.get(f"{agent_url}/messages/0").status_code
    assert 200 == client.get(f"{other}/messages/0").status_code


def test_list_is_ordered_by_creation_then_id(client: FlaskClient, session_url: str) -> None:
    moment = "2024-01-01T00:00:00+00:00"
    for agent_id in ("b", "a", "C", "é"):
        client.post(f"{session_url}/agents", json={**AGENT, "agent_id": agent_id, "created_at": moment})
    client.post(f"{session_url}/agents", json={**AGENT, "agent_id": "z", "created_at": "2023-01-01T00:00:00Z"})

    listed = client.get(f"{session_url}/agents").json["agents"]

    assert ["z", "C", "a", "b", "é"] == [agent["agent_id"] for agent in listed]


def test_a_taken_id_is_told_in_a_sentence(client: FlaskClient, session_url: str, agent_url: str) -> None:
    again = client.post(f"{session_url}/agents", json={"agent_id": agent_url.rsplit("/", 1)[1], **STATES})

    assert "An agent with this id exists already, with other content." == again.json["message"]
