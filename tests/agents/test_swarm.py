"""A swarm that was killed or interrupted halfway is finished by another process."""

from strands import Agent, ToolContext, tool
from strands.multiagent import GraphBuilder, Swarm
from strands.multiagent.base import Status

from examples.scripted_model import Answer, ScriptedModel, tool_use
from strands_session_client import PostgreSQLSessionManager
from tests.agents.building import build_agent, texts
from tests.agents.processes import die, in_new_process, until_killed


@tool(context=True)
def publish(tool_context: ToolContext) -> str:
    """Publish, if a human says so."""
    return f"published: {tool_context.interrupt('publish', reason={'pages': 2})}"


def hand_off(agent_name, **context):
    use = tool_use("handoff_to_agent", agent_name=agent_name, message=f"Over to you, {agent_name}.", context=context)
    return [Answer([use]), "Handed over."]


def build_swarm(url, session_id, scripts, swarm_id="desk"):
    agents = [
        Agent(model=ScriptedModel(script), name=name, callback_handler=None, tools=[publish])
        for name, script in scripts.items()
    ]
    return Swarm(agents, id=swarm_id, session_manager=PostgreSQLSessionManager(session_id, url))


def seen_by(swarm, name):
    return swarm.nodes[name].executor.model.seen


def run_and_die(url, session_id):
    scripts = {"writer": hand_off("editor", pages=2, title="日本"), "editor": [die]}
    build_swarm(url, session_id, scripts)("Write about the lake.")


def run_until_interrupted(url, session_id):
    scripts = {"writer": hand_off("editor", pages=2), "editor": [Answer([tool_use("publish")])]}
    result = build_swarm(url, session_id, scripts)("Write about the lake.")
    return result.status, [interrupt.to_dict() for interrupt in result.interrupts]


def respond(url, session_id, interrupt, response):
    """What became of the swarm, which agents worked, and the published tool result."""
    swarm = build_swarm(url, session_id, {"writer": [], "editor": ["It is out."]})
    result = swarm([{"interruptResponse": {"interruptId": interrupt["id"], "response": response}}])
    [tool_result] = seen_by(swarm, "editor")[0][-1]["content"]
    return result.status, [node.node_id for node in result.node_history], texts([tool_result["toolResult"]])


def test_a_killed_swarm_is_finished_by_another_process_from_the_agent_whose_turn_it_was(live_url, session_id):
    until_killed(run_and_die, live_url, session_id)
    swarm = build_swarm(live_url, session_id, {"writer": [], "editor": ["Done."]})
    result = swarm("Go on.")
    [given] = texts(seen_by(swarm, "editor")[0])

    assert Status.COMPLETED == result.status
    assert ["writer", "editor"] == [node.node_id for node in result.node_history]
    assert "Handoff Message: Over to you, editor." in given
    assert "User Request: Write about the lake." in given
    assert "• writer: {'pages': 2, 'title': '日本'}" in given


def test_an_interrupt_raised_in_a_swarm_is_answered_in_another_process(live_url, session_id):
    status, [interrupt] = run_until_interrupted(live_url, session_id)
    finished = in_new_process(respond, live_url, session_id, interrupt, "yes")

    assert (Status.INTERRUPTED, "publish", {"pages": 2}) == (status, interrupt["name"], interrupt["reason"])
    assert (Status.COMPLETED, ["writer", "editor"], ["published: yes"]) == finished


def run_several_and_die(url, session_id):
    build_agent(url, session_id, ["I will remember that."], agent_id="ann")("My name is Ann.")
    graph = GraphBuilder().set_graph_id("graph").set_session_manager(PostgreSQLSessionManager(session_id, url))
    graph.add_node(Agent(model=ScriptedModel(["One."]), callback_handler=None), "only")
    graph.build()("Count.")
    build_swarm(url, session_id, {"a": hand_off("b"), "b": ["Two."]}, swarm_id="finished")("Count.")
    build_swarm(url, session_id, {"a": hand_off("b"), "b": [die]}, swarm_id="killed")("Conta.")


def test_an_agent_a_graph_and_swarms_share_a_session_without_touching_each_other(live_url, session_id):
    until_killed(run_several_and_die, live_url, session_id)
    agent = build_agent(live_url, session_id, agent_id="ann")
    finished = build_swarm(live_url, session_id, {"a": ["Three."], "b": []}, swarm_id="finished")("Count on.")
    killed = build_swarm(live_url, session_id, {"a": [], "b": ["Due."]}, swarm_id="killed")("Go on.")

    assert ["My name is Ann.", "I will remember that."] == texts(agent.messages)
    assert ["a"] == [node.node_id for node in finished.node_history]
    assert ["a", "b"] == [node.node_id for node in killed.node_history]
