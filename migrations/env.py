"""Runs the migrations on the service's own engine, one process at a time."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from session_api.store.schema import LOCK

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
            context.run_migrations()


def print_sql() -> None:
    context.configure(dialect_name="postgresql", target_metadata=target.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    print_sql()
else:
    run()
