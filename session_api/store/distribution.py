"""How the tables lie on a Citus cluster: what has a session on the server of that session, the rest on every server."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Table, cast, column, func, literal, select, table, text
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.engine import Connection

from ..errors import CitusMissing
from ..models import metadata
from .schema import LOCK

COLUMN = "session_id"


class Step(NamedTuple):
    """A table and the statement that spreads it."""

    table: str
    sql: str
    meaning: str


def steps() -> list[Step]:
    """In the order in which Citus takes them: a table before those that refer to it."""
    tables = metadata.sorted_tables
    root = next(table.name for table in tables if COLUMN in table.primary_key.columns)
    return [_step(table, root) for table in tables]


def take(tx: Connection, step: Step) -> bool:
    """Spread the table unless it is already, with what lies in it; False when it was. Raises CitusMissing."""
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        tx.execute(text(f"SET LOCAL {name} = 0"))  # the service's limits are for requests
    if tx.scalar(select(func.to_regclass("pg_dist_partition"))) is None:
        raise CitusMissing
    tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
    partitions = table("pg_dist_partition", column("logicalrelid"))
    known = select(partitions.c.logicalrelid).where(partitions.c.logicalrelid == cast(literal(step.table), REGCLASS))
    if tx.execute(known).first():
        return False
    tx.execute(text(step.sql))
    return True


def _step(of: Table, root: str) -> Step:
    if COLUMN not in of.primary_key.columns:
        return Step(of.name, f"SELECT create_reference_table('{of.name}')", "a copy on every server")
    beside = "none" if of.name == root else root
    sql = f"SELECT create_distributed_table('{of.name}', '{COLUMN}', colocate_with => '{beside}')"
    return Step(of.name, sql, f"spread by {COLUMN}")
