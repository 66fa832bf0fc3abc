"""Messages over HTTP."""

from __future__ import annotations

from flask.testing import FlaskClient

from .conftest import HELLO


def test_append_twice_conflicts_and_leaves_one(client: FlaskClient, agent_url: str) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)
    again = client.post(f"{agent_url}/messages", json=HELLO)

    assert (409, True) == (again.status_code, again.json["details"]["identical"])
    assert 1 == client.get(f"{agent_url}/messages").json["total"]


def test_put_redacts(client: FlaskClient, agent_url: str) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)
    r = client.put(f"{agent_url}/messages/0", json={"redact_message": {"role":"user","content":[]}})
    print(r.json)
    assert 200 == r.status_code
    assert r.json["redact_message"] == {"role":"user","content":[]}
    e = r.headers["ETag"]
    assert 304 == client.get(f"{agent_url}/messages/0", headers={"If-None-Match": e}).status_code
    assert 412 == client.put(f"{agent_url}/messages/0", json={}, headers={"If-Match": '"1"'}).status_code
    assert 200 == client.put(f"{agent_url}/messages/0", json={}, headers={"If-Match": e}).status_code
    assert 304 == client.get(f"{agent_url}/messages", headers={"If-None-Match": client.get(f"{agent_url}/messages").headers["ETag"]}).status_code
    assert 204 == client.delete(f"{agent_url}/messages/0").status_code
