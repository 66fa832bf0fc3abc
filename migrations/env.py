"""Runs the migrations on the service's own engine, one process at a time."""

import logging

from alembic import context
from flask import current_app
from sqlalchemy import text

from session_api.store.schema import LOCK

log = logging.getLogger("alembic.env")
target = current_app.extensions["migrate"].db


def run() -> None:
    with target.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
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
