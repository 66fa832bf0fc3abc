"""Multi-agents over HTTP."""

from __future__ import annotations

from flask.testing import FlaskClient

GRAPH = {"multi_agent_id": "graph", "state": {"type": "graph", "status": "executing"}}


def test_create_read_replace_delete(client: FlaskClient, session_url: str) -> None:
    url = client.post(f"{session_url}/multi-agents", json=GRAPH).headers["Location"]

    replaced = client.put(url, json={"state": {"status": "completed"}})

    assert ["multi_agent_id", "state", "created_at", "updated_at"] == list(replaced.json)
    assert {"status": "completed"} == replaced.json["state"] == client.get(url).json["state"]
    assert (204, 404) == (client.delete(url).status_code, client.delete(url).status_code)
    assert "multi_agent" == client.get(url).json["details"]["resource"]


def test_several_live_side_by_side(client: FlaskClient, session_url: str) -> None:
    for name in ("graph", "swarm"):
        client.post(f"{session_url}/multi-agents", json={"multi_agent_id": name, "state": {"name": name}})

    listed = client.get(f"{session_url}/multi-agents").json

    assert (2, ["graph", "swarm"]) == (listed["total"], [item["state"]["name"] for item in listed["multi_agents"]])


def test_a_repeated_create_conflicts(client: FlaskClient, session_url: str) -> None:
    client.post(f"{session_url}/multi-agents", json=GRAPH)

    again = client.post(f"{session_url}/multi-agents", json=GRAPH)

    assert (409, True) == (again.status_code, again.json["details"]["identical"])


def test_one_of_a_missing_session_is_refused(client: FlaskClient) -> None:
    answer = client.post("/api/v1/sessions/missing/multi-agents", json=GRAPH)

    assert (404, "session") == (answer.status_code, answer.json["details"]["resource"])
