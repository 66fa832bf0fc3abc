"""Opens connections to PostgreSQL: what each one asks of the server, how long it may wait, and how many there are."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import register_adapter
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import NullPool

from . import deadline, quoting
from .addresses import addresses
from .breaker import Breaker
from .config import Settings
from .strict_json import Document
from .values import normalise_database_url

CONNECT_SECONDS = 3.0

# They go with the connection's start: behind a pooler in transaction mode, a SET would reach connections of others.
# PgBouncer drops them on the way, so there the role must have them (examples/role.sql).
SERVER_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "8s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "2s",
}
_CONNECT_ARGS = {
    "application_name": "session-api",
    "client_encoding": "utf8",  # documents are
    "tcp_user_timeout": 5000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
register_adapter(Document, quoting.quoted)


def create(settings: Settings) -> Engine:
    """An engine that opens connections within CONNECT_SECONDS, through a breaker of its own.

    Raises breaker.Open, besides what SQLAlchemy raises, where a connection is needed and the breaker is open.
    """
    deadline.install()
    url = make_url(normalise_database_url(settings.database_url or ""))
    options = [f"-c {name}={value}" for name, value in SERVER_SETTINGS.items()]
    given = url.query.get("options", "")
    options.extend([given] if isinstance(given, str) else given)
    engine = create_engine(
        url.difference_update_query(["options"]),
        # Every operation is one statement: without BEGIN and COMMIT around it, it is one round trip.
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,  # pool.py keeps them
        hide_parameters=True,  # conversations must not reach the logs inside a traceback
        connect_args={**_CONNECT_ARGS, "options": " ".join(options).strip()},
    )
    breaker = Breaker()

    def connect(dialect: Any, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> Any:
        def open_one() -> Any:
            with deadline.within(CONNECT_SECONDS):
                given = {**parameters, **addresses(parameters.get("host"))}
                return dialect.loaded_dbapi.connect(*arguments, **given)

        return breaker.call(open_one)

    event.listen(engine, "do_connect", connect)
    return engine
