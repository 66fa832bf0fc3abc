"""Tool uses and their results stay together, whatever happens to the process between them."""

import pytest
from strands import tool

from examples.scripted_model import Answer, tool_use
from tests.agents.building import build_agent, new_session_id, stored_messages
from tests.agents.processes import die, until_killed


@tool
def weather(city: str) -> dict:
    """The weather in a city."""
    return {"status": "success", "content": [{"json": {"city": city, "celsius": -0.0}}, {"text": "Föhn"}]}


@tool
def crash(city: str) -> str:
    """Never returns."""
    die()


TOOLS = [weather, crash]


def use_tools_and_die(url, session_id):
    uses = [tool_use("weather", city="Bern"), tool_use("weather", city="東京")]
    agent = build_agent(url, session_id, [Answer([{"text": "Let me see."}, *uses]), "Cold.", die], tools=TOOLS)
    agent("What is the weather in Bern and Tokyo?")
    agent("And tomorrow?")


def die_in_tool(url, session_id):
    uses = [tool_use("weather", city="Bern"), tool_use("crash", city="Oslo")]
    build_agent(url, session_id, [Answer(uses)], tools=TOOLS)("What is the weather in Bern and Oslo?")


def ask_again(url, session_id):
    agent = build_agent(url, session_id, ["I could not find out."], tools=TOOLS)
    agent("Well?")
    return agent.model.seen[0]


@pytest.fixture(scope="module")
def answered(live_url):
    """A session whose agent was killed after its tools had answered."""
    session_id = new_session_id()
    until_killed(use_tools_and_die, live_url, session_id)
    return session_id


def uses_and_results(messages):
    """For each tool use in the messages: its city, and the status of its result in the message that follows."""
    pairs = []
    for message, following in zip(messages, [*messages[1:], None], strict=True):
        results = {
            block["toolResult"]["toolUseId"]: block["toolResult"]["status"]
            for block in (following["content"] if following else [])
            if "toolResult" in block
        }
        pairs += [
            (block["toolUse"]["input"]["city"], results.get(block["toolUse"]["toolUseId"]))
            for block in message["content"]
            if "toolUse" in block
        ]
    return pairs


def test_tool_uses_and_results_reach_the_model_of_another_process_as_pairs(live_url, answered):
    seen = ask_again(live_url, answered)

    assert [("Bern", "success"), ("東京", "success")] == uses_and_results(seen)
    assert ["user", "assistant", "user", "assistant", "user", "user"] == [message["role"] for message in seen]


def test_a_tools_result_comes_back_as_it_was(live_url, answered):
    restored = build_agent(live_url, answered).messages[2]["content"]

    assert repr([{"json": {"city": "Bern", "celsius": -0.0}}, {"text": "Föhn"}]) in [
        repr(block["toolResult"]["content"]) for block in restored
    ]


def test_a_tool_use_whose_process_was_killed_gets_an_error_as_result_and_the_agent_goes_on(live_url, session_id):
    until_killed(die_in_tool, live_url, session_id)
    seen = ask_again(live_url, session_id)
    stored = stored_messages(live_url, session_id)

    assert [("Bern", "error"), ("Oslo", "error")] == uses_and_results(seen)
    assert {"text": "Well?"} == seen[-1]["content"][0]
    assert [0, 1, 2, 3, 4] == [message_id for message_id, _ in stored]
    assert [message for _, message in stored] == build_agent(live_url, session_id).messages
