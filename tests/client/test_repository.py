"""The repository against the living service: every method, as the SDK and as the earlier client call it."""

import os
import threading
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from strands.interrupt import Interrupt
from strands.multiagent.base import MultiAgentBase
from strands.session.session_repository import SessionRepository
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from strands_session_client import (
    AgentNotFoundError,
    ConflictError,
    MessageNotFoundError,
    MultiAgentNotFoundError,
    NotFoundError,
    PostgreSQLSessionRepository,
    SessionNotFoundError,
    SyncPostgreSQLSessionRepository,
    UnexpectedAnswerError,
    ValidationError,
)

LONG_AGO = "2001-02-03T04:05:06.789012+00:00"


@pytest.fixture
def repository(live_url):
    with PostgreSQLSessionRepository(live_url) as repository:
        yield repository


@pytest.fixture
def session_id(repository):
    """A new session."""
    session_id = f"session-{uuid.uuid4().hex}"
    repository.create_session(Session(session_id=session_id, session_type=SessionType.AGENT))
    return session_id


@pytest.fixture
def agent_id(repository, session_id):
    """A new agent in the session."""
    repository.create_agent(session_id, an_agent("a1"))
    return "a1"


def an_agent(agent_id, **state):
    return SessionAgent(agent_id=agent_id, state=state, conversation_manager_state={"removed_message_count": 0})


def a_message(message_id, text="Hello", **more):
    return SessionMessage(message={"role": "user", "content": [{"text": text}], **more}, message_id=message_id)


class Team(MultiAgentBase):
    """A multi-agent that is nothing but its state."""

    def __init__(self, team_id, state):
        super().__init__()
        self.id = team_id
        self.state = state

    async def invoke_async(self, task, invocation_state=None, **kwargs):
        raise NotImplementedError

    def serialize_state(self):
        return self.state


# Sessions


def test_it_is_a_session_repository_of_the_sdk(repository):
    assert isinstance(repository, SessionRepository)


def test_a_session_is_created_and_read_back(repository, session_id):
    session = repository.read_session(session_id)

    assert (session_id, SessionType.AGENT) == (session.session_id, session.session_type)
    assert type(session.session_type) is SessionType


def test_creating_a_session_returns_it_with_its_times(repository):
    new = Session(f"s-{uuid.uuid4().hex}", SessionType.AGENT, created_at=LONG_AGO, updated_at="")

    created = repository.create_session(new)

    assert new.session_id == created.session_id
    assert datetime.fromisoformat(LONG_AGO) == datetime.fromisoformat(created.created_at)
    assert datetime.fromisoformat(created.updated_at).tzinfo


def test_creating_a_session_twice_is_a_conflict(repository, session_id):
    with pytest.raises(ConflictError) as refused:
        repository.create_session(Session(session_id, SessionType.AGENT))

    assert 409 == refused.value.status
    assert refused.value.request_id in str(refused.value)


def test_an_absent_session_reads_as_none(repository):
    assert repository.read_session("absent") is None


def test_a_session_type_that_the_sdk_does_not_know_stays_text(repository):
    session_id = f"s-{uuid.uuid4().hex}"
    repository.create_session(Session(session_id, "MULTI_AGENT"))

    session = repository.read_session(session_id)

    assert "MULTI_AGENT" == session.session_type


@pytest.mark.parametrize(
    "changes", [{"session_type": "SWARM", "multi_agent_state": {"a": b"1"}}, Session("ignored", "SWARM")], ids=type
)
def test_a_session_is_updated_from_a_dictionary_or_a_session(repository, session_id, changes):
    before = repository.read_session(session_id)

    updated = repository.update_session(session_id, changes)

    assert (session_id, "SWARM", before.created_at) == (updated.session_id, updated.session_type, updated.created_at)
    assert updated == repository.read_session(session_id)


def test_updating_an_absent_session_is_an_error(repository):
    with pytest.raises(SessionNotFoundError):
        repository.update_session("absent", {"session_type": "AGENT"})


