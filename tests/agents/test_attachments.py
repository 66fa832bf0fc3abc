"""Images and documents come back byte for byte."""

import random

import pytest
from strands import tool

from examples.scripted_model import Answer, tool_use
from tests.agents.building import build_agent, new_session_id
from tests.agents.processes import die, until_killed

EVERY_BYTE = bytes(range(256))
NOISE = random.Random(4711).randbytes(256 * 1024)

ATTACHMENTS = {
    "image": {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n" + NOISE}}},
    "document": {
        "document": {"format": "pdf", "name": "Ünïcode 日本", "source": {"bytes": b"%PDF-1.7\n" + EVERY_BYTE}}
    },
    "video": {"video": {"format": "mp4", "source": {"bytes": EVERY_BYTE[::-1]}}},
    "empty document": {"document": {"format": "txt", "name": "empty", "source": {"bytes": b""}}},
    "hidden reasoning": {"reasoningContent": {"redactedContent": EVERY_BYTE}},
}


@tool
def photograph() -> dict:
    """A picture."""
    return {"status": "success", "content": [{"text": "a cat"}, ATTACHMENTS["image"], ATTACHMENTS["document"]]}


def show_and_die(url, session_id):
    agent = build_agent(url, session_id, [Answer([tool_use("photograph")]), die], tools=[photograph])
    agent([{"text": "What is this?"}, *ATTACHMENTS.values()])


def ask_again(url, session_id):
    agent = build_agent(url, session_id, ["A cat."], tools=[photograph])
    agent("Well?")
    return agent.model.seen[0]


@pytest.fixture(scope="module")
def seen(live_url):
    """What the model is given in a second process, after the first was killed."""
    session_id = new_session_id()
    until_killed(show_and_die, live_url, session_id)
    return ask_again(live_url, session_id)


@pytest.mark.parametrize("position", range(len(ATTACHMENTS)), ids=list(ATTACHMENTS))
def test_an_attachment_reaches_the_model_of_another_process_byte_for_byte(seen, position):
    assert list(ATTACHMENTS.values())[position] == seen[0]["content"][1 + position]


def test_an_attachment_in_a_tools_result_comes_back_byte_for_byte(seen):
    content = seen[2]["content"][0]["toolResult"]["content"]

    assert [{"text": "a cat"}, ATTACHMENTS["image"], ATTACHMENTS["document"]] == content
