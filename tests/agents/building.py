"""Builds the agents of these tests: a scripted model, and the session service as their memory."""

import uuid
from collections.abc import Iterable
from typing import Any

from strands import Agent
from strands.types.content import Message, Messages

from examples.scripted_model import Line, ScriptedModel
from strands_session_client import PostgreSQLSessionManager, PostgreSQLSessionRepository


def new_session_id() -> str:
    """An id that no session has yet: the session manager is to create it."""
    return f"session-{uuid.uuid4().hex[:12]}"  # not tests.conftest's: each new process would have to load the service


def build_agent(url: str, session_id: str, script: Iterable[Line] = (), **options: Any) -> Agent:
    """An agent of this session, as it was left, or a new one."""
    options.setdefault("model", ScriptedModel(script))
    options.setdefault("session_manager", PostgreSQLSessionManager(session_id, url))
    return Agent(callback_handler=None, **options)


def stored_messages(url: str, session_id: str, agent_id: str = "default") -> list[tuple[int, Message]]:
    """The ids and messages that the service keeps for the agent, all of them."""
    with PostgreSQLSessionRepository(url) as repository:
        return [(row.message_id, row.to_message()) for row in repository.list_messages(session_id, agent_id)]


def texts(messages: Messages) -> list[str]:
    """The texts in these messages."""
    return [block["text"] for message in messages for block in message["content"] if "text" in block]
