"""Sessions, agents, messages and multi-agents

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _id(name: str) -> sa.Column:
    return sa.Column(name, sa.String(255, collation="C"), nullable=False)


def _bookkeeping() -> list[sa.Column]:
    return [
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _child_of_session(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["session_id", "tenant_id"],
        ["sessions.session_id", "sessions.tenant_id"],
        name=f"fk_{table}_sessions",
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "sessions",
        _id("session_id"),
        _id("tenant_id"),
        sa.Column("session_type", sa.Text, nullable=False),
        sa.Column("multi_agent_state", JSON),
        *_bookkeeping(),
        sa.PrimaryKeyConstraint("session_id", "tenant_id", name="pk_sessions"),
    )
    op.create_index(
        "ix_sessions_tenant_id_created_at_session_id", "sessions", ["tenant_id", "created_at", "session_id"]
    )
    op.create_table(
        "session_agents",
        _id("session_id"),
        _id("tenant_id"),
        _id("agent_id"),
        sa.Column("state", JSON, nullable=False),
        sa.Column("conversation_manager_state", JSON, nullable=False),
        sa.Column("internal_state", JSON, nullable=False),
        *_bookkeeping(),
        sa.PrimaryKeyConstraint("session_id", "tenant_id", "agent_id", name="pk_session_agents"),
        _child_of_session("session_agents"),
    )
    op.create_table(
        "session_messages",
        _id("session_id"),
        _id("tenant_id"),
        _id("agent_id"),
        sa.Column("message_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("message", JSON, nullable=False),
        sa.Column("redact_message", JSON),
        *_bookkeeping(),
        sa.PrimaryKeyConstraint("session_id", "tenant_id", "agent_id", "message_id", name="pk_session_messages"),
        sa.ForeignKeyConstraint(
            ["session_id", "tenant_id", "agent_id"],
            ["session_agents.session_id", "session_agents.tenant_id", "session_agents.agent_id"],
            name="fk_session_messages_session_agents",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "session_multi_agents",
        _id("session_id"),
        _id("tenant_id"),
        _id("multi_agent_id"),
        sa.Column("state", JSON, nullable=False),
        *_bookkeeping(),
        sa.PrimaryKeyConstraint("session_id", "tenant_id", "multi_agent_id", name="pk_session_multi_agents"),
        _child_of_session("session_multi_agents"),
    )


def downgrade() -> None:
    op.drop_table("session_multi_agents")
    op.drop_table("session_messages")
    op.drop_table("session_agents")
    op.drop_table("sessions")
