"""Sessions over HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.engine import Connection

from session_api import render
from session_api.models import SessionKey
from session_api.store import sessions

from .conftest import AGENT, HELLO, new_id

URL = "/api/v1/sessions"


def test_create_answers_what_is_stored_and_where(client: FlaskClient) -> None:
    session_id = new_id()

    made = client.post(URL, json={"session_id": session_id, "multi_agent_state": {"b": 1, "a": 2}})

    assert (201, f"{URL}/{session_id}") == (made.status_code, made.headers["Location"])
    assert ["session_id", "session_type", "multi_agent_state", "created_at", "updated_at"] == list(made.json)
    assert (session_id, "AGENT", {"b": 1, "a": 2}) == tuple(made.json.values())[:3]
    assert made.json == client.get(f"{URL}/{session_id}").json


def test_location_of_an_id_with_special_characters_can_be_read(client: FlaskClient) -> None:
    session_id = new_id("a.b:c 日本%20?#&")

    made = client.post(URL, json={"session_id": session_id})

    assert session_id == client.get(made.headers["Location"]).json["session_id"]


def test_times_that_are_sent_are_kept_and_null_or_empty_means_now(client: FlaskClient) -> None:
    old = "2020-02-29T23:59:59.123456+00:00"

    kept = client.post(URL, json={"session_id": new_id(), "created_at": old, "updated_at": "2021-01-01T01:00:00+01:00"})
    now = client.post(URL, json={"session_id": new_id(), "created_at": None, "updated_at": ""})

    assert (old, "2021-01-01T00:00:00+00:00") == (kept.json["created_at"], kept.json["updated_at"])
    assert now.json["created_at"] == now.json["updated_at"] > "2026"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00+00:00"),
        ("2024-01-31 12:00:00.5", "2024-01-31T12:00:00.500000+00:00"),
        ("2024-01-31T12:00:00,123456789-0130", "2024-01-31T13:30:00.123456+00:00"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_iso_8601_times_are_kept_in_utc(client: FlaskClient, sent: str, kept: str) -> None:
    made = client.post(URL, json={"session_id": new_id(), "created_at": sent})

    assert kept == made.json["created_at"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Africa/Monrovia"])
def test_times_are_shown_in_utc_whatever_the_zone_of_the_connection(tx: Connection, zone: str) -> None:
    tx.execute(text(f"SET LOCAL timezone = '{zone}'"))
    key = SessionKey("default", new_id())
    moment = datetime(1969, 7, 20, 20, 17, 40, 5, timezone.utc)
    new = {"session_type": "X", "multi_agent_state": None, "created_at": moment, "updated_at": moment}

    sessions.create(tx, key, new)
    row = sessions.read(tx, key)
    shown = json.loads(render.row(row))

    assert moment.isoformat() != row.created_at.isoformat()
    assert (moment.isoformat(), moment.isoformat()) == (shown["created_at"], shown["updated_at"])


def test_unknown_session_types_are_kept(client: FlaskClient) -> None:
    made = client.post(URL, json={"session_id": new_id(), "session_type": "MULTI_AGENT"})

    assert "MULTI_AGENT" == made.json["session_type"]


def test_put_leaves_what_is_absent_and_clears_what_is_null(client: FlaskClient) -> None:
    url = client.post(URL, json={"session_id": new_id(), "multi_agent_state": {"a": 1}}).headers["Location"]

    typed = client.put(url, json={"session_type": "OTHER"}).json
    cleared = client.put(url, json={"multi_agent_state": None}).json

    assert ("OTHER", {"a": 1}) == (typed["session_type"], typed["multi_agent_state"])
    assert ("OTHER", None) == (cleared["session_type"], cleared["multi_agent_state"])
    assert cleared == client.get(url).json


def test_put_moves_updated_at_and_never_created_at(client: FlaskClient, session_url: str) -> None:
    before = client.get(session_url).json

    after = client.put(session_url, json={"created_at": "1999-01-01T00:00:00+00:00"}).json

    assert before["created_at"] == after["created_at"]
    assert before["updated_at"] < after["updated_at"]


def test_put_never_creates(client: FlaskClient) -> None:
    answer = client.put(f"{URL}/{new_id()}", json={"session_type": "AGENT"})

    assert (404, "session") == (answer.status_code, answer.json["details"]["resource"])


@pytest.mark.parametrize(
    ("change", "identical"),
    [({}, True), ({"multi_agent_state": {"a": 1.0}}, False), ({"session_type": "OTHER"}, False)],
)
def test_a_taken_id_conflicts_and_says_whether_it_is_the_same(
    client: FlaskClient, change: dict[str, object], identical: bool
) -> None:
    body = {"session_id": new_id(), "multi_agent_state": {"a": 1}}
    first = client.post(URL, json=body)

    again = client.post(URL, json={**body, **change})

    assert (409, identical) == (again.status_code, again.json["details"]["identical"])
    assert first.json == client.get(first.headers["Location"]).json


def test_a_conflict_with_another_time_is_not_identical(client: FlaskClient) -> None:
    body = {"session_id": new_id(), "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}
    client.post(URL, json=body)

    same = client.post(URL, json={**body, "updated_at": "2025-01-01T00:00:00Z"})
    other = client.post(URL, json={**body, "created_at": "2025-01-01T00:00:00Z"})

    assert [True, False] == [answer.json["details"]["identical"] for answer in (same, other)]


def test_delete_takes_everything_under_it(client: FlaskClient, session_url: str, agent_url: str) -> None:
    client.post(f"{agent_url}/messages", json=HELLO)
    client.post(f"{session_url}/multi-agents", json={"multi_agent_id": "graph", "state": {}})

    first, second = client.delete(session_url), client.delete(session_url)

    assert (204, b"", 404) == (first.status_code, first.data, second.status_code)
    assert {404} == {
        client.get(url).status_code
        for url in (session_url, agent_url, f"{agent_url}/messages/0", f"{session_url}/multi-agents/graph")
    }
    client.post(URL, json={"session_id": session_url.rsplit("/", 1)[1]})
    client.post(f"{session_url}/agents", json=AGENT)
    assert 0 == client.get(f"{agent_url}/messages").json["total"]


def test_lists_filter_by_prefix_literally(client: FlaskClient, empty: None) -> None:
    for session_id in ("a_b", "aXb", "a%b", "b"):
        client.post(URL, json={"session_id": session_id})

    found = {prefix: client.get(URL, query_string={"prefix": prefix}).json for prefix in ("a_", "a%", "a", "")}

    assert {"a_": 1, "a%": 1, "a": 3, "": 4} == {prefix: page["total"] for prefix, page in found.items()}
    assert ["a_b"] == [session["session_id"] for session in found["a_"]["sessions"]]


def test_lists_filter_by_times(client: FlaskClient, empty: None) -> None:
    for day in ("01", "02", "03"):
        moment = f"2024-01-{day}T00:00:00+00:00"
        client.post(URL, json={"session_id": f"s{day}", "created_at": moment, "updated_at": moment})

    def found(**query: str) -> list[str]:
        return [session["session_id"] for session in client.get(URL, query_string=query).json["sessions"]]

    assert ["s02", "s03"] == found(created_after="2024-01-01T00:00:00Z")
    assert ["s01"] == found(created_before="2024-01-02T00:00:00+00:00")
    assert ["s02"] == found(updated_after="2024-01-01T12:00:00Z", updated_before="2024-01-02T12:00:00Z")
    assert ["s03", "s02", "s01"] == found(order="desc")


def test_a_bare_plus_in_a_query_is_read_as_an_offset(client: FlaskClient, empty: None) -> None:
    client.post(URL, json={"session_id": "s", "created_at": "2024-01-01T12:00:00+02:00"})

    found = client.get(f"{URL}?created_after=2024-01-01T11:59:00+02:00&created_before=2024-01-01T12:01:00+02:00")

    assert 1 == found.json["total"]
