"""What belongs to what: children are found under their own parent only, and go when it goes."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from session_api.db import Database

from . import api, strategies
from .model import Model, Path, paths_in, tree


@settings(max_examples=100)
@given(target=tree, bystander=tree, data=st.data())
def test_property_3_cascade_deletion(
    client: FlaskClient, db: Database, target: list[Path], bystander: list[Path], data: st.DataObject
) -> None:
    """Feature: session-backend-api, Property 3: Cascade deletion"""
    deleted_id, other_id = api.new_id(), api.new_id()
    model = Model()
    for session_id, below in ((deleted_id, target), (other_id, bystander)):
        for path in [(), *below]:
            _create(client, model, (session_id, *path))
    before = api.rows_of(db, other_id)
    agents = [path for path in target if path[0] == "agents" and len(path) == 2]
    doomed = (deleted_id, *data.draw(st.sampled_from([(), *agents])))

    assert 204 == client.delete(api.url(*doomed)).status_code
    gone = model.delete(doomed)

    assert before == api.rows_of(db, other_id)
    assert model.keys(deleted_id) == api.keys_of(db, deleted_id)
    assert {404} == {client.get(api.url(*path)).status_code for path in gone}
    assert {200} == {client.get(api.url(*path)).status_code for path in model.paths}


@settings(max_examples=100)
@given(
    agent_ids=st.tuples(strategies.ids, strategies.ids),
    placed=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), strategies.message_ids), max_size=3),
)
def test_property_4_agents_are_found_under_their_session_only(
    client: FlaskClient, agent_ids: tuple[str, str], placed: list[tuple[int, int, int]]
) -> None:
    """Feature: session-backend-api, Property 4: Agent association"""
    sessions = [api.new_id(), api.new_id()]
    model = Model()
    for session_id in sessions:
        _create(client, model, (session_id,))
    for which_session, which_agent, message_id in placed:
        agent: Path = (sessions[which_session], "agents", agent_ids[which_agent])
        for path in (agent, (*agent, "messages", message_id)):
            if path not in model.order:
                _create(client, model, path)
    agents = {(session_id, "agents", agent_id) for session_id in sessions for agent_id in agent_ids}
    messages = {(*agent, "messages", message_id) for agent in agents for *_, message_id in placed}

    found = {path for path in agents | messages if _is_there(client, path)}

    assert model.paths - {(session_id,) for session_id in sessions} == found
    for session_id in sessions:
        in_list = api.listed(client, api.url(session_id, "agents"), "agent")
        assert [path[-1] for path in model.children(session_id, "agents")] == [agent["agent_id"] for agent in in_list]


@settings(max_examples=100)
@given(
    agent_ids=st.lists(strategies.ids, min_size=2, max_size=3, unique=True),
    message_ids=st.lists(strategies.message_ids, min_size=1, max_size=2, unique=True),
    state=strategies.documents,
    data=st.data(),
)
def test_property_5_agents_of_a_session_are_kept_apart(
    client: FlaskClient, agent_ids: list[str], message_ids: list[int], state: Any, data: st.DataObject
) -> None:
    """Feature: session-backend-api, Property 5: Multiple agents per session"""
    session_id = api.new_session(client)
    for agent_id in agent_ids:
        api.new_agent(client, session_id, agent_id, {"of": agent_id})
        for message_id in message_ids:
            body = api.message(message_id, f"{agent_id} {message_id}")
            api.created(client, api.url(session_id, "agents", agent_id, "messages"), body)
    changed, deleted = agent_ids[:2]
    touched = data.draw(st.sampled_from(message_ids))
    redaction = {"redact_message": {"role": "user", "content": []}}

    assert 200 == api.put(client, api.url(session_id, "agents", changed), {"state": state}).status_code
    changed_message = api.url(session_id, "agents", changed, "messages", touched)
    assert 200 == api.put(client, changed_message, redaction).status_code
    assert 204 == client.delete(api.url(session_id, "agents", deleted, "messages", touched)).status_code

    for agent_id in agent_ids:
        agent = api.parsed(client.get(api.url(session_id, "agents", agent_id)))
        messages = api.listed(client, api.url(session_id, "agents", agent_id, "messages"), "message")
        expected = [
            {
                **api.message(message_id, f"{agent_id} {message_id}"),
                "redact_message": redaction["redact_message"] if (agent_id, message_id) == (changed, touched) else None,
            }
            for message_id in sorted(message_ids)
            if (agent_id, message_id) != (deleted, touched)
        ]
        assert api.exact(state if agent_id == changed else {"of": agent_id}) == api.exact(agent["state"])
        assert expected == [{name: each[name] for name in expected[0]} for each in messages]


SESSIONS = ("first", "second")
attempts = st.lists(
    st.tuples(st.sampled_from(["create", "create", "delete"]), st.sampled_from(SESSIONS), paths_in), max_size=14
)


@settings(max_examples=100)
@given(attempts=attempts)
def test_property_12_no_orphans(client: FlaskClient, db: Database, attempts: list[tuple[str, str, Path]]) -> None:
    """Feature: session-backend-api, Property 12: No orphans"""
    names = {name: api.new_id() for name in SESSIONS}
    model = Model()
    for verb, session, below in attempts:
        path = (names[session], *below)
        if verb == "create":
            status = api.post(client, *_creation(path)).status_code
            assert (status == 201) == model.create(path)
        else:
            status = client.delete(api.url(*path)).status_code
            assert (status == 204) == bool(model.delete(path))

    assert [] == api.orphans(db, *names.values())
    for session_id in names.values():
        assert model.keys(session_id) == api.keys_of(db, session_id)


def _create(client: FlaskClient, model: Model, path: Path) -> None:
    api.created(client, *_creation(path))
    assert model.create(path)


def _creation(path: Path) -> tuple[str, Any]:
    """Where to POST what, for a resource to be at this path."""
    collection, own_id = api.url(*path[:-1]), path[-1]
    if len(path) == 1:
        return collection, {"session_id": own_id}
    if path[-2] == "messages":
        return collection, api.message(int(own_id))
    if path[-2] == "agents":
        return collection, {"agent_id": own_id, "state": {}, "conversation_manager_state": {}}
    return collection, {"multi_agent_id": own_id, "state": {}}


def _is_there(client: FlaskClient, path: Path) -> bool:
    status = client.get(api.url(*path)).status_code
    assert status in (200, 404)
    return status == 200
