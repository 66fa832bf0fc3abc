"""The agent over HTTP, with the scripted model; needs the session backend: `strands-session up`."""

import json
import uuid

import pytest
from fastapi.testclient import TestClient

from api.app import app


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("MODEL", "scripted")
    return TestClient(app)


@pytest.fixture
def session_id(client):
    session_id = f"test-{uuid.uuid4().hex}"
    yield session_id
    client.delete(f"/sessions/{session_id}")


def say(client, session_id, prompt):
    answer = client.post("/process", json={"prompt": prompt, "session_id": session_id})
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def texts(history):
    return [block["text"] for message in history.json()["messages"] for block in message["content"]]


def test_it_remembers_what_was_said_in_the_session(client, session_id):
    say(client, session_id, "My favourite colour is teal.")

    assert say(client, session_id, "What is my favourite colour?") == "Your favourite colour is teal."


def test_sessions_know_nothing_of_each_other(client, session_id):
    say(client, session_id, "My favourite colour is teal.")
    other = client.post("/process", json={"prompt": "What is my favourite colour?"}).json()
    client.delete(f"/sessions/{other['session_id']}")

    assert other["response"] == "You have not told me your favourite colour."


def test_it_streams_its_answer(client, session_id):
    answer = client.post("/process-streaming", json={"prompt": "Hello.", "session_id": session_id})
    lines = [line.partition(": ") for line in answer.text.splitlines() if ": " in line]
    names = [value for field, _, value in lines if field == "event"]
    data = [json.loads(value) for field, _, value in lines if field == "data"]

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (names[0], names[-1]) == ("session", "done")
    assert "".join(event.get("text", "") for event in data) == "I will remember that."


def test_a_session_is_listed_has_a_history_and_can_be_forgotten(client, session_id):
    say(client, session_id, "Hello.")

    assert session_id in [session["session_id"] for session in client.get("/sessions").json()["sessions"]]
    assert texts(client.get(f"/sessions/{session_id}/history")) == ["Hello.", "I will remember that."]
    assert client.delete(f"/sessions/{session_id}").status_code == 204
    assert client.delete(f"/sessions/{session_id}").status_code == 404
    assert client.get(f"/sessions/{session_id}/history").status_code == 404


@pytest.mark.parametrize("session_id", ["a/b", "", " a", "..", "a\n"])
def test_an_id_that_cannot_be_kept_is_refused(client, session_id):
    assert client.post("/process", json={"prompt": "Hello.", "session_id": session_id}).status_code == 422


def test_it_says_that_it_can_keep_sessions(client):
    assert client.get("/health").json() == {"status": "healthy", "session_backend": "reachable"}
    assert client.get("/health/ready").status_code == 200
