"""Whether the database has the tables of this service."""

from sqlalchemy import false, literal, select, union_all
from sqlalchemy.engine import Connection

from ..key_table import api_keys
from ..models import session_agents, session_messages, session_multi_agents, sessions

_TABLES = union_all(
    *(
        select(literal(1)).select_from(table).where(false())
        for table in (sessions, session_agents, session_messages, session_multi_agents, api_keys)
    )
)

# Held by whoever changes the schema, so that one does at a time. Any number will do, as long as nothing else in the
# database uses it.
LOCK = 7_239_114_505


def check(tx: Connection) -> None:
    """Touch every table without reading a row; PostgreSQL refuses the statement when one is missing."""
    tx.execute(_TABLES)
