"""Tenants: who has rows here, and how all that one has goes away, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Table, delete, func, literal, select, tuple_, union_all
from sqlalchemy.engine import Connection

from ..key_table import api_keys
from ..models import session_agents, session_messages, session_multi_agents, sessions

# Children first: what a parent's deletion takes along is not counted.
TABLES: dict[str, Table] = {
    "messages": session_messages,
    "agents": session_agents,
    "multi_agents": session_multi_agents,
    "sessions": sessions,
}


class Tenant(NamedTuple):
    tenant_id: str
    sessions: int
    keys: int


def list_(tx: Connection) -> list[Tenant]:
    """Everybody who has a session or a key."""
    counts = union_all(
        select(sessions.c.tenant_id, func.count().label("sessions"), literal(0).label("keys")).group_by("tenant_id"),
        select(api_keys.c.tenant_id, literal(0), func.count()).group_by("tenant_id"),
    ).subquery()
    statement = select(counts.c.tenant_id, func.sum(counts.c.sessions), func.sum(counts.c["keys"]))
    found = tx.execute(statement.group_by(counts.c.tenant_id).order_by(counts.c.tenant_id))
    return [Tenant(name, int(sessions), int(keys)) for name, sessions, keys in found]


def some_sessions(tx: Connection, tenant_id: str, limit: int) -> list[str]:
    """The ids of some of the tenant's sessions; empty when it has none left."""
    of_tenant = select(sessions.c.session_id).where(sessions.c.tenant_id == tenant_id)
    return list(tx.execute(of_tenant.order_by(sessions.c.created_at, sessions.c.session_id).limit(limit)).scalars())


def delete_some(tx: Connection, table: Table, tenant_id: str, session_ids: Sequence[str], limit: int) -> int:
    """Delete up to `limit` rows of these sessions, and return how many there were."""
    key = list(table.primary_key.columns)
    doomed = select(*key).where(table.c.session_id.in_(session_ids), table.c.tenant_id == tenant_id).limit(limit)
    return len(tx.execute(delete(table).where(tuple_(*key).in_(doomed)).returning(literal(1))).all())