def test_deleting_a_session_takes_everything_along(repository, session_id, agent_id):
    repository.create_message(session_id, agent_id, a_message(0))

    deleted = repository.delete_session(session_id)

    assert deleted is True
    assert repository.read_session(session_id) is None
    assert repository.read_agent(session_id, agent_id) is None
    assert repository.read_message(session_id, agent_id, 0) is None


def test_deleting_an_absent_session_is_false(repository):
    assert repository.delete_session("absent") is False


def test_sessions_are_listed_by_prefix_in_both_orders(repository):
    prefix = f"list-{uuid.uuid4().hex}-100%_*"
    names = [f"{prefix}{number}" for number in range(3)]
    for name in names:
        repository.create_session(Session(name, SessionType.AGENT))

    upwards = repository.list_sessions(prefix=prefix)
    downwards = repository.list_sessions(prefix=prefix, order="desc", limit=2)

    assert names == [session.session_id for session in upwards]
    assert [names[2], names[1]] == [session.session_id for session in downwards]


def test_sessions_are_listed_by_time(repository):
    prefix = f"time-{uuid.uuid4().hex}"
    repository.create_session(Session(f"{prefix}-old", SessionType.AGENT, created_at=LONG_AGO))
    repository.create_session(Session(f"{prefix}-new", SessionType.AGENT))
    an_hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)

    young = repository.list_sessions(prefix=prefix, created_after=an_hour_ago)
    old = repository.list_sessions(prefix=prefix, created_before=an_hour_ago.isoformat())

    assert [f"{prefix}-new"] == [session.session_id for session in young]
    assert [f"{prefix}-old"] == [session.session_id for session in old]


ODD_IDS = [
    "user@example.com",
    "a.b:c",
    "日本",
    "...",
    "%2e%2e",
    "100%_*",
    "a b",
    "'; DROP TABLE x;--",
    "?#&=+;,",
    "<script>${jndi:x}{{7*7}}",
    "\U0001f600" * 255,
    "\u00e9",
    "e\u0301",
]


@pytest.mark.parametrize("odd_id", ODD_IDS, ids=lambda value: ascii(value)[:20])
def test_every_id_that_the_contract_allows_works_everywhere(repository, odd_id):
    repository.delete_session(odd_id)

    repository.create_session(Session(odd_id, SessionType.AGENT))
    repository.create_agent(odd_id, an_agent(odd_id))
    repository.create_message(odd_id, odd_id, a_message(0))
    repository.create_multi_agent(odd_id, Team(odd_id, {}))

    assert odd_id == repository.read_session(odd_id).session_id
    assert odd_id == repository.read_agent(odd_id, odd_id).agent_id
    assert 0 == repository.read_message(odd_id, odd_id, 0).message_id
    assert {odd_id: {}} == repository.list_multi_agents(odd_id)
    assert repository.delete_session(odd_id) is True


# Agents


def test_an_agent_comes_back_as_it_was(repository, session_id):
    interrupt = Interrupt(id="i1", name="approve", reason={"amount": 1.0}, response=None)
    agent = SessionAgent(
        agent_id="a1",
        state={"b": 1, "a": 1.0, "big": 10**29, "file": b"\x00\xff", "\u0000": "\ud800"},
        conversation_manager_state={"__name__": "SlidingWindowConversationManager", "removed_message_count": 3},
        _internal_state={"interrupt_state": {"interrupts": {"i1": interrupt.to_dict()}}, "model_state": {"id": "r"}},
    )

    repository.create_agent(session_id, agent)

    stored = repository.read_agent(session_id, "a1")
    assert agent == stored
    assert ["b", "a", "big", "file", "\u0000"] == list(stored.state)
    assert float is type(stored.state["a"])


def test_creating_an_agent_returns_it(repository, session_id):
    agent = an_agent("a1")
    agent.created_at = ""

    created = repository.create_agent(session_id, agent=agent)

    assert "a1" == created.agent_id
    assert datetime.fromisoformat(created.created_at).tzinfo


def test_creating_an_agent_twice_is_a_conflict(repository, session_id, agent_id):
    with pytest.raises(ConflictError):
        repository.create_agent(session_id, an_agent(agent_id, other="state"))

    assert {} == repository.read_agent(session_id, agent_id).state


