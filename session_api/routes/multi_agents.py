"""/sessions/{session_id}/multi-agents"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from .. import examples, schemas
from ..auth import tenant
from ..models import MultiAgentKey
from ..store import multi_agents
from ..web import answers, lists
from ..web.blueprint import PREFIX, Blueprint, db
from ..web.resource import Resource

blp = Blueprint(
    "multi-agents",
    __name__,
    url_prefix=f"{PREFIX}/sessions/<session_id:session_id>/multi-agents",
    description="The state of the graphs and swarms of a session.",
)


@blp.route("")
class MultiAgents(Resource):
    @blp.may_answer(400, 404, 408, 409, 413, 415)
    @blp.arguments(schemas.MultiAgentCreate, example=examples.MULTI_AGENT_CREATE)
    @blp.response(201, schemas.MultiAgent, example=examples.MULTI_AGENT)
    def post(self, new: dict[str, Any], session_id: str) -> Response:
        """Add a multi-agent."""
        key = MultiAgentKey(tenant(), session_id, new.pop("multi_agent_id"))
        return answers.created(db.run(multi_agents.create, key, new))

    @blp.may_answer(226, 304, 400, 404)
    @blp.arguments(schemas.PageQuery, location="query")
    @blp.response(200, schemas.MultiAgentList, example=examples.a_list("multi_agents", examples.MULTI_AGENT))
    def get(self, query: Mapping[str, Any], session_id: str) -> Response:
        """List the multi-agents of a session, the oldest first."""
        return lists.answer("multi_agents", multi_agents, (tenant(), session_id), query)


@blp.route("/<multi_agent_id:multi_agent_id>")
class MultiAgent(Resource):
    @blp.may_answer(304, 400, 404)
    @blp.response(200, schemas.MultiAgent, example=examples.MULTI_AGENT)
    def get(self, session_id: str, multi_agent_id: str) -> Response:
        """Read the state of a multi-agent."""
        key = MultiAgentKey(tenant(), session_id, multi_agent_id)
        return answers.stored(db.read(multi_agents.read, key, answers.known_versions()))

    @blp.may_answer(400, 404, 408, 412, 413, 415)
    @blp.arguments(schemas.MultiAgentChange, example=examples.MULTI_AGENT_CHANGE)
    @blp.response(200, schemas.MultiAgent, example=examples.MULTI_AGENT)
    def put(self, changes: dict[str, Any], session_id: str, multi_agent_id: str) -> Response:
        """Replace the state of a multi-agent whole."""
        key = MultiAgentKey(tenant(), session_id, multi_agent_id)
        return answers.stored(db.run(multi_agents.update, key, changes, answers.expected_versions()))

    @blp.may_answer(400, 404, 412)
    @blp.response(204)
    def delete(self, session_id: str, multi_agent_id: str) -> Response:
        """Delete a multi-agent."""
        key = MultiAgentKey(tenant(), session_id, multi_agent_id)
        return answers.deleted(db.run(multi_agents.delete, key, answers.expected_versions()))
