"""Whether the database has the tables of this service."""

from sqlalchemy import false, literal, select, union_all
from sqlalchemy.orm import Session

from ..key_table import api_keys
from ..models import session_agents, session_messages, session_multi_agents, sessions

_TABLES = union_all(
    *(
        select(literal(1)).select_from(table).where(false())
        for table in (sessions, session_agents, session_messages, session_multi_agents, api_keys)
    )
)


def check(tx: Session) -> None:
    """Touch every table without reading a row; PostgreSQL refuses the statement when one is missing."""
    tx.execute(_TABLES)
