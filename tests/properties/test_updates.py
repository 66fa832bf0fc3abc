"""What a PUT changes, what it leaves, and what nothing changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from . import api, strategies


@settings(max_examples=100)
@given(kind=st.sampled_from(strategies.KINDS), data=st.data())
def test_property_2_update_persistence(client: FlaskClient, kind: str, data: st.DataObject) -> None:
    """Feature: session-backend-api, Property 2: Update persistence"""
    model = data.draw(strategies.bodies(kind))
    if kind == "session":
        model["session_id"] = api.unique(model["session_id"])
    own_id = model[f"{kind}_id"]
    collection = api.new_collection(client, kind)
    own_url = f"{collection}/{api.quote(str(own_id), safe='')}"
    query = {"prefix": own_id} if kind == "session" else {}
    api.created(client, collection, model)

    for changes in data.draw(st.lists(strategies.changes(kind), min_size=1, max_size=2)):
        response = api.put(client, own_url, {**changes, **data.draw(_beside_the_point(kind, own_id))})
        model.update(changes)
        assert 200 == response.status_code, response.get_data(as_text=True)
        assert _expected(model) == _expected(api.parsed(response), model)

    assert _expected(model) == _expected(api.parsed(client.get(own_url)), model)
    assert [_expected(model)] == [_expected(got, model) for got in api.listed(client, collection, kind, **query)]


def _beside_the_point(kind: str, own_id: Any) -> st.SearchStrategy[dict[str, Any]]:
    """What a PUT may carry without meaning anything: its own id, and fields that nobody knows."""
    return st.fixed_dictionaries({}, optional={f"{kind}_id": st.just(own_id), "unknown": strategies.json_values})


def _expected(document: Any, fields: Any = None) -> str:
    return api.exact({field: document[field] for field in fields or document})


@settings(max_examples=100)
@given(kind=st.sampled_from(strategies.KINDS), data=st.data(), session_type=strategies.session_types)
def test_property_9_metadata_is_kept(client: FlaskClient, kind: str, data: st.DataObject, session_type: str) -> None:
    """Feature: session-backend-api, Property 9: Metadata is kept"""
    times = {name: data.draw(_sent_time) for name in ("created_at", "updated_at")}
    written = {name: _written(time) for name, time in times.items() if time is not ABSENT}
    body = {**_smallest(kind), **written}
    if kind == "session":
        body["session_type"] = session_type
    own_id = body[f"{kind}_id"]
    collection = api.new_collection(client, kind)
    own_url = f"{collection}/{own_id}"

    made = api.created(client, collection, body)
    first = _put(client, own_url, data)
    second = _put(client, own_url, data)
    read = api.parsed(client.get(own_url))

    for name, time in times.items():
        if isinstance(time, strategies.Time):
            assert time.moment == _moment(made[name])
    assert made["created_at"] == first["created_at"] == second["created_at"] == read["created_at"]
    assert 3 == len({made["updated_at"], first["updated_at"], second["updated_at"]})
    assert _moment(first["updated_at"]) < _moment(second["updated_at"]) == _moment(read["updated_at"])
    assert body.get("session_type") == read.get("session_type")


ABSENT = object()
_sent_time = st.one_of(st.just(ABSENT), st.none(), st.just(""), strategies.times())


def _smallest(kind: str) -> dict[str, Any]:
    if kind == "session":
        return {"session_id": api.new_id()}
    if kind == "message":
        return api.message(0)
    if kind == "agent":
        return {"agent_id": "assistant", "state": {}, "conversation_manager_state": {}}
    return {"multi_agent_id": "graph", "state": {}}


def _written(time: Any) -> Any:
    return time.written if isinstance(time, strategies.Time) else time


def _put(client: FlaskClient, own_url: str, data: st.DataObject) -> Any:
    """A PUT that changes nothing, with times that must have no effect."""
    others = data.draw(st.fixed_dictionaries({}, optional={"created_at": _sent_time, "updated_at": _sent_time}))
    body = {name: _written(time) for name, time in others.items() if time is not ABSENT}
    response = api.put(client, own_url, body)
    assert 200 == response.status_code, response.get_data(as_text=True)
    return api.parsed(response)


def _moment(written: str) -> datetime:
    """A time as the service writes it: ISO 8601, in UTC, with its offset."""
    moment = datetime.fromisoformat(written)
    assert timedelta(0) == moment.utcoffset()
    return moment
