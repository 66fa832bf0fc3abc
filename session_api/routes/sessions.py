"""/sessions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from .. import examples, schemas
from ..auth import tenant
from ..models import SessionKey
from ..store import sessions
from ..web import answers, lists
from ..web.blueprint import PREFIX, Blueprint, db
from ..web.resource import Resource

blp = Blueprint("sessions", __name__, url_prefix=f"{PREFIX}/sessions", description="The roots of conversations.")


@blp.route("")
class Sessions(Resource):
    @blp.may_answer(400, 408, 409, 413, 415)
    @blp.arguments(schemas.SessionCreate, example=examples.SESSION_CREATE)
    @blp.response(201, schemas.Session, example=examples.SESSION)
    def post(self, new: dict[str, Any]) -> Response:
        """Create a session."""
        return answers.created(db.run(sessions.create, SessionKey(tenant(), new.pop("session_id")), new))

    @blp.may_answer(226, 304, 400)
    @blp.arguments(schemas.SessionQuery, location="query")
    @blp.response(200, schemas.SessionList, example=examples.a_list("sessions", examples.SESSION))
    def get(self, query: Mapping[str, Any]) -> Response:
        """List sessions, the oldest first."""
        return lists.answer("sessions", sessions, (tenant(),), query)


@blp.route("/<session_id:session_id>")
class Session(Resource):
    @blp.may_answer(304, 400, 404)
    @blp.response(200, schemas.Session, example=examples.SESSION)
    def get(self, session_id: str) -> Response:
        """Read a session; its agents and messages have URLs of their own."""
        key = SessionKey(tenant(), session_id)
        return answers.stored(db.read(sessions.read, key, answers.known_versions()))

    @blp.may_answer(400, 404, 408, 412, 413, 415)
    @blp.arguments(schemas.SessionChange, example=examples.SESSION_CHANGE)
    @blp.response(200, schemas.Session, example=examples.SESSION)
    def put(self, changes: dict[str, Any], session_id: str) -> Response:
        """Replace the fields that are given; an absent field stays, `multi_agent_state: null` clears."""
        key = SessionKey(tenant(), session_id)
        return answers.stored(db.run(sessions.update, key, changes, answers.expected_versions()))

    @blp.may_answer(400, 404, 412)
    @blp.response(204)
    def delete(self, session_id: str) -> Response:
        """Delete a session with its agents, messages and multi-agents."""
        key = SessionKey(tenant(), session_id)
        return answers.deleted(db.run(sessions.delete, key, answers.expected_versions()))
