"""The tables, the rows that come out of them, and the keys that name them; key_table.py has the one of API keys.

Every primary and foreign key is led by `session_id`, so that an engine which spreads data by a column can use it
without a change of schema (docs/adr/0002-natural-keys.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSON

DEFAULT_TENANT = "default"
ID_MAX_LENGTH = 255
MESSAGE_ID_MAX = 2**63 - 1

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


class JSONText(TypeDecorator[bytes]):
    """A `json` column whose value is its text, in UTF-8: documents are stored and sent on without being interpreted.

    `json` and not `jsonb`: jsonb reorders keys, changes numbers and refuses U+0000. psycopg2 would parse the text;
    statements of the store (store/statement.py) leave it alone.
    """

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Any) -> None:
        return None

    def result_processor(self, dialect: Any, coltype: Any) -> None:
        return None


def is_document(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, JSONText)


class SessionKey(NamedTuple):
    tenant_id: str
    session_id: str


class AgentKey(NamedTuple):
    tenant_id: str
    session_id: str
    agent_id: str


class MessageKey(NamedTuple):
    tenant_id: str
    session_id: str
    agent_id: str
    message_id: int


class MultiAgentKey(NamedTuple):
    tenant_id: str
    session_id: str
    multi_agent_id: str


class SessionRow(NamedTuple):
    session_id: str
    session_type: str
    multi_agent_state: bytes | None
    version: int
    created_at: datetime
    updated_at: datetime


class AgentRow(NamedTuple):
    agent_id: str
    state: bytes
    conversation_manager_state: bytes
    internal_state: bytes
    version: int
    created_at: datetime
    updated_at: datetime


class MessageRow(NamedTuple):
    message_id: int
    message: bytes
    redact_message: bytes | None
    version: int
    created_at: datetime
    updated_at: datetime


class MultiAgentRow(NamedTuple):
    multi_agent_id: str
    state: bytes
    version: int
    created_at: datetime
    updated_at: datetime


def _id(name: str) -> Column[str]:
    # The C collation orders by code point on every machine, and an operating system's upgrade can't break its indexes.
    return Column(name, String(ID_MAX_LENGTH, collation="C"), nullable=False)


def _document(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, JSONText, nullable=nullable)


def _bookkeeping() -> tuple[Column[Any], ...]:
    return (
        # Random, and another one with every write: as an ETag it can't come back, not even when a row is deleted and
        # made again or the database is restored from a backup (a counter would).
        Column("version", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    )


sessions = Table(
    "sessions",
    metadata,
    _id("session_id"),
    _id("tenant_id"),
    Column("session_type", Text, nullable=False),
    _document("multi_agent_state", nullable=True),
    *_bookkeeping(),
    PrimaryKeyConstraint("session_id", "tenant_id"),
    Index(None, "tenant_id", "created_at", "session_id"),
)

session_agents = Table(
    "session_agents",
    metadata,
    _id("session_id"),
    _id("tenant_id"),
    _id("agent_id"),
    _document("state"),
    _document("conversation_manager_state"),
    _document("internal_state"),
    *_bookkeeping(),
    PrimaryKeyConstraint("session_id", "tenant_id", "agent_id"),
    ForeignKeyConstraint(
        ["session_id", "tenant_id"], ["sessions.session_id", "sessions.tenant_id"], ondelete="CASCADE"
    ),
)

session_messages = Table(
    "session_messages",
    metadata,
    _id("session_id"),
    _id("tenant_id"),
    _id("agent_id"),
    Column("message_id", BigInteger, nullable=False, autoincrement=False),
    _document("message"),
    _document("redact_message", nullable=True),
    *_bookkeeping(),
    PrimaryKeyConstraint("session_id", "tenant_id", "agent_id", "message_id"),
    ForeignKeyConstraint(
        ["session_id", "tenant_id", "agent_id"],
        ["session_agents.session_id", "session_agents.tenant_id", "session_agents.agent_id"],
        ondelete="CASCADE",
    ),
)

session_multi_agents = Table(
    "session_multi_agents",
    metadata,
    _id("session_id"),
    _id("tenant_id"),
    _id("multi_agent_id"),
    _document("state"),
    *_bookkeeping(),
    PrimaryKeyConstraint("session_id", "tenant_id", "multi_agent_id"),
    ForeignKeyConstraint(
        ["session_id", "tenant_id"], ["sessions.session_id", "sessions.tenant_id"], ondelete="CASCADE"
    ),
)
