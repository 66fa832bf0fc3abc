"""A question to a human may be asked in one process and answered in another."""

import pytest
from strands import ToolContext, tool
from strands.hooks import BeforeToolCallEvent, HookProvider

from examples.scripted_model import Answer, tool_use
from tests.agents.building import build_agent, texts
from tests.agents.processes import in_new_process

REASON = {"files": ["a.txt", "日本.txt"], "size": 1.0}


@tool(context=True)
def delete(path: str, tool_context: ToolContext) -> str:
    """Delete a file, if a human says so."""
    approval = tool_context.interrupt(f"delete {path}", reason=REASON | {"path": path})
    return f"{path}: {approval}"


@tool(context=True)
def count(tool_context: ToolContext) -> str:
    """Count how often it ran."""
    runs = (tool_context.agent.state.get("runs") or 0) + 1
    tool_context.agent.state.set("runs", runs)
    return f"run {runs}"


@tool
def remove(path: str) -> str:
    """Remove a file."""
    return f"{path} removed"


class Gate(HookProvider):
    """Asks a human before every removal."""

    def register_hooks(self, registry, **kwargs):
        registry.add_callback(BeforeToolCallEvent, self.ask)

    def ask(self, event):
        if event.tool_use["name"] == "remove" and event.interrupt("gate", reason=REASON) != "yes":
            event.cancel_tool = "a human said no"


def build_cleaner(url, session_id, script):
    return build_agent(url, session_id, script, tools=[delete, count, remove], hooks=[Gate()])


def start(url, session_id, *tool_uses):
    """Why the agent stopped, and what it wants to know."""
    result = build_cleaner(url, session_id, [Answer(list(tool_uses))])("Clean up.")
    return result.stop_reason, [interrupt.to_dict() for interrupt in result.interrupts]


def respond(url, session_id, interrupt, response):
    """Why the agent stopped then, what is still open, and the tools' results."""
    agent = build_cleaner(url, session_id, ["Done."])
    result = agent([{"interruptResponse": {"interruptId": interrupt["id"], "response": response}}])
    still_open = [interrupt.name for interrupt in result.interrupts or []]
    results = [
        block["toolResult"] for message in agent.messages for block in message["content"] if "toolResult" in block
    ]
    return result.stop_reason, still_open, texts(results)


def test_an_interrupt_raised_in_a_tool_is_answered_in_another_process(live_url, session_id):
    stopped, [interrupt] = start(live_url, session_id, tool_use("delete", path="a.txt"))
    resumed = in_new_process(respond, live_url, session_id, interrupt, "granted")

    assert ("interrupt", "delete a.txt") == (stopped, interrupt["name"])
    assert ("end_turn", [], ["a.txt: granted"]) == resumed


@pytest.mark.parametrize(("response", "outcome"), [("yes", "a.txt removed"), ("no", "a human said no")])
def test_an_interrupt_raised_in_a_hook_is_answered_in_another_process(live_url, session_id, response, outcome):
    _, [interrupt] = start(live_url, session_id, tool_use("remove", path="a.txt"))
    resumed = in_new_process(respond, live_url, session_id, interrupt, response)

    assert ("end_turn", [], [outcome]) == resumed


def test_an_interrupts_reason_is_restored_with_it(live_url, session_id):
    _, [interrupt] = start(live_url, session_id, tool_use("remove", path="a.txt"))
    restored = build_cleaner(live_url, session_id, []).take_snapshot(preset="session").data["interrupt_state"]

    assert repr(interrupt) == repr(restored["interrupts"][interrupt["id"]])


def test_of_two_interrupts_each_may_be_answered_in_a_process_of_its_own(live_url, session_id):
    uses = [tool_use("delete", path="a.txt"), tool_use("delete", path="b.txt")]
    first, second = sorted(start(live_url, session_id, *uses)[1], key=lambda interrupt: interrupt["name"])
    halfway = in_new_process(respond, live_url, session_id, first, "granted")
    finished = in_new_process(respond, live_url, session_id, second, "refused")

    assert ("interrupt", ["delete b.txt"], []) == halfway
    assert ("end_turn", [], ["a.txt: granted", "b.txt: refused"]) == finished


def test_a_tool_that_finished_before_the_interrupt_does_not_run_again_afterwards(live_url, session_id):
    uses = [tool_use("count"), tool_use("delete", path="a.txt")]
    _, [interrupt] = start(live_url, session_id, *uses)
    _, _, results = in_new_process(respond, live_url, session_id, interrupt, "granted")

    assert ["run 1", "a.txt: granted"] == results
    assert 1 == build_cleaner(live_url, session_id, []).state.get("runs")


def speak(url, session_id, text):
    build_cleaner(url, session_id, ["Never said."])(text)


def test_an_interrupted_agent_still_insists_on_the_answer_in_another_process(live_url, session_id):
    start(live_url, session_id, tool_use("delete", path="a.txt"))

    with pytest.raises(TypeError, match="must resume from interrupt"):
        in_new_process(speak, live_url, session_id, "Never mind.")


def test_an_answered_interrupt_is_over_for_every_later_process(live_url, session_id):
    _, [interrupt] = start(live_url, session_id, tool_use("delete", path="a.txt"))
    respond(live_url, session_id, interrupt, "granted")
    agent = build_cleaner(live_url, session_id, ["Hello again."])

    assert ["Hello again."] == texts([agent("Hello.").message])
