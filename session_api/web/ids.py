"""Ids in a path: checked where Flask matches the path, so that no view sees one that is none."""

from __future__ import annotations

from flask import Flask
from marshmallow import ValidationError
from werkzeug.routing import BaseConverter

from .. import fields
from ..errors import Invalid
from ..problems import InvalidPath


class IdConverter(BaseConverter):
    """One segment that must be an id; what isn't one is a 400 that says why, not a missing route."""

    name: str

    def to_python(self, value: str) -> str:
        try:
            return fields.check_id(value)
        except ValidationError as error:
            raise InvalidPath(Invalid({self.name: [str(text) for text in error.messages]})) from None


class SessionIdConverter(IdConverter):
    name = "session_id"


class AgentIdConverter(IdConverter):
    name = "agent_id"


class MultiAgentIdConverter(IdConverter):
    name = "multi_agent_id"


class MessageIdConverter(BaseConverter):
    def to_python(self, value: str) -> int:
        try:
            return fields.check_message_id(value)
        except ValidationError as error:
            raise InvalidPath(Invalid({"message_id": [str(text) for text in error.messages]})) from None


IDS = (SessionIdConverter, AgentIdConverter, MultiAgentIdConverter)


def init_app(app: Flask) -> None:
    for converter in IDS:
        app.url_map.converters[converter.name] = converter
    app.url_map.converters["message_id"] = MessageIdConverter
    # /sessions//agents must not turn into /sessions/agents, the session of that name.
    app.url_map.merge_slashes = False
