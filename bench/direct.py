"""A SessionRepository that talks to PostgreSQL itself: what the client would cost if there were no service."""

from __future__ import annotations

import os
from typing import Any

import psycopg2
from psycopg2.extras import Json
from sqlalchemy.engine import make_url
from strands.session.session_repository import SessionRepository
from strands.types.session import Session, SessionAgent, SessionMessage, decode_bytes_values, encode_bytes_values

TENANT = "default"


class DirectRepository(SessionRepository):
    """One connection, one statement for each call, on the service's own tables."""

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url).set(drivername="postgresql")
        self._connection = psycopg2.connect(url.render_as_string(hide_password=False))
        self._connection.autocommit = True

    def create_session(self, session: Session, **kwargs: Any) -> Session:
        self._execute(
            "INSERT INTO sessions (session_id, tenant_id, session_type, version, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (session.session_id, TENANT, session.session_type, _version(), session.created_at, session.updated_at),
        )
        return session

    def read_session(self, session_id: str, **kwargs: Any) -> Session | None:
        rows = self._execute(
            "SELECT session_type, created_at, updated_at FROM sessions WHERE session_id = %s AND tenant_id = %s",
            (session_id, TENANT),
        )
        return next((Session(session_id, kind, *_texts(*times)) for kind, *times in rows), None)

    def create_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        self._execute(
            "INSERT INTO session_agents (session_id, tenant_id, agent_id, state, conversation_manager_state,"
            " internal_state, version, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(session_id, TENANT, session_agent.agent_id, *_states(session_agent), _version()),
                *(session_agent.created_at, session_agent.updated_at),
            ),
        )

    def read_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> SessionAgent | None:
        rows = self._execute(
            "SELECT state, conversation_manager_state, internal_state, created_at, updated_at FROM session_agents"
            " WHERE session_id = %s AND tenant_id = %s AND agent_id = %s",
            (session_id, TENANT, agent_id),
        )
        for *states, created_at, updated_at in rows:
            return SessionAgent(agent_id, *map(decode_bytes_values, states), *_texts(created_at, updated_at))
        return None

    def update_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        self._execute(
            "UPDATE session_agents SET state = %s, conversation_manager_state = %s, internal_state = %s, version = %s,"
            " updated_at = now() WHERE session_id = %s AND tenant_id = %s AND agent_id = %s RETURNING 1",
            (*_states(session_agent), _version(), session_id, TENANT, session_agent.agent_id),
        )

    def create_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        self._execute(
            "INSERT INTO session_messages (session_id, tenant_id, agent_id, message_id, message, redact_message,"
            " version, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(session_id, TENANT, agent_id, session_message.message_id, *_contents(session_message), _version()),
                *(session_message.created_at, session_message.updated_at),
            ),
        )

    def read_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> SessionMessage | None:
        rows = self._execute(f"{_MESSAGES} AND message_id = %s", (session_id, TENANT, agent_id, message_id))
        return next(map(_message, rows), None)

    def update_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        self._execute(
            "UPDATE session_messages SET message = %s, redact_message = %s, version = %s, updated_at = now()"
            " WHERE session_id = %s AND tenant_id = %s AND agent_id = %s AND message_id = %s",
            (*_contents(session_message), _version(), session_id, TENANT, agent_id, session_message.message_id),
        )

    def list_messages(
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int = 0, **kwargs: Any
    ) -> list[SessionMessage]:
        rows = self._execute(
            f"{_MESSAGES} ORDER BY message_id LIMIT %s OFFSET %s", (session_id, TENANT, agent_id, limit, offset)
        )
        return [_message(row) for row in rows]

    def _execute(self, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


_MESSAGES = (
    "SELECT message, message_id, redact_message, created_at, updated_at FROM session_messages"
    " WHERE session_id = %s AND tenant_id = %s AND agent_id = %s"
)


def _message(row: tuple[Any, ...]) -> SessionMessage:
    message, message_id, redact_message, *times = row
    return SessionMessage(
        decode_bytes_values(message), message_id, decode_bytes_values(redact_message), *_texts(*times)
    )


def _states(agent: SessionAgent) -> list[Json]:
    states = (agent.state, agent.conversation_manager_state, agent._internal_state)
    return [Json(encode_bytes_values(state)) for state in states]


def _contents(message: SessionMessage) -> list[Json | None]:
    redaction = message.redact_message
    return [Json(encode_bytes_values(message.message)), Json(encode_bytes_values(redaction)) if redaction else None]


def _texts(*times: Any) -> list[str]:
    return [time.isoformat() for time in times]


def _version() -> int:
    return int.from_bytes(os.urandom(8), "big") >> 1
