"""The SDK's own FileSessionManager as the oracle: what it restores, PostgreSQLSessionManager restores."""

from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strands import Agent, ToolContext, tool
from strands.agent.conversation_manager import (
    NullConversationManager,
    SlidingWindowConversationManager,
    SummarizingConversationManager,
)
from strands.multiagent import Swarm
from strands.session.file_session_manager import FileSessionManager
from strands.session.session_manager import SessionManager
from strands.types.exceptions import ContextWindowOverflowException

from examples.scripted_model import Answer, ScriptedModel, tool_use
from strands_session_client import PostgreSQLSessionManager
from tests.agents.building import new_session_id
from tests.agents.processes import die, until_killed


class Both(SessionManager):
    """Keeps one life in two places, so that the ids and times that the SDK draws are the same in both."""

    def __init__(self, url, session_id, directory):
        self.session_id = session_id
        self.files = FileSessionManager(session_id, directory)
        self.service = PostgreSQLSessionManager(session_id, url)

    def initialize(self, agent, **kwargs):
        self.files.initialize(agent)
        self.service.initialize(agent)

    def append_message(self, message, agent, **kwargs):
        self.files.append_message(message, agent)
        self.service.append_message(message, agent)

    def redact_latest_message(self, redact_message, agent, **kwargs):
        self.files.redact_latest_message(redact_message, agent)
        self.service.redact_latest_message(redact_message, agent)

    def sync_agent(self, agent, **kwargs):
        self.files.sync_agent(agent)
        self.service.sync_agent(agent)

    def initialize_multi_agent(self, source, **kwargs):
        self.files.initialize_multi_agent(source)
        self.service.initialize_multi_agent(source)

    def sync_multi_agent(self, source, **kwargs):
        self.files.sync_multi_agent(source)
        self.service.sync_multi_agent(source)


@tool(context=True)
def keep(key: str, value: Any, tool_context: ToolContext) -> dict:
    """Keep a value in the agent's state."""
    tool_context.agent.state.set(key, value)
    return {"status": "success", "content": [{"json": {key: value}}]}


@tool(context=True)
def ask(question: str, tool_context: ToolContext) -> str:
    """Ask a human."""
    return str(tool_context.interrupt("question", reason=question))


MANAGERS = {
    "everything": NullConversationManager,
    "window": lambda: SlidingWindowConversationManager(window_size=5),
    "summary": lambda: SummarizingConversationManager(summary_ratio=0.5, preserve_recent_messages=2),
}


class Life:
    """An agent that may be built anew between any two turns."""

    def __init__(self, manager, session_manager):
        self.manager, self.session_manager = manager, session_manager
        self.restart()

    def restart(self):
        self.agent = build(self.manager, self.session_manager())

    def turn(self, prompt, *script):
        self.agent.model = ScriptedModel(script)
        return self.agent(prompt)

    def talk(self, said, answer):
        self.turn(said, answer)

    def keep(self, key, value):
        self.turn("Keep this.", Answer([tool_use("keep", key=key, value=value)]), "Kept.")

    def show(self, content, answer):
        self.turn([{"document": {"format": "txt", "name": "x", "source": {"bytes": content}}}], answer)

    def be_blocked(self, said, replacement):
        blocked = Answer([{"text": "No."}], stop_reason="guardrail_intervened", redact_user=replacement)
        self.turn(said, blocked)

    def overflow(self, said, answer):
        with suppress(ContextWindowOverflowException):  # there may be nothing yet that could be left out
            self.turn(said, ContextWindowOverflowException("too long"), answer, answer)

    def fail(self, said, reason):
        with suppress(ConnectionError):
            self.turn(said, ConnectionError(reason))

    def be_asked(self, question, response):
        result = self.turn("Ask.", Answer([tool_use("keep", key="k", value=1), tool_use("ask", question=question)]))
        self.restart()
        if response:
            self.turn(
                [{"interruptResponse": {"interruptId": result.interrupts[0].id, "response": response}}], "Thanks."
            )


TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # files can't keep lone surrogates
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
TURN = st.one_of(
    st.tuples(st.just(Life.talk), TEXT, WORDS),
    st.tuples(st.just(Life.keep), WORDS, VALUE),
    st.tuples(st.just(Life.show), st.binary(), WORDS),
    st.tuples(st.just(Life.be_blocked), TEXT, TEXT),
    st.tuples(st.just(Life.overflow), TEXT, WORDS),
    st.tuples(st.just(Life.fail), TEXT, WORDS),
    st.tuples(st.just(Life.be_asked), TEXT, WORDS),
    st.tuples(st.just(lambda life, *_: life.restart()), st.none(), st.none()),
)


def build(manager, session_manager):
    return Agent(
        model=ScriptedModel([]),
        session_manager=session_manager,
        conversation_manager=MANAGERS[manager](),
        tools=[keep, ask],
        callback_handler=None,
    )


def restored(manager, session_manager):
    """All that the SDK restores, in its types and in the order of its keys."""
    snapshot = build(manager, session_manager).take_snapshot(preset="session", include=["model_state"])
    return repr(snapshot.data)


@pytest.mark.parametrize("manager", MANAGERS)
@settings(max_examples=12, phases=[Phase.reuse, Phase.generate])  # a life of eight turns can be read unshrunk
@given(turns=st.lists(TURN, max_size=8), open_question=st.none() | TEXT)
def test_any_life_of_an_agent_is_restored_as_from_files(live_url, manager, turns, open_question):
    session_id = new_session_id()
    with TemporaryDirectory() as directory:
        life = Life(manager, lambda: Both(live_url, session_id, directory))
        for act, first, second in turns:
            act(life, first, second)
        if open_question is not None:
            life.be_asked(open_question, None)
        expected = restored(manager, FileSessionManager(session_id, directory))

    assert expected == restored(manager, PostgreSQLSessionManager(session_id, live_url))


def live_and_die(url, session_id, directory):
    life = Life("window", lambda: Both(url, session_id, directory))
    life.talk("One.", "Two.")
    life.keep("zeta", {"b": -0.0, "a": [1e22, "日本"]})
    life.turn("Three?", die)


def test_an_agent_that_was_killed_is_restored_as_from_files(live_url, session_id, tmp_path):
    until_killed(live_and_die, live_url, session_id, str(tmp_path))
    expected = restored("window", FileSessionManager(session_id, str(tmp_path)))

    assert expected == restored("window", PostgreSQLSessionManager(session_id, live_url))


def build_swarm(session_manager, second_script=()):
    hand_off = tool_use("handoff_to_agent", agent_name="b", message="Yours.", context={"日本": [1.0, None]})
    scripts = {"a": [Answer([hand_off]), "Handed over."], "b": second_script}
    agents = [Agent(model=ScriptedModel(s), name=name, callback_handler=None) for name, s in scripts.items()]
    return Swarm(agents, id="swarm", session_manager=session_manager)


def swarm_and_die(url, session_id, directory):
    build_swarm(Both(url, session_id, directory), [die])("Begin.")


def restored_swarm(session_manager):
    swarm = build_swarm(session_manager)
    swarm.state.execution_time = 0  # measured for each of the two managers on its own
    return repr(swarm.serialize_state())


def test_a_swarm_that_was_killed_is_restored_as_from_files(live_url, session_id, tmp_path):
    until_killed(swarm_and_die, live_url, session_id, str(tmp_path))
    expected = restored_swarm(FileSessionManager(session_id, str(tmp_path)))

    assert expected == restored_swarm(PostgreSQLSessionManager(session_id, live_url))
