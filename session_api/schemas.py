"""What goes over the wire: requests are validated with these schemas, answers documented with them."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from . import strict_json
from .fields import ID_MAX_LENGTH, INT64_MAX, Document, Id, MessageDocument, MessageId, QueryInteger, Text, Time

PAGE_MAX = 1000
PAGE_DEFAULT = 100


class Request(Schema):
    class Meta:
        unknown = EXCLUDE


class SessionChange(Request):
    session_type = Text(validate=validate.Length(1, 255))
    multi_agent_state = Document(allow_none=True)


class SessionCreate(Request):
    session_id = Id(required=True)
    session_type = Text(validate=validate.Length(1, 255), load_default="AGENT")
    multi_agent_state = Document(allow_none=True, load_default=None)
    created_at = Time(allow_none=True, load_default=None)
    updated_at = Time(allow_none=True, load_default=None)


class AgentRequest(Request):
    named_by_the_sdk = Document(
        data_key="_internal_state", metadata={"description": "`internal_state`, as the SDK's dictionaries call it."}
    )

    @post_load
    def accept_the_name_of_the_sdk(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        if "named_by_the_sdk" in data:
            data["internal_state"] = data.pop("named_by_the_sdk")
        return data


class AgentChange(AgentRequest):
    state = Document()
    conversation_manager_state = Document()
    internal_state = Document()


class AgentCreate(AgentRequest):
    agent_id = Id(required=True)
    state = Document(required=True)
    conversation_manager_state = Document(required=True)
    internal_state = Document(
        load_default=lambda: strict_json.EMPTY
    )  # callable, so that the API documentation leaves it alone
    created_at = Time(allow_none=True, load_default=None)
    updated_at = Time(allow_none=True, load_default=None)


class MessageChange(Request):
    message = MessageDocument()
    redact_message = Document(allow_none=True)


class MessageCreate(Request):
    message_id = MessageId(required=True)
    message = MessageDocument(required=True)
    redact_message = Document(allow_none=True, load_default=None)
    created_at = Time(allow_none=True, load_default=None)
    updated_at = Time(allow_none=True, load_default=None)


class MultiAgentChange(Request):
    state = Document()


class MultiAgentCreate(Request):
    multi_agent_id = Id(required=True)
    state = Document(required=True)
    created_at = Time(allow_none=True, load_default=None)
    updated_at = Time(allow_none=True, load_default=None)


class PageQuery(Request):
    """`limit` and `offset`, or `page` and `page_size`, or `after`; the store's Page is made in web/lists.py."""

    limit = QueryInteger(0, PAGE_MAX, metadata={"description": "Rows a page."})
    offset = QueryInteger(0, INT64_MAX, metadata={"description": "Rows to skip, counted in the list's order."})
    page = QueryInteger(1, INT64_MAX, metadata={"description": "The page's number, from 1; not with offset."})
    page_size = QueryInteger(1, PAGE_MAX, metadata={"description": "Rows a page; not with limit."})
    after = fields.String(metadata={"description": "The `next` of the page before: costs the same on every page."})
    max_bytes = QueryInteger(1, INT64_MAX, metadata={"description": "End the page before its documents have more."})
    order = fields.String(validate=validate.OneOf(["asc", "desc"]), load_default="asc")
    total = fields.Boolean(load_default=True, metadata={"description": "Whether to count all that match."})


class SessionQuery(PageQuery):
    prefix = Text(validate=validate.Length(max=ID_MAX_LENGTH), metadata={"description": "Of the session's id."})
    created_after = Time()
    created_before = Time()
    updated_after = Time()
    updated_before = Time()


class Session(Schema):
    session_id = Id(required=True)
    session_type = fields.String(required=True)
    multi_agent_state = Document(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class Agent(Schema):
    agent_id = Id(required=True)
    state = Document(required=True)
    conversation_manager_state = Document(required=True)
    internal_state = Document(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class Message(Schema):
    message_id = MessageId(required=True)
    message = Document(required=True)
    redact_message = Document(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class MultiAgent(Schema):
    multi_agent_id = Id(required=True)
    state = Document(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class List(Schema):
    total = fields.Integer(required=True, allow_none=True)
    page = fields.Integer(required=True, allow_none=True)
    page_size = fields.Integer(required=True)
    next = fields.String(required=True, allow_none=True)


class SessionList(List):
    sessions = fields.List(fields.Nested(Session), required=True)


class AgentList(List):
    agents = fields.List(fields.Nested(Agent), required=True)


class MessageList(List):
    messages = fields.List(fields.Nested(Message), required=True)


class MultiAgentList(List):
    multi_agents = fields.List(fields.Nested(MultiAgent), required=True)


class Error(Schema):
    """Every error of every route."""

    error = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict(required=True, allow_none=True, metadata={"additionalProperties": True})
    timestamp = fields.AwareDateTime(required=True)
    request_id = fields.String(required=True)


class Health(Schema):
    status = fields.String(
        required=True,
        validate=validate.OneOf(["healthy", "unhealthy", "alive", "ready", "not ready"]),
    )
    service = fields.String(required=True)
    version = fields.String(required=True)
    timestamp = fields.AwareDateTime(required=True)
    checks = fields.Dict(required=True, metadata={"additionalProperties": True})
