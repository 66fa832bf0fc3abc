"""What a guardrail took out of a conversation is in no later process and in no store."""

import json

import pytest
import requests
from strands import tool
from strands.types.session import SessionMessage

from examples.scripted_model import Answer, tool_use
from strands_session_client import PostgreSQLSessionRepository
from tests.agents.building import build_agent, new_session_id, texts
from tests.agents.processes import die, until_killed

SECRET = "4929 4217 6352 1143"
BLOCKED = Answer([{"text": "I can't help."}], stop_reason="guardrail_intervened", redact_user="[user input redacted]")


@tool
def look_up() -> str:
    """What a customer paid with."""
    return f"card {SECRET}"


def hear_and_die(url, session_id):
    agent = build_agent(url, session_id, ["Hello.", BLOCKED, die])
    agent("Hi.")
    agent(f"My card is {SECRET}.")
    agent("Did you note it?")


def look_up_and_die(url, session_id):
    agent = build_agent(url, session_id, [Answer([tool_use("look_up")]), BLOCKED, die], tools=[look_up])
    agent("Which card was it?")
    agent("Well?")


def leak_and_die(url, session_id):
    leak = Answer([{"text": f"It is {SECRET}."}], redact_assistant="[answer redacted]")
    agent = build_agent(url, session_id, [leak, die])
    agent("Which card was it?")
    agent("Well?")


def ask_again(url, session_id):
    agent = build_agent(url, session_id, ["No."], tools=[look_up])
    agent("Anything else?")
    return agent.model.seen[0]


def stored(url, session_id):
    return requests.get(f"{url}/api/v1/sessions/{session_id}/agents/default/messages", timeout=10).json()["messages"]


@pytest.fixture(scope="module")
def redacted(live_url):
    """A session whose agent was killed after a guardrail had taken out what it was told."""
    session_id = new_session_id()
    until_killed(hear_and_die, live_url, session_id)
    return session_id


def test_redacted_input_reaches_the_model_of_another_process_as_its_replacement(live_url, redacted):
    seen = texts(ask_again(live_url, redacted))

    assert ["Hi.", "Hello.", "[user input redacted]", "I can't help.", "Did you note it?", "Anything else?"] == seen


def test_the_redaction_is_stored_with_the_message_that_it_replaces_and_no_other(live_url, redacted):
    redactions = {m["message_id"]: m["redact_message"] for m in stored(live_url, redacted) if m["redact_message"]}

    assert {2: [{"text": "[user input redacted]"}]} == {n: redaction["content"] for n, redaction in redactions.items()}


def test_the_original_of_redacted_input_is_not_stored(live_url, redacted):
    everything = json.dumps(stored(live_url, redacted))

    assert "I can't help." in everything
    assert SECRET not in everything


def test_an_original_that_is_stored_beside_its_replacement_does_not_reach_the_model(live_url, session_id):
    build_agent(live_url, session_id)
    original = {"role": "user", "content": [{"text": f"My card is {SECRET}."}]}
    replacement = {"role": "user", "content": [{"text": "[user input redacted]"}]}
    with PostgreSQLSessionRepository(live_url) as repository:
        repository.create_message(session_id, "default", SessionMessage(original, 0, replacement))
    seen = ask_again(live_url, session_id)

    assert ["[user input redacted]", "Anything else?"] == texts(seen)


def test_a_redacted_tool_result_keeps_its_tool_use_and_loses_its_content(live_url, session_id):
    until_killed(look_up_and_die, live_url, session_id)
    seen = ask_again(live_url, session_id)

    assert [{"text": "[user input redacted]"}] == seen[2]["content"][0]["toolResult"]["content"]
    assert seen[1]["content"][0]["toolUse"]["toolUseId"] == seen[2]["content"][0]["toolResult"]["toolUseId"]
    assert SECRET not in repr(seen) + json.dumps(stored(live_url, session_id))


def test_a_redacted_answer_is_stored_as_its_replacement(live_url, session_id):
    until_killed(leak_and_die, live_url, session_id)
    seen = ask_again(live_url, session_id)

    assert ["Which card was it?", "[answer redacted]", "Well?", "Anything else?"] == texts(seen)
    assert SECRET not in repr(seen) + json.dumps(stored(live_url, session_id))