def test_creating_an_agent_needs_its_session(repository):
    with pytest.raises(SessionNotFoundError):
        repository.create_agent("absent", an_agent("a1"))


def test_an_absent_agent_or_session_reads_as_no_agent(repository, session_id):
    assert repository.read_agent(session_id, "absent") is None
    assert repository.read_agent("absent", "absent") is None


@pytest.mark.parametrize("keyword", ["agent", "session_agent"])
def test_updating_an_agent_keeps_its_time_of_creation(repository, session_id, agent_id, keyword):
    created_at = repository.read_agent(session_id, agent_id).created_at
    changed = an_agent(agent_id, mood="good")
    changed._internal_state = {"model_state": {"response_id": "r1"}}

    updated = repository.update_agent(session_id, **{keyword: changed})

    stored = repository.read_agent(session_id, agent_id)
    assert created_at == stored.created_at == updated.created_at == changed.created_at
    assert {"mood": "good"} == stored.state == updated.state
    assert {"model_state": {"response_id": "r1"}} == stored._internal_state


def test_updating_an_absent_agent_is_an_error_of_the_sdks_kind(repository, session_id):
    with pytest.raises(AgentNotFoundError) as refused:
        repository.update_agent(session_id, an_agent("absent"))

    assert isinstance(refused.value, SessionException)


def test_agents_are_listed_by_creation(repository, session_id):
    for name in ("c", "a", "b"):
        repository.create_agent(session_id, an_agent(name, name=name))

    agents = repository.list_agents(session_id)

    assert [("c", {"name": "c"}), ("a", {"name": "a"}), ("b", {"name": "b"})] == [
        (agent.agent_id, agent.state) for agent in agents
    ]


def test_listing_the_agents_of_an_absent_session_is_an_error(repository):
    with pytest.raises(SessionNotFoundError):
        repository.list_agents("absent")


def test_deleting_an_agent_takes_its_messages_and_no_others(repository, session_id, agent_id):
    repository.create_agent(session_id, an_agent("a2"))
    repository.create_message(session_id, agent_id, a_message(0))
    repository.create_message(session_id, "a2", a_message(0, "of a2"))

    deleted = repository.delete_agent(session_id, agent_id)
    again = repository.delete_agent(session_id, agent_id)

    assert (True, False) == (deleted, again)
    assert repository.read_message(session_id, agent_id, 0) is None
    assert "of a2" == repository.read_message(session_id, "a2", 0).message["content"][0]["text"]


# Messages


def test_a_message_comes_back_as_it_was(repository, session_id, agent_id):
    message = SessionMessage(
        message={
            "role": "user",
            "content": [
                {"text": "日本 \x00 \ud800 \u2028 \U0001f600"},
                {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}},
                {"toolResult": {"toolUseId": "t1", "status": "success", "content": [{"json": {"z": 1.0, "a": -0.0}}]}},
            ],
            "tracking_id": str(uuid.uuid4()),
            "metadata": {"usage": {"inputTokens": 3}},
        },
        message_id=0,
        redact_message={"role": "user", "content": [{"text": "[redacted]"}]},
        created_at=LONG_AGO,
    )

    repository.create_message(session_id, agent_id, message)

    stored = repository.read_message(session_id, agent_id, 0)
    assert repr(message.message) == repr(stored.message)
    assert message.redact_message == stored.to_message()
    assert datetime.fromisoformat(LONG_AGO) == datetime.fromisoformat(stored.created_at)


@pytest.mark.parametrize("keyword", ["message", "session_message"])
def test_creating_a_message_returns_it(repository, session_id, agent_id, keyword):
    message = a_message(7)

    created = repository.create_message(session_id, agent_id, **{keyword: message})

    assert 7 == created.message_id
    assert created == repository.read_message(session_id, agent_id, 7)


def test_a_message_id_that_is_taken_is_a_conflict_and_changes_nothing(repository, session_id, agent_id):
    repository.create_message(session_id, agent_id, a_message(0, "first"))

    with pytest.raises(ConflictError) as refused:
        repository.create_message(session_id, agent_id, a_message(0, "second"))

    assert refused.value.details["identical"] is False
    assert "first" == repository.read_message(session_id, agent_id, 0).message["content"][0]["text"]


