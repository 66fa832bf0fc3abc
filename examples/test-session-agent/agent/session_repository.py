"""Where conversations are kept: in PostgreSQL, behind the session backend at SESSION_BACKEND_URL."""

from functools import cache
from typing import Any

from strands.types.session import Session, encode_bytes_values
from strands_session_client import (
    ConflictError,
    DatabaseConnectionError,
    NotFoundError,
    PostgreSQLSessionManager,
    PostgreSQLSessionRepository,
    ValidationError,
)

# Keeps an agent in its session, which is created when it does not exist: `with session_manager(session_id) as manager`.
session_manager = PostgreSQLSessionManager


def list_sessions(limit: int) -> list[Session]:
    """The newest sessions."""
    return _repository().list_sessions(limit, order="desc")


def read_history(session_id: str, agent_id: str) -> list[dict[str, Any]] | None:
    """Everything that was said in the session, or None if there is no such session."""
    try:
        messages = _repository().list_messages(session_id, agent_id)
    except NotFoundError:
        return None if _repository().read_session(session_id) is None else []
    return [encode_bytes_values(message.to_message()) for message in messages]


def delete_session(session_id: str) -> bool:
    """Whether there was such a session; there is none any more."""
    return _repository().delete_session(session_id)


def is_reachable() -> bool:
    """Whether conversations can be kept."""
    return _probe().database_health_check()


def status_of(error: Exception) -> int:
    """The HTTP status that a failure of the sessions stands for."""
    if isinstance(error, ValidationError):
        return 400
    if isinstance(error, ConflictError):  # another process of this agent took the same turn
        return 409
    return 503 if isinstance(error, DatabaseConnectionError) else 502


@cache
def _repository() -> PostgreSQLSessionRepository:
    return PostgreSQLSessionRepository()


@cache
def _probe() -> PostgreSQLSessionRepository:
    return PostgreSQLSessionRepository(timeout=3)
