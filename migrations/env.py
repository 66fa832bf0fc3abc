"""Runs the migrations on the service's own engine, one process at a time."""

import logging

from alembic import context
from flask import current_app
from psycopg2.errors import DeadlockDetected
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from session_api.store.schema import LOCK

log = logging.getLogger("alembic.env")
target = current_app.extensions["migrate"].db


# Each costs a second, PostgreSQL's deadlock_timeout. Under a load of nothing but writes, one in eight ends like this.
TRIES = 10


def run() -> None:
    """Migrate, in more than one try if need be.

    Requests lock from child to parent and from parent to child, so a revision has no order that suits all of them.
    Where PostgreSQL ends the migration for it, everything is taken back and begun again.
    """
    with target.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        for left in reversed(range(TRIES)):
            try:
                _migrate(connection)
                return
            except OperationalError as error:
                if not left or not isinstance(error.orig, DeadlockDetected):
                    raise
                log.warning("A request and the migration waited for each other: the migration begins again.")


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=target.metadata, compare_type=True, compare_server_default=True
    )
    with context.begin_transaction():
        # The service's limits are for requests; several replicas that start at once migrate once.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if _made_by_a_newer_release():
            log.warning("The schema is that of a newer release, which this one can work on: nothing to do.")
        else:
            context.run_migrations()


def _made_by_a_newer_release() -> bool:
    """Whether this is an upgrade by code that was rolled back: it does not know the revision that the database has."""
    migration = context.get_context()
    known = {script.revision for script in context.script.walk_revisions()}
    return migration.opts["fn"].__name__ == "upgrade" and not known.issuperset(migration.get_current_heads())


def print_sql() -> None:
    context.configure(dialect_name="postgresql", target_metadata=target.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    print_sql()
else:
    run()
