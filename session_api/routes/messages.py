"""/sessions/{session_id}/agents/{agent_id}/messages"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from .. import examples, schemas
from ..auth import tenant
from ..models import MessageKey
from ..store import messages
from ..web import answers, lists
from ..web.blueprint import PREFIX, Blueprint, db
from ..web.resource import Resource

blp = Blueprint(
    "messages",
    __name__,
    url_prefix=f"{PREFIX}/sessions/<session_id:session_id>/agents/<agent_id:agent_id>/messages",
    description="The conversation of an agent, in the order of message_id.",
)


@blp.route("")
class Messages(Resource):
    @blp.may_answer(400, 404, 408, 409, 413, 415)
    @blp.arguments(schemas.MessageCreate, example=examples.MESSAGE_CREATE)
    @blp.response(201, schemas.Message, example=examples.MESSAGE)
    def post(self, new: dict[str, Any], session_id: str, agent_id: str) -> Response:
        """Append a message to the agent's conversation."""
        key = MessageKey(tenant(), session_id, agent_id, new.pop("message_id"))
        return answers.created(db.run(messages.append, key, new))

    @blp.may_answer(226, 304, 400, 404)
    @blp.arguments(schemas.PageQuery, location="query")
    @blp.response(200, schemas.MessageList, example=examples.a_list("messages", examples.MESSAGE))
    def get(self, query: Mapping[str, Any], session_id: str, agent_id: str) -> Response:
        """List messages in the order of their ids; offset counts positions in that order."""
        return lists.answer("messages", messages, (tenant(), session_id, agent_id), query)


@blp.route("/<message_id:message_id>")
class Message(Resource):
    @blp.may_answer(304, 400, 404)
    @blp.response(200, schemas.Message, example=examples.MESSAGE)
    def get(self, session_id: str, agent_id: str, message_id: int) -> Response:
        """Read a message."""
        key = MessageKey(tenant(), session_id, agent_id, message_id)
        return answers.stored(db.read(messages.read, key, answers.known_versions()))

    @blp.may_answer(400, 404, 408, 412, 413, 415)
    @blp.arguments(schemas.MessageChange, example=examples.MESSAGE_CHANGE)
    @blp.response(200, schemas.Message, example=examples.MESSAGE)
    def put(self, changes: dict[str, Any], session_id: str, agent_id: str, message_id: int) -> Response:
        """Redact or replace a message; `redact_message: null` clears the redaction."""
        key = MessageKey(tenant(), session_id, agent_id, message_id)
        return answers.stored(db.run(messages.update, key, changes, answers.expected_versions()))

    @blp.may_answer(400, 404, 412)
    @blp.response(204)
    def delete(self, session_id: str, agent_id: str, message_id: int) -> Response:
        """Delete a message; the ids of the others stay."""
        key = MessageKey(tenant(), session_id, agent_id, message_id)
        return answers.deleted(db.run(messages.delete, key, answers.expected_versions()))
