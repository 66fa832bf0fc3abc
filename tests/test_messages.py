"""Messages over HTTP."""

from __future__ import annotations

from flask.testing import FlaskClient

from .conftest import AGENT, HELLO

REDACTED = {"role": "user", "content": [{"text": "[redacted]"}]}


def test_append_twice_conflicts_and_leaves_one(client: FlaskClient, agent_url: str) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)
    again = client.post(f"{agent_url}/messages", json=HELLO)

    assert (409, True) == (again.status_code, again.json["details"]["identical"])
    assert 1 == client.get(f"{agent_url}/messages").json["total"]


def test_append_of_other_content_conflicts_and_changes_nothing(client: FlaskClient, agent_url: str) -> None:
    first = client.post(f"{agent_url}/messages", json=HELLO)

    other = client.post(f"{agent_url}/messages", json={**HELLO, "message": REDACTED})

    assert (409, False) == (other.status_code, other.json["details"]["identical"])
    assert first.json == client.get(f"{agent_url}/messages/0").json


def test_body_has_the_fields_of_the_contract_in_order(client: FlaskClient, agent_url: str) -> None:
    made = client.post(f"{agent_url}/messages", json=HELLO)

    assert ["message_id", "message", "redact_message", "created_at", "updated_at"] == list(made.json)
    assert (0, HELLO["message"], None) == tuple(made.json.values())[:3]


def test_append_to_a_missing_agent_is_refused(client: FlaskClient, session_url: str) -> None:
    answers = [
        client.post(f"{url}/agents/missing/messages", json=HELLO) for url in (session_url, "/api/v1/sessions/missing")
    ]

    assert [(404, "agent")] * 2 == [(answer.status_code, answer.json["details"]["resource"]) for answer in answers]


def test_put_redacts_and_clears_the_redaction(client: FlaskClient, agent_url: str) -> None:
    url = client.post(f"{agent_url}/messages", json=HELLO).headers["Location"]

    redacted = client.put(url, json={"redact_message": REDACTED}).json
    cleared = client.put(url, json={"redact_message": None}).json

    assert (HELLO["message"], REDACTED) == (redacted["message"], redacted["redact_message"])
    assert (HELLO["message"], None) == (cleared["message"], cleared["redact_message"])
    assert cleared == client.get(url).json


def test_ids_may_have_gaps_and_order_is_by_id(client: FlaskClient, agent_url: str) -> None:
    for message_id in (7, 2**63 - 1, 0, 100):
        client.post(f"{agent_url}/messages", json={**HELLO, "message_id": message_id})

    page = client.get(f"{agent_url}/messages", query_string={"offset": 1, "limit": 2}).json

    assert [7, 100] == [message["message_id"] for message in page["messages"]]
    assert 4 == page["total"]


def test_messages_of_two_agents_are_kept_apart(client: FlaskClient, session_url: str, agent_url: str) -> None:
    other = client.post(f"{session_url}/agents", json={**AGENT, "agent_id": "other"}).headers["Location"]
    client.post(f"{agent_url}/messages", json=HELLO)

    made = client.post(f"{other}/messages", json={**HELLO, "message": REDACTED})

    assert 201 == made.status_code
    assert HELLO["message"] == client.get(f"{agent_url}/messages/0").json["message"]


def test_delete_leaves_the_other_ids(client: FlaskClient, agent_url: str) -> None:
    for message_id in range(3):
        client.post(f"{agent_url}/messages", json={**HELLO, "message_id": message_id})

    assert 204 == client.delete(f"{agent_url}/messages/1").status_code
    assert [0, 2] == [m["message_id"] for m in client.get(f"{agent_url}/messages").json["messages"]]
    assert "message" == client.get(f"{agent_url}/messages/1").json["details"]["resource"]
