"""Agents of the SDK, kept by the session manager across restarts."""

import inspect
import json
import uuid

import pytest
from strands import Agent, ToolContext, tool
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.models import Model
from strands.multiagent import GraphBuilder
from strands.session.file_session_manager import FileSessionManager
from strands.session.repository_session_manager import RepositorySessionManager
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionType

from strands_session_client import (
    DatabaseConnectionError,
    PostgreSQLSessionManager,
    PostgreSQLSessionRepository,
    ValidationError,
)


class ScriptedModel(Model):
    """Says one line of its script per turn; a line may be text, a tool to use or an event of a guardrail."""

    def __init__(self, *script):
        self.script = list(script)
        self.seen = []

    def update_config(self, **model_config):
        """There is none."""

    def get_config(self):
        return {}

    async def structured_output(self, output_model, prompt, system_prompt=None, **kwargs):
        raise NotImplementedError
        yield

    async def stream(self, messages, *args, **kwargs):
        self.seen.append([dict(message) for message in messages])
        line = self.script.pop(0) if self.script else "..."
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(line, dict):
            yield line
            line = "I can't say."
        if callable(line):
            yield {"contentBlockStart": {"start": {"toolUse": {"name": line.tool_name, "toolUseId": "t1"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": line}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}


@tool(context=True)
def ask(tool_context: ToolContext) -> str:
    """Ask a human."""
    return f"The human says {tool_context.interrupt('approval', reason='may I?')}."


@pytest.fixture
def session_id():
    return f"managed-{uuid.uuid4().hex}"


@pytest.fixture
def repository(live_url):
    return PostgreSQLSessionRepository(live_url)


@pytest.fixture
def manager(live_url, session_id):
    """Makes managers of the same session, as restarted processes would."""
    return lambda: PostgreSQLSessionManager(session_id, live_url)


def an_agent(session_manager, *script, **more):
    more.setdefault("agent_id", "a1")
    return Agent(model=ScriptedModel(*script), session_manager=session_manager, callback_handler=None, **more)


def texts(messages):
    return [block["text"] for message in messages for block in message["content"] if "text" in block]


def test_it_is_a_repository_session_manager_of_the_sdk(manager):
    assert isinstance(manager(), RepositorySessionManager)


def test_a_new_session_is_created_and_a_known_one_is_taken_up(manager, repository, session_id):
    manager()
    created = repository.read_session(session_id)
    manager()

    assert SessionType.AGENT == created.session_type
    assert created == repository.read_session(session_id)


def test_a_session_of_a_type_that_the_sdk_does_not_know_is_taken_up(manager, repository, session_id):
    repository.create_session(Session(session_id, "SOMETHING_NEW"))

    assert "SOMETHING_NEW" == manager().session.session_type


def test_url_and_key_come_from_the_environment(live_url, session_id, monkeypatch):
    monkeypatch.setenv("SESSION_BACKEND_URL", live_url)
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", "key-0123456789")

    with PostgreSQLSessionManager(session_id) as manager:
        assert live_url == manager.session_repository.base_url


def test_a_session_that_another_process_creates_first_is_taken_up(serve, steps):
    clock = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}
    server = serve(
        steps.refuse(404, "NotFoundError", {"resource": "session"}),
        steps.refuse(409, "ConflictError", {"identical": False}),
        steps.answer(200, {"session_id": "s1", "session_type": "AGENT", "multi_agent_state": None, **clock}),
    )

    manager = PostgreSQLSessionManager("s1", server.url)

    assert clock["created_at"] == manager.session.created_at


def test_an_agent_that_another_process_creates_first_is_restored(manager):
    ours = manager()
    an_agent(manager(), "Hello.")("Hi.")
    agent = an_agent(ours, "Hello again.")
    agent("Hi again.")

    assert ["Hi.", "Hello.", "Hi again.", "Hello again."] == texts(agent.messages)
    assert agent.messages == an_agent(manager()).messages


def test_a_graph_that_another_process_creates_first_is_taken_up(manager):
    def graph(session_manager):
        builder = GraphBuilder().set_graph_id("g1").set_session_manager(session_manager).set_max_node_executions(1)
        builder.add_node(Agent(model=ScriptedModel("Done."), callback_handler=None), "n1")
        return builder.build()

    ours = manager()
    theirs = graph(manager())

    assert theirs.serialize_state() == graph(ours).serialize_state()


def test_a_service_that_is_not_there_is_an_error_of_the_sdks_kind(closed_url):
    with pytest.raises(SessionException) as failed:
        PostgreSQLSessionManager("s1", closed_url, timeout=0.2)

    assert DatabaseConnectionError is type(failed.value)


def test_a_bad_session_id_is_a_value_error_as_with_the_sdk(live_url):
    with pytest.raises(ValidationError) as refused:
        PostgreSQLSessionManager("a/b", live_url)

    assert isinstance(refused.value, ValueError)


def test_a_misspelt_keyword_is_not_swallowed(live_url):
    with pytest.raises(TypeError):
        PostgreSQLSessionManager("s1", live_url, repository=None)


def test_it_takes_what_the_repository_takes():
    of_manager = list(inspect.signature(PostgreSQLSessionManager).parameters)
    of_repository = list(inspect.signature(PostgreSQLSessionRepository).parameters)

    assert ["session_id", *of_repository] == of_manager


def test_an_agent_goes_on_where_it_was(manager):
    before = an_agent(manager(), "Hello Ann!", state={"mood": "good"})
    before("I am Ann.")
    before.state.set("mood", "better")
    before("How are you?")

    after = an_agent(manager(), "You are Ann.")
    after("Who am I?")

    assert before.messages == after.messages[:4]
    assert "better" == after.state.get("mood")
    assert ["I am Ann.", "Hello Ann!", "How are you?", "...", "Who am I?"] == texts(after.model.seen[-1])


def test_messages_keep_their_tracking_ids_and_bytes(manager):
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}}
    before = an_agent(manager(), "A picture.")
    before([image, {"text": "What is it?"}])

    after = an_agent(manager())

    assert before.messages == after.messages
    assert image == after.messages[0]["content"][0]
    assert all(message["tracking_id"] for message in after.messages)


def test_several_agents_of_a_session_keep_to_themselves(manager):
    first, second = manager(), manager()
    an_agent(first, "I am one.", agent_id="one")("one?")
    an_agent(second, "I am two.", agent_id="two")("two?")

    both = manager()
    one, two = an_agent(both, agent_id="one"), an_agent(both, agent_id="two")

    assert ["one?", "I am one."] == texts(one.messages)
    assert ["two?", "I am two."] == texts(two.messages)


def test_a_redacted_message_stays_redacted(manager, repository, session_id):
    redaction = {"redactContent": {"redactUserContentMessage": "[redacted]"}}
    an_agent(manager(), redaction)("my secret")

    after = an_agent(manager())

    assert "[redacted]" == texts(after.messages)[0]
    assert "[redacted]" == repository.read_message(session_id, "a1", 0).to_message()["content"][0]["text"]


def test_an_interrupt_survives_a_restart(manager):
    before = an_agent(manager(), ask, tools=[ask])
    stopped = before("Do it.")

    after = an_agent(manager(), "Done.", tools=[ask])
    answer = {"interruptResponse": {"interruptId": stopped.interrupts[0].id, "response": "yes"}}
    result = after([answer])

    assert "interrupt" == stopped.stop_reason
    assert "end_turn" == result.stop_reason
    assert "The human says yes." in json.dumps(after.messages)


def test_a_sliding_window_is_restored_from_its_offset(manager, repository, session_id):
    def window():
        return SlidingWindowConversationManager(window_size=4)

    before = an_agent(manager(), *"abcdef", conversation_manager=window())
    for number in range(6):
        before(f"question {number}")

    after = an_agent(manager(), conversation_manager=window())

    assert before.messages == after.messages
    assert len(after.messages) < len(repository.list_messages(session_id, "a1"))


def test_the_first_agent_of_the_same_id_wins(manager):
    shared = manager()
    an_agent(shared)

    with pytest.raises(SessionException, match="unique"):
        an_agent(shared)


def test_a_graph_is_kept_and_taken_up(manager, repository, session_id):
    def graph():
        builder = GraphBuilder()
        builder.add_node(Agent(model=ScriptedModel("done"), agent_id="n1", callback_handler=None), "n1")
        builder.set_graph_id("g1")
        builder.set_max_node_executions(5)
        builder.set_session_manager(manager())
        return builder.build()

    graph()("a task")
    kept = repository.read_multi_agent(session_id, "g1")
    graph()("another task")

    assert ("graph", "completed", ["n1"]) == (kept["type"], kept["status"], kept["completed_nodes"])
    assert "another task" == repository.read_multi_agent(session_id, "g1")["current_task"]


def test_a_conversation_is_kept_as_the_sdks_own_manager_keeps_it(manager, tmp_path, session_id):
    histories = []
    for make in (manager, lambda: FileSessionManager(session_id, str(tmp_path))):
        an_agent(make(), ask, "Never.", tools=[ask], state={"n": 1.0})("Go on.")
        restored = an_agent(make(), tools=[ask])
        histories.append(
            (_without_chance(restored.messages), restored.state.get(), restored._interrupt_state.activated)
        )

    ours, theirs = histories
    assert theirs == ours


def _without_chance(messages):
    return [{name: value for name, value in message.items() if name != "tracking_id"} for message in messages]


def test_each_turn_costs_the_requests_that_it_must(serve, steps):
    clock = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}
    ids = {"session_id": "s1", "session_type": "AGENT", "agent_id": "a1", "message_id": 0}

    def service(handler):
        is_post = handler.command == "POST"
        is_new = steps.refuse(404, "NotFoundError", {"resource": "session"})
        (is_new if handler.command == "GET" else steps.answer(201 if is_post else 200, {**ids, **clock}))(handler)

    server = serve(service)

    an_agent(PostgreSQLSessionManager("s1", server.url), "Hi!")("Hello")

    appended = [request.path for request in server.received if request.path.endswith("/messages")]
    assert ["GET", "POST", "POST"] == [request.method for request in server.received[:3]]
    assert 2 == len(appended)
    assert 1 == len({request.peer for request in server.received})
