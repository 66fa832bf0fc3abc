"""A conversation outlives the process that it was held in."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from strands import ToolContext, tool
from strands.types.session import SessionMessage

from examples.scripted_model import Answer, ScriptedModel, recall, tool_use
from strands_session_client import PostgreSQLSessionManager, PostgreSQLSessionRepository
from tests.agents.building import build_agent, new_session_id, stored_messages, texts
from tests.agents.processes import die, in_new_process, until_killed

STATE = {
    "zeta": 1.0,
    "alpha": {"visits": 3, "exact": 10**29, "tiny": 1e-300, "minus zero": -0.0},
    "日本": ["x", None, True, {"b": 1, "a": 2}],
}


def tell_and_die(url, session_id):
    agent = build_agent(url, session_id, ["I will remember that.", die])
    agent("My favourite colour is teal.")
    agent("My favourite number is 7.")


@pytest.fixture(scope="module")
def killed(live_url):
    """A session whose agent was killed in mid-conversation."""
    session_id = new_session_id()
    until_killed(tell_and_die, live_url, session_id)
    return session_id


@pytest.mark.parametrize(("thing", "value"), [("colour", "teal"), ("number", "7")], ids=["answered", "unanswered"])
def test_an_agent_killed_in_mid_conversation_remembers_what_was_said_in_another_process(live_url, killed, thing, value):
    agent = build_agent(live_url, killed, [recall])
    answer = agent(f"What is my favourite {thing}?")

    assert [f"Your favourite {thing} is {value}."] == texts([answer.message])


def test_the_model_is_given_the_whole_conversation_by_another_process(live_url, killed):
    agent = build_agent(live_url, killed, ["Hello again."])
    agent("Hello.")
    seen = texts(agent.model.seen[0])

    assert ["My favourite colour is teal.", "I will remember that.", "My favourite number is 7."] == seen[:3]
    assert "Hello." == seen[-1]


def test_messages_are_numbered_on_across_processes(live_url, killed):
    build_agent(live_url, killed, ["Hello again."])("Hello.")
    message_ids = [message_id for message_id, _ in stored_messages(live_url, killed)]

    assert list(range(len(message_ids))) == message_ids
    assert len(message_ids) >= 5


def test_a_message_comes_back_with_its_tracking_id_and_metadata(live_url, session_id):
    agent = build_agent(live_url, session_id, ["Hello."])
    agent("Hi.")
    restored = build_agent(live_url, session_id)

    assert repr(agent.messages) == repr(restored.messages)
    assert {"role", "content", "tracking_id", "metadata"} == set(restored.messages[1])


@tool(context=True)
def take_note(tool_context: ToolContext) -> str:
    """Change the agent's state in the middle of a turn."""
    for key, value in STATE.items():
        tool_context.agent.state.set(key, value)
    return "noted"


def change_state_and_die(url, session_id):
    script = [Answer([tool_use("take_note")]), die]
    build_agent(url, session_id, script, tools=[take_note], state={"plan": "gold"})("Take a note.")


def test_state_that_a_tool_changed_survives_a_kill_in_value_type_and_order(live_url, session_id):
    until_killed(change_state_and_die, live_url, session_id)
    restored = build_agent(live_url, session_id, state={"plan": "not this one"})

    assert repr({"plan": "gold"} | STATE) == repr(restored.state.get())


class CountingModel(ScriptedModel):
    """Keeps in its model state how often it was called, as providers keep a response id."""

    async def stream(self, *args: Any, model_state: dict[str, Any], **kwargs: Any) -> Any:
        model_state["calls"] = model_state.get("calls", 0) + 1
        async for event in super().stream(*args, **kwargs):
            yield event


class StatefulModel(CountingModel):
    """Keeps the conversation on its own side."""

    stateful = True


def count_and_die(url, session_id, model_class):
    agent = build_agent(url, session_id, model=model_class(["One.", "Two.", die]))
    for text in "abc":
        agent(text)


def test_model_state_survives_a_kill(live_url, session_id):
    until_killed(count_and_die, live_url, session_id, CountingModel)
    restored = build_agent(live_url, session_id, model=CountingModel([]))

    assert {"calls": 2} == restored._model_state


def test_a_model_with_a_memory_of_its_own_gets_its_state_back_and_no_messages(live_url, session_id):
    until_killed(count_and_die, live_url, session_id, StatefulModel)
    restored = build_agent(live_url, session_id, model=StatefulModel([]))

    assert ({"calls": 2}, []) == (restored._model_state, restored.messages)
    assert ["a", "One.", "b", "Two.", "c"] == texts([m for _, m in stored_messages(live_url, session_id)])


def test_a_model_with_a_memory_of_its_own_goes_on_after_a_restart(live_url, session_id):
    build_agent(live_url, session_id, model=StatefulModel(["One."]))("a")
    build_agent(live_url, session_id, model=StatefulModel(["Two."]))("b")

    assert ["a", "One.", "b", "Two."] == texts([m for _, m in stored_messages(live_url, session_id)])


def restored_texts(url, session_id):
    return texts(build_agent(url, session_id).messages)


def test_2500_messages_are_restored_whole_and_in_order(live_url, session_id):
    build_agent(live_url, session_id)
    messages = [
        SessionMessage({"role": ("user", "assistant")[i % 2], "content": [{"text": f"message {i}"}]}, i)
        for i in range(2500)
    ]
    with PostgreSQLSessionRepository(live_url) as repository, ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(repository.create_message, session_id, "default"), messages))
    restored = in_new_process(restored_texts, live_url, session_id)

    assert [f"message {i}" for i in range(2500)] == restored


COLOURS = {"ann": "teal", "bob": "pink", "日本 · c.d@e": "gold"}


def tell_several_and_die(url, session_id):
    session_manager = PostgreSQLSessionManager(session_id, url)
    for agent_id, colour in COLOURS.items():
        agent = build_agent(url, session_id, [recall], agent_id=agent_id, session_manager=session_manager)
        agent.state.set("colour", colour)
        agent(f"My favourite colour is {colour}.")
    die()


def ask_several(url, session_id):
    session_manager = PostgreSQLSessionManager(session_id, url)
    answers = {}
    for agent_id in reversed(COLOURS):
        agent = build_agent(url, session_id, [recall], agent_id=agent_id, session_manager=session_manager)
        answer = agent("What is my favourite colour?").message
        answers[agent_id] = [*texts([answer]), agent.state.get("colour")]
    return answers


def test_each_of_several_agents_in_a_session_remembers_what_it_was_told(live_url, session_id):
    until_killed(tell_several_and_die, live_url, session_id)
    answers = ask_several(live_url, session_id)

    assert {name: [f"Your favourite colour is {colour}.", colour] for name, colour in COLOURS.items()} == answers


def test_an_agent_knows_nothing_of_another_session(live_url, session_id):
    build_agent(live_url, session_id, [recall])("My favourite colour is teal.")
    stranger = build_agent(live_url, f"{session_id}-2", [recall])

    assert ["You have not told me your favourite colour."] == texts([stranger("What is my favourite colour?").message])
