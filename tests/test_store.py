"""The store's functions compose: they work in the transaction that they are given and never commit."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from session_api.errors import Conflict, NotFound, NotModified, PreconditionFailed
from session_api.models import AgentKey, MessageKey, SessionKey
from session_api.store import agents, messages, sessions
from session_api.store.pages import Page
from session_api.strict_json import EMPTY, Document

from .conftest import new_id

NO_TIMES = {"created_at": None, "updated_at": None}
A_SESSION = {"session_type": "AGENT", "multi_agent_state": None, **NO_TIMES}
AN_AGENT = {"state": EMPTY, "conversation_manager_state": EMPTY, "internal_state": EMPTY, **NO_TIMES}
A_MESSAGE = {"message": Document(b'{"role":"user","content":[]}'), "redact_message": None, **NO_TIMES}


@pytest.fixture
def agent(tx: Connection) -> AgentKey:
    key = AgentKey("default", new_id(), "agent")
    sessions.create(tx, SessionKey(*key[:2]), A_SESSION)
    agents.create(tx, key, AN_AGENT)
    return key


def test_several_operations_share_a_transaction_and_vanish_with_it(tx: Connection, db, agent: AgentKey) -> None:
    messages.append(tx, MessageKey(*agent, 0), A_MESSAGE)
    tx.rollback()

    with pytest.raises(NotFound):
        db.run(sessions.read, SessionKey(*agent[:2]))


def test_a_conflict_leaves_the_transaction_usable(tx: Connection, agent: AgentKey) -> None:
    messages.append(tx, MessageKey(*agent, 0), A_MESSAGE)

    with pytest.raises(Conflict) as caught:
        messages.append(tx, MessageKey(*agent, 0), A_MESSAGE)

    assert messages.read(tx, MessageKey(*agent, 0)) == caught.value.stored
    assert 1 == messages.list_(tx, agent, Page()).total


def test_a_missing_parent_is_refused_by_the_foreign_key(tx: Connection, agent: AgentKey) -> None:
    with pytest.raises(IntegrityError) as caught, tx.begin_nested():
        messages.append(tx, MessageKey(*agent[:2], "other", 0), A_MESSAGE)

    assert "fk_session_messages_session_agents" == caught.value.orig.diag.constraint_name


def test_documents_come_back_as_the_text_that_went_in(tx: Connection, agent: AgentKey) -> None:
    text = Document(b'{"b":1.0,"a":[1e22,-0.0,"\\u0000"],"b":2}')

    messages.append(tx, MessageKey(*agent, 0), {**A_MESSAGE, "message": text})

    assert text == messages.read(tx, MessageKey(*agent, 0)).message


def test_tenants_do_not_see_each_other(tx: Connection, agent: AgentKey) -> None:
    foreign = AgentKey("other", *agent[1:])

    with pytest.raises(NotFound):
        agents.read(tx, foreign)
    with pytest.raises(NotFound):
        agents.delete(tx, foreign)
    sessions.create(tx, SessionKey(*foreign[:2]), A_SESSION)
    assert 0 == agents.list_(tx, foreign[:2], Page()).total
    assert 1 == agents.list_(tx, agent[:2], Page()).total


def test_read_raises_not_modified_for_a_known_version(tx: Connection, agent: AgentKey) -> None:
    version = agents.read(tx, agent).version

    with pytest.raises(NotModified):
        agents.read(tx, agent, {1, version})
    assert b"{}" == agents.read(tx, agent, {1}).state


def test_update_returns_what_is_now_stored(tx: Connection, agent: AgentKey) -> None:
    updated = agents.update(tx, agent, {"state": Document(b'{"a":1}')})

    assert agents.read(tx, agent) == updated
    assert b'{"a":1}' == updated.state


def test_update_and_delete_with_another_version_change_nothing(tx: Connection, agent: AgentKey) -> None:
    before = agents.read(tx, agent)

    with pytest.raises(PreconditionFailed):
        agents.update(tx, agent, {"state": EMPTY}, {before.version ^ 1})
    with pytest.raises(PreconditionFailed):
        agents.delete(tx, agent, set())
    assert before == agents.read(tx, agent)
