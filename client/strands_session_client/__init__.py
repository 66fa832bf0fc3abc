"""Durable sessions for Strands agents: the client of the session service."""

from strands_session_client.errors import (
    AgentNotFoundError,
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    DatabaseConnectionError,
    InternalServerError,
    MessageNotFoundError,
    MultiAgentNotFoundError,
    NotFoundError,
    PayloadTooLargeError,
    PreconditionFailedError,
    RateLimitedError,
    SessionNotFoundError,
    SessionRepositoryError,
    UnexpectedAnswerError,
    ValidationError,
)
from strands_session_client.repository import PostgreSQLSessionRepository, SyncPostgreSQLSessionRepository
from strands_session_client.session_manager import PostgreSQLSessionManager
from strands_session_client.version import __version__

__all__ = [
    "AgentNotFoundError",
    "AuthenticationError",
    "AuthorizationError",
    "ConflictError",
    "DatabaseConnectionError",
    "InternalServerError",
    "MessageNotFoundError",
    "MultiAgentNotFoundError",
    "NotFoundError",
    "PayloadTooLargeError",
    "PostgreSQLSessionManager",
    "PostgreSQLSessionRepository",
    "PreconditionFailedError",
    "RateLimitedError",
    "SessionNotFoundError",
    "SessionRepositoryError",
    "SyncPostgreSQLSessionRepository",
    "UnexpectedAnswerError",
    "ValidationError",
    "__version__",
]
