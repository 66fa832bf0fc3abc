"""A graph that was killed or interrupted halfway is finished by another process."""

from strands import Agent, ToolContext, tool
from strands.hooks import BeforeNodeCallEvent, HookProvider
from strands.multiagent import GraphBuilder
from strands.multiagent.base import Status

from examples.scripted_model import Answer, ScriptedModel, tool_use
from strands_session_client import PostgreSQLSessionManager
from tests.agents.building import texts
from tests.agents.processes import die, in_new_process, until_killed

PICTURE = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}}


@tool(context=True)
def publish(tool_context: ToolContext) -> str:
    """Publish, if a human says so."""
    return f"published: {tool_context.interrupt('publish', reason={'pages': 2})}"


class Gate(HookProvider):
    """Asks a human before the node."""

    def __init__(self, node_id):
        self.node_id = node_id

    def register_hooks(self, registry, **kwargs):
        registry.add_callback(BeforeNodeCallEvent, self.ask)

    def ask(self, event):
        if event.node_id == self.node_id and event.interrupt(f"before {self.node_id}") != "yes":
            event.cancel_node = "a human said no"


def build_graph(url, session_id, scripts, graph_id="press", hooks=()):
    """One node after the other, each with its script."""
    builder = GraphBuilder().set_graph_id(graph_id).set_hook_providers(list(hooks)).set_max_node_executions(10)
    for name, script in scripts.items():
        builder.add_node(Agent(model=ScriptedModel(script), name=name, callback_handler=None, tools=[publish]), name)
    for before, after in zip(list(scripts), list(scripts)[1:], strict=False):
        builder.add_edge(before, after)
    return builder.set_session_manager(PostgreSQLSessionManager(session_id, url)).build()


def said(result):
    """What each node said, in the order in which they ran."""
    return [texts([result.results[node.node_id].result.message]) for node in result.execution_order]


def run_and_die(url, session_id):
    graph = build_graph(url, session_id, {"write": ["A draft."], "check": [die], "print": []})
    graph([{"text": "Write about the lake."}, PICTURE])


def run_until_interrupted(url, session_id):
    """Why the graph stopped, and what it wants to know."""
    scripts = {"write": ["A draft."], "publish": [Answer([tool_use("publish")])]}
    result = build_graph(url, session_id, scripts)([{"text": "Write about the lake."}, PICTURE])
    return result.status, [interrupt.to_dict() for interrupt in result.interrupts]


def respond(url, session_id, interrupt, response):
    """What became of the graph, which nodes ran, and the conversation that the resumed one was given."""
    graph = build_graph(url, session_id, {"write": [], "publish": ["It is out."]})
    result = graph([{"interruptResponse": {"interruptId": interrupt["id"], "response": response}}])
    given = graph.nodes["publish"].executor.model.seen[0]
    return result.status, [node.node_id for node in result.execution_order], given


def test_a_killed_graph_is_finished_by_another_process_without_repeating_a_node(live_url, session_id):
    until_killed(run_and_die, live_url, session_id)
    graph = build_graph(live_url, session_id, {"write": [], "check": ["Fine."], "print": ["Printed."]})
    result = graph("Go on.")
    given = graph.nodes["check"].executor.model.seen[0]

    assert Status.COMPLETED == result.status
    assert ["write", "check", "print"] == [node.node_id for node in result.execution_order]
    assert [["A draft."], ["Fine."], ["Printed."]] == said(result)
    assert ["Original Task:", "Write about the lake."] == texts(given)[:2]
    assert "A draft." in texts(given)[-1]
    assert PICTURE in given[0]["content"]


def test_an_interrupt_raised_in_a_node_is_answered_in_another_process(live_url, session_id):
    status, [interrupt] = run_until_interrupted(live_url, session_id)
    finished, ran, given = in_new_process(respond, live_url, session_id, interrupt, "yes")

    assert (Status.INTERRUPTED, "publish", {"pages": 2}) == (status, interrupt["name"], interrupt["reason"])
    assert (Status.COMPLETED, ["write", "publish"]) == (finished, ran)
    assert ["published: yes"] == texts([given[-1]["content"][0]["toolResult"]])
    assert PICTURE in given[0]["content"]


def ask_before_checking(url, session_id):
    scripts = {"write": ["A draft."], "check": []}
    result = build_graph(url, session_id, scripts, hooks=[Gate("check")])("Write about the lake.")
    return result.interrupts[0].id


def test_an_interrupt_raised_before_a_node_is_answered_in_another_process(live_url, session_id):
    interrupt_id = in_new_process(ask_before_checking, live_url, session_id)
    graph = build_graph(live_url, session_id, {"write": [], "check": ["Fine."]}, hooks=[Gate("check")])
    result = graph([{"interruptResponse": {"interruptId": interrupt_id, "response": "yes"}}])

    assert Status.COMPLETED == result.status
    assert "A draft." in texts(graph.nodes["check"].executor.model.seen[0])[-1]


def run_two_and_die(url, session_id):
    build_graph(url, session_id, {"a": ["One."], "b": ["Two."]}, graph_id="first")("Count.")
    build_graph(url, session_id, {"a": ["Uno."], "b": [die]}, graph_id="日本 · second")("Conta.")


def test_several_graphs_in_a_session_are_each_resumed_where_they_were(live_url, session_id):
    until_killed(run_two_and_die, live_url, session_id)
    first = build_graph(live_url, session_id, {"a": ["Three."], "b": ["Four."]}, graph_id="first")("Count on.")
    second = build_graph(live_url, session_id, {"a": [], "b": ["Due."]}, graph_id="日本 · second")("Conta.")

    assert [["Three."], ["Four."]] == said(first)
    assert [["Uno."], ["Due."]] == said(second)