def test_sending_the_same_message_twice_is_an_identical_conflict(repository, session_id, agent_id):
    message = a_message(0, image=b"\x00")
    repository.create_message(session_id, agent_id, message)

    with pytest.raises(ConflictError) as refused:
        repository.create_message(session_id, agent_id, message)

    assert refused.value.details["identical"] is True


def test_creating_a_message_needs_its_agent(repository, session_id):
    with pytest.raises(AgentNotFoundError):
        repository.create_message(session_id, "absent", a_message(0))


def test_an_absent_message_agent_or_session_reads_as_no_message(repository, session_id, agent_id):
    assert repository.read_message(session_id, agent_id, 0) is None
    assert repository.read_message(session_id, "absent", 0) is None
    assert repository.read_message("absent", "absent", 0) is None


@pytest.mark.parametrize("keyword", ["message", "session_message"])
def test_a_redaction_is_stored_and_keeps_the_time_of_creation(repository, session_id, agent_id, keyword):
    message = a_message(0, "secret")
    message.created_at = LONG_AGO
    repository.create_message(session_id, agent_id, message)
    redacted = a_message(0, "secret")
    redacted.redact_message = {"role": "user", "content": [{"text": "[redacted]"}]}

    updated = repository.update_message(session_id, agent_id, **{keyword: redacted})

    stored = repository.read_message(session_id, agent_id, 0)
    assert "[redacted]" == stored.to_message()["content"][0]["text"]
    assert "secret" == stored.message["content"][0]["text"]
    assert message.created_at == stored.created_at == updated.created_at


def test_a_redaction_is_taken_back_by_an_update_without_it(repository, session_id, agent_id):
    message = a_message(0)
    message.redact_message = {"role": "user", "content": []}
    repository.create_message(session_id, agent_id, message)
    message.redact_message = None

    repository.update_message(session_id, agent_id, message)

    assert repository.read_message(session_id, agent_id, 0).redact_message is None


@pytest.mark.parametrize("by_keyword", [True, False])
def test_a_message_is_updated_by_id_and_dictionary(repository, session_id, agent_id, by_keyword):
    repository.create_message(session_id, agent_id, a_message(0, "before"))
    changes = {"redact_message": {"role": "user", "content": [{"text": "[redacted]"}]}}

    if by_keyword:
        updated = repository.update_message(session_id, agent_id, message_id=0, message_data=changes)
    else:
        updated = repository.update_message(session_id, agent_id, 0, changes)

    assert updated == repository.read_message(session_id, agent_id, 0)
    assert "before" == updated.message["content"][0]["text"]
    assert "[redacted]" == updated.to_message()["content"][0]["text"]


@pytest.mark.parametrize("call", ["with a message", "with a dictionary"])
def test_updating_an_absent_message_is_an_error(repository, session_id, agent_id, call):
    arguments = (a_message(5),) if call == "with a message" else (5, {"message": a_message(5).message})

    with pytest.raises(MessageNotFoundError):
        repository.update_message(session_id, agent_id, *arguments)


@pytest.mark.parametrize("arguments", [(), (5,), ({"role": "user"},)], ids=repr)
def test_an_update_that_says_too_little_is_a_mistake_of_the_caller(repository, arguments):
    with pytest.raises(TypeError):
        repository.update_message("s1", "a1", *arguments)


def test_an_argument_given_twice_is_a_mistake_of_the_caller(repository):
    with pytest.raises(TypeError, match="session_agent"):
        repository.create_agent("s1", an_agent("a1"), agent=an_agent("a2"))


def test_a_message_is_deleted_once(repository, session_id, agent_id):
    repository.create_message(session_id, agent_id, a_message(0))

    deleted = repository.delete_message(session_id, agent_id, 0)
    again = repository.delete_message(session_id, agent_id, 0)

    assert (True, False) == (deleted, again)


# Lists of messages


