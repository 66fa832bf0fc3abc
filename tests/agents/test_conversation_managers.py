"""What a conversation manager took out of the conversation stays out of it, and stays in the service."""

import pytest
from strands import tool
from strands.agent.conversation_manager import SlidingWindowConversationManager, SummarizingConversationManager
from strands.types.exceptions import ContextWindowOverflowException

from examples.scripted_model import Answer, tool_use
from tests.agents.building import build_agent, new_session_id, stored_messages, texts
from tests.agents.processes import die, until_killed

OVERFLOW = ContextWindowOverflowException("too long")


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


def build_sliding(url, session_id, script=(), **options):
    window = SlidingWindowConversationManager(window_size=4, **options)
    return build_agent(url, session_id, script, conversation_manager=window, tools=[weather])


def slide_and_die(url, session_id):
    agent = build_sliding(url, session_id, ["A1", "A2", "A3", "A4", die])
    for question in ["Q1", "Q2", "Q3", "Q4", "Q5"]:
        agent(question)


def build_summarizing(url, session_id, script=()):
    manager = SummarizingConversationManager(summary_ratio=0.5, preserve_recent_messages=2)
    return build_agent(url, session_id, script, conversation_manager=manager)


def summarize_and_die(url, session_id):
    agent = build_summarizing(url, session_id, ["A1", "A2", OVERFLOW, "Summary 1.", "A3", die])
    for question in ["Q1", "Q2", "Q3", "Q4"]:
        agent(question)


@pytest.fixture(scope="module")
def slid(live_url):
    """A session whose agent was killed after its window had moved twice."""
    session_id = new_session_id()
    until_killed(slide_and_die, live_url, session_id)
    return session_id


@pytest.fixture(scope="module")
def summed_up(live_url):
    """A session whose agent was killed after it had summed up the first turn."""
    session_id = new_session_id()
    until_killed(summarize_and_die, live_url, session_id)
    return session_id


def texts_stored(url, session_id):
    return texts([message for _, message in stored_messages(url, session_id)])


def test_a_sliding_window_is_restored_where_it_stood(live_url, slid):
    restored = build_sliding(live_url, slid)

    assert ["Q3", "A3", "Q4", "A4", "Q5"] == texts(restored.messages)
    assert 4 == restored.conversation_manager.removed_message_count


def test_a_restored_window_slides_on(live_url, session_id):
    until_killed(slide_and_die, live_url, session_id)
    build_sliding(live_url, session_id, ["A6"])("Q6")
    restored = build_sliding(live_url, session_id)

    assert ["Q5", "Q6", "A6"] == texts(restored.messages)
    assert 8 == restored.conversation_manager.removed_message_count


def test_what_slid_out_of_the_window_is_still_stored(live_url, slid):
    assert ["Q1", "A1", "Q2", "A2", "Q3", "A3", "Q4", "A4", "Q5"] == texts_stored(live_url, slid)


def test_a_window_that_cut_a_conversation_between_tool_uses_is_restored_at_that_cut(live_url, session_id):
    script = ["A1", Answer([tool_use("weather", city="Bern")]), Answer([tool_use("weather", city="Oslo")]), "A2", "A3"]
    agent = build_sliding(live_url, session_id, script)
    for question in ["Q1", "Q2", "Q3"]:
        agent(question)
    restored = build_sliding(live_url, session_id)

    assert repr(agent.messages) == repr(restored.messages)
    assert agent.conversation_manager.get_state() == restored.conversation_manager.get_state()


def test_the_count_of_model_calls_of_a_window_per_turn_is_restored(live_url, session_id):
    agent = build_sliding(live_url, session_id, ["A1", "A2", "A3"], per_turn=2)
    for question in ["Q1", "Q2", "Q3"]:
        agent(question)
    restored = build_sliding(live_url, session_id, per_turn=2)

    assert 3 == restored.conversation_manager.get_state()["model_call_count"]


def test_a_window_that_keeps_nothing_goes_on_in_another_process(live_url, session_id):
    for turn in ["1", "2", "3"]:
        nothing = SlidingWindowConversationManager(window_size=0)
        build_agent(live_url, session_id, [f"A{turn}"], conversation_manager=nothing)(f"Q{turn}")

    assert ["Q1", "A1", "Q2", "A2", "Q3", "A3"] == texts_stored(live_url, session_id)


def test_a_summary_is_restored_in_place_of_what_it_sums_up(live_url, summed_up):
    restored = build_summarizing(live_url, summed_up)

    assert ["Summary 1.", "Q2", "A2", "Q3", "A3", "Q4"] == texts(restored.messages)
    assert 2 == restored.conversation_manager.removed_message_count


def test_a_summary_of_a_summary_is_restored(live_url, session_id):
    until_killed(summarize_and_die, live_url, session_id)
    agent = build_summarizing(live_url, session_id, [OVERFLOW, "Summary 2.", "A5"])
    agent("Q5")
    restored = build_summarizing(live_url, session_id)

    assert ["Summary 1.", "Q2", "A2"] == texts(agent.model.seen[1])[:3]
    assert ["Summary 2.", "Q3", "A3", "Q4", "Q5", "A5"] == texts(restored.messages)
    assert 4 == restored.conversation_manager.removed_message_count
    assert repr(agent.messages) == repr(restored.messages)


def test_what_was_summed_up_is_still_stored(live_url, summed_up):
    assert ["Q1", "A1", "Q2", "A2", "Q3", "A3", "Q4"] == texts_stored(live_url, summed_up)
