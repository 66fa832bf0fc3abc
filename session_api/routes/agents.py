"""/sessions/{session_id}/agents"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from .. import examples, schemas
from ..auth import tenant
from ..models import AgentKey
from ..store import agents
from ..web import answers, lists
from ..web.blueprint import PREFIX, Blueprint, db
from ..web.resource import Resource

blp = Blueprint(
    "agents",
    __name__,
    url_prefix=f"{PREFIX}/sessions/<session_id:session_id>/agents",
    description="The agents of a session, each with its three states.",
)


@blp.route("")
class Agents(Resource):
    @blp.may_answer(400, 404, 408, 409, 413, 415)
    @blp.arguments(schemas.AgentCreate, example=examples.AGENT_CREATE)
    @blp.response(201, schemas.Agent, example=examples.AGENT)
    def post(self, new: dict[str, Any], session_id: str) -> Response:
        """Add an agent; `internal_state` may also be sent as `_internal_state`."""
        key = AgentKey(tenant(), session_id, new.pop("agent_id"))
        return answers.created(db.run(agents.create, key, new))

    @blp.may_answer(226, 304, 400, 404)
    @blp.arguments(schemas.PageQuery, location="query")
    @blp.response(200, schemas.AgentList, example=examples.a_list("agents", examples.AGENT))
    def get(self, query: Mapping[str, Any], session_id: str) -> Response:
        """List the agents of a session, the oldest first."""
        return lists.answer("agents", agents, (tenant(), session_id), query)


@blp.route("/<agent_id:agent_id>")
class Agent(Resource):
    @blp.may_answer(304, 400, 404)
    @blp.response(200, schemas.Agent, example=examples.AGENT)
    def get(self, session_id: str, agent_id: str) -> Response:
        """Read the states of an agent; its messages are not touched."""
        key = AgentKey(tenant(), session_id, agent_id)
        return answers.stored(db.read(agents.read, key, answers.known_versions()))

    @blp.may_answer(400, 404, 408, 412, 413, 415)
    @blp.arguments(schemas.AgentChange, example=examples.AGENT_CHANGE)
    @blp.response(200, schemas.Agent, example=examples.AGENT)
    def put(self, changes: dict[str, Any], session_id: str, agent_id: str) -> Response:
        """Replace the states that are given, each of them whole."""
        key = AgentKey(tenant(), session_id, agent_id)
        return answers.stored(db.run(agents.update, key, changes, answers.expected_versions()))

    @blp.may_answer(400, 404, 412)
    @blp.response(204)
    def delete(self, session_id: str, agent_id: str) -> Response:
        """Delete an agent with its messages."""
        key = AgentKey(tenant(), session_id, agent_id)
        return answers.deleted(db.run(agents.delete, key, answers.expected_versions()))