@pytest.fixture(scope="module")
def long_conversation(live_url):
    """The ids of a session and an agent with 2,500 messages, whose ids have gaps."""
    repository = PostgreSQLSessionRepository(live_url)
    session_id = f"long-{uuid.uuid4().hex}"
    repository.create_session(Session(session_id, SessionType.AGENT))
    repository.create_agent(session_id, an_agent("a1"))

    def write(remainder):
        for number in range(remainder, 2500, 5):
            repository.create_message(session_id, "a1", a_message(3 * number, f"message {number}"))

    threads = [threading.Thread(target=write, args=(remainder,)) for remainder in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield session_id, "a1"
    repository.delete_session(session_id)


def test_all_of_2500_messages_come_back_whole_and_in_order(repository, long_conversation):
    messages = repository.list_messages(*long_conversation)

    assert [3 * number for number in range(2500)] == [message.message_id for message in messages]
    assert [f"message {n}" for n in range(2500)] == [message.message["content"][0]["text"] for message in messages]


@pytest.mark.parametrize(
    ("limit", "offset"),
    [(1, 0), (0, 0), (1000, 0), (1001, 0), (2400, 50), (5000, 0), (10, 2495), (10, 2500), (10, 99999), (None, 2400)],
)
def test_limit_and_offset_count_positions_as_a_slice_does(repository, long_conversation, limit, offset):
    messages = repository.list_messages(*long_conversation, limit=limit, offset=offset)

    expected = range(2500)[offset : None if limit is None else offset + limit]
    assert [3 * number for number in expected] == [message.message_id for message in messages]


def test_no_offset_is_an_offset_of_0(repository, long_conversation):
    messages = repository.list_messages(*long_conversation, 1, None)

    assert [0] == [message.message_id for message in messages]


@pytest.mark.parametrize("arguments", [{"limit": -1}, {"offset": -1}, {"limit": "10"}, {"limit": 1.5}, {"limit": True}])
def test_a_limit_or_offset_that_is_no_count_is_refused(repository, long_conversation, arguments):
    with pytest.raises(ValidationError):
        repository.list_messages(*long_conversation, **arguments)


def test_an_agent_without_messages_has_an_empty_list(repository, session_id, agent_id):
    assert [] == repository.list_messages(session_id, agent_id)


@pytest.mark.parametrize("limit", [None, 0, 5])
def test_listing_the_messages_of_an_absent_agent_is_an_error(repository, session_id, limit):
    with pytest.raises(AgentNotFoundError):
        repository.list_messages(session_id, "absent", limit)


def test_nothing_can_be_written_to_or_listed_in_an_absent_session(repository):
    with pytest.raises(NotFoundError):
        repository.create_message("absent", "a1", a_message(0))
    with pytest.raises(NotFoundError):
        repository.update_agent("absent", an_agent("a1"))
    with pytest.raises(NotFoundError):
        repository.list_messages("absent", "a1")


def test_each_agent_has_messages_of_its_own(repository, session_id):
    for name in ("a1", "a2"):
        repository.create_agent(session_id, an_agent(name))
        repository.create_message(session_id, name, a_message(0, name))

    lists = [repository.list_messages(session_id, name) for name in ("a1", "a2")]

    assert ["a1", "a2"] == [message.message["content"][0]["text"] for messages in lists for message in messages]


# Multi-agents


def test_multi_agents_come_back_as_they_were(repository, session_id):
    first = {"b": 1, "a": 1.0, "task": [{"image": {"source": {"bytes": b"\x00"}}}], "_internal_state": {}}
    repository.create_multi_agent(session_id, Team("t1", first))
    repository.create_multi_agent(session_id, Team("t2", {"of": "t2"}))

    stored = repository.read_multi_agent(session_id, "t1")

    assert repr(first) == repr(stored)
    assert {"t1": first, "t2": {"of": "t2"}} == repository.list_multi_agents(session_id)


def test_a_multi_agent_is_updated(repository, session_id):
    repository.create_multi_agent(session_id, Team("t1", {"status": "executing"}))

    repository.update_multi_agent(session_id, Team("t1", {"status": "completed"}))

    assert {"status": "completed"} == repository.read_multi_agent(session_id, "t1")


def test_an_empty_state_of_a_multi_agent_is_not_an_absent_one(repository, session_id):
    repository.create_multi_agent(session_id, Team("t1", {}))

    assert {} == repository.read_multi_agent(session_id, "t1")


def test_an_absent_multi_agent_reads_as_none_and_is_no_update(repository, session_id):
    with pytest.raises(MultiAgentNotFoundError):
        repository.update_multi_agent(session_id, Team("absent", {}))

    assert repository.read_multi_agent(session_id, "absent") is None
    assert repository.read_multi_agent("absent", "absent") is None


def test_a_multi_agent_is_created_once_and_deleted_once(repository, session_id):
    repository.create_multi_agent(session_id, Team("t1", {}))

    with pytest.raises(ConflictError):
        repository.create_multi_agent(session_id, Team("t1", {"other": 1}))

    assert repository.delete_multi_agent(session_id, "t1") is True
    assert repository.delete_multi_agent(session_id, "t1") is False


# The service and its users


def test_the_service_and_its_database_are_healthy(repository):
    assert repository.health_check() is True
    assert repository.database_health_check() is True


@pytest.mark.parametrize("suffix", ["/", "/api/v1", "/api/v1/"])
def test_a_url_with_slash_or_prefix_works(live_url, session_id, suffix):
    assert session_id == PostgreSQLSessionRepository(live_url + suffix).read_session(session_id).session_id


def test_a_wrong_path_in_the_url_never_reads_as_an_absent_session(live_url, session_id):
    with pytest.raises(UnexpectedAnswerError, match="base URL looks wrong"):
        PostgreSQLSessionRepository(f"{live_url}/wrong").read_session(session_id)


def test_a_refusal_by_the_service_names_the_field_and_its_request(repository, session_id):
    with pytest.raises(ValidationError, match="state") as refused:
        repository.create_agent(session_id, SessionAgent("a1", state=[], conversation_manager_state={}))

    assert 400 == refused.value.status
    assert refused.value.request_id in str(refused.value)


def test_a_forked_child_and_its_parent_both_write(repository, session_id, agent_id):
    repository.create_message(session_id, agent_id, a_message(0, "before"))

    child = os.fork()
    if child == 0:
        status = 1
        try:
            repository.create_message(session_id, agent_id, a_message(1, "child"))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    repository.create_message(session_id, agent_id, a_message(2, "parent"))

    assert 0 == status
    assert [0, 1, 2] == [message.message_id for message in repository.list_messages(session_id, agent_id)]


def test_threads_writing_to_one_conversation_lose_nothing(repository, session_id, agent_id):
    def write(remainder):
        for number in range(remainder, 200, 8):
            repository.create_message(session_id, agent_id, a_message(number, f"message {number}"))

    threads = [threading.Thread(target=write, args=(remainder,)) for remainder in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = repository.list_messages(session_id, agent_id)
    assert [(number, f"message {number}") for number in range(200)] == [
        (message.message_id, message.message["content"][0]["text"]) for message in stored
    ]


def test_code_for_the_earlier_client_runs_as_it_is(live_url):
    repository = SyncPostgreSQLSessionRepository(base_url=live_url, timeout=30.0)
    session_id = f"earlier-{uuid.uuid4().hex}"
    session = repository.create_session(Session(session_id, SessionType.AGENT, created_at="", updated_at=""))
    agent = repository.create_agent(session_id, agent=an_agent("a1"))
    message = repository.create_message(session_id, "a1", message=a_message(0))

    session = repository.update_session(session_id, {"session_type": "AGENT"})
    agent = repository.update_agent(session_id, agent=agent)
    message = repository.update_message(session_id, "a1", 0, {"message": message.message, "redact_message": None})
    listed = repository.list_messages(session_id, "a1", limit=None, offset=None)

    assert (session_id, "a1", 0) == (session.session_id, agent.agent_id, message.message_id)
    assert [message] == listed
    assert (True, True, True) == (
        repository.delete_message(session_id, "a1", 0),
        repository.delete_agent(session_id, "a1"),
        repository.delete_session(session_id),
    )
