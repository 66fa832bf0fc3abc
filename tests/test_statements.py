"""How many statements each operation sends, and what they read: counted, not assumed."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from .conftest import AGENT, HELLO, bearer, new_id, new_key
from .sent import statements_of


def test_every_write_and_every_read_is_one_statement(
    client: FlaskClient, session_url: str, agent_url: str, sent: list[str]
) -> None:
    message, graph = f"{agent_url}/messages", f"{session_url}/multi-agents"
    for method, url, body in (
        ("POST", "/api/v1/sessions", {"session_id": new_id()}),
        ("POST", f"{session_url}/agents", {**AGENT, "agent_id": "other"}),
        ("POST", message, HELLO),
        ("POST", graph, {"multi_agent_id": "graph", "state": {}}),
        *(("GET", url, None) for url in (session_url, agent_url, f"{message}/0", f"{graph}/graph")),
        ("PUT", session_url, {"session_type": "X"}),
        ("PUT", agent_url, {"state": {}}),
        ("PUT", f"{message}/0", {"redact_message": None}),
        ("PUT", f"{graph}/graph", {"state": {}}),
        *(("GET", url, None) for url in ("/api/v1/sessions", f"{session_url}/agents", message, graph)),
        *(("DELETE", url, None) for url in (f"{message}/0", f"{graph}/graph", agent_url, session_url)),
    ):
        sent.clear()

        answer = client.open(url, method=method, json=body)

        assert (True, 1) == (answer.status_code < 300, len(sent)), (method, url, sent)


def test_304_is_one_statement_that_reads_no_document(
    client: FlaskClient, session_url: str, agent_url: str, sent: list[str]
) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)
    for url in (session_url, agent_url, f"{agent_url}/messages/0", f"{agent_url}/messages", f"{session_url}/agents"):
        tag = client.get(url).headers["ETag"]
        sent.clear()

        assert 304 == client.get(url, headers={"If-None-Match": tag}).status_code
        assert 1 == len(sent)
        assert "CASE WHEN" in sent[0].split("FROM", 1)[0]


def test_a_changed_list_costs_two_statements_when_it_is_asked_for_with_an_etag(
    client: FlaskClient, agent_url: str, sent: list[str]
) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)
    tag = client.get(f"{agent_url}/messages").headers["ETag"]
    client.post(f"{agent_url}/messages", json={**HELLO, "message_id": 1})
    sent.clear()

    assert 200 == client.get(f"{agent_url}/messages", headers={"If-None-Match": tag}).status_code
    assert 2 == len(sent)


def test_loading_a_session_or_an_agent_never_touches_messages(
    client: FlaskClient, session_url: str, agent_url: str, sent: list[str]
) -> None:
    sent.clear()
    for url in (session_url, agent_url, f"{session_url}/agents", "/api/v1/sessions"):
        client.get(url)

    assert not [statement for statement in sent if "session_messages" in statement]


def test_the_count_is_left_out_when_it_is_not_asked_for(client: FlaskClient, agent_url: str, sent: list[str]) -> None:
    client.get(f"{agent_url}/messages?total=false")

    assert "count(" not in sent[-1]


def test_a_known_key_costs_no_statement_and_a_new_one_costs_one(keyed_app: Flask) -> None:
    client, headers = keyed_app.test_client(), bearer(new_key(keyed_app))
    with statements_of(keyed_app.extensions["session_api_database"]) as sent:
        counts = []
        for _ in range(3):
            assert 201 == client.post("/api/v1/sessions", json={"session_id": new_id()}, headers=headers).status_code
            counts.append(len(sent))

    assert [2, 3, 4] == counts


def test_who_is_not_let_in_costs_no_statement_beyond_the_look_for_the_key(keyed_app: Flask) -> None:
    client, reader = keyed_app.test_client(), bearer(new_key(keyed_app, "read"))
    with statements_of(keyed_app.extensions["session_api_database"]) as sent:
        for headers in ({}, bearer("nonsense"), reader):
            client.post("/api/v1/sessions", json={"session_id": new_id()}, headers=headers)

    assert ["SELECT api_keys"] == [statement[:15] for statement in sent]
