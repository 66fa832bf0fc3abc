"""Erases a tenant: its keys and all its rows, in steps that no limit of the service cuts off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from time import sleep
from typing import Any

import psycopg2
from sqlalchemy.exc import DBAPIError

from . import breaker
from .config import Settings
from .db import REQUEST_SECONDS, Database
from .keyring import FRESH_SECONDS, TOUCH_EVERY_SECONDS
from .store import api_keys, tenants

# Of one statement: it ends far below the statement timeout.
SESSIONS, ROWS = 100, 1000
# For so long a process may know a deleted key, and then be at work for it.
SETTLE_SECONDS = FRESH_SECONDS + REQUEST_SECONDS


def erase(database: Database, tenant_id: str, wait: Callable[[float], object] = sleep) -> dict[str, int]:
    """Delete all that the tenant has, and return how many rows of each kind there were.

    The keys go first. If one was in use, waits until no process can know it any more, and deletes what was written
    until then. After a lost link a step is run again; what its first run deleted is not counted.
    """
    keys = database.run(api_keys.delete_all, tenant_id)
    counts = {**dict.fromkeys(tenants.TABLES, 0), "keys": len(keys)}
    _sweep(database, tenant_id, counts)
    # Uses are noted once a minute.
    recently = datetime.now(timezone.utc) - timedelta(seconds=TOUCH_EVERY_SECONDS + SETTLE_SECONDS)
    if any(key.last_used_at is not None and key.last_used_at > recently for key in keys):
        wait(SETTLE_SECONDS)
        _sweep(database, tenant_id, counts)
    return counts


def vacuum(database: Database, settings: Settings) -> bool:
    """Let PostgreSQL reuse the space of deleted rows; False when it did not, for example for want of the right to."""
    url = database.engine.url.update_query_dict({"options": "-c statement_timeout=0"})
    patient = Database(replace(settings, database_url=url.render_as_string(hide_password=False)))
    tables = ", ".join([*(table.name for table in tenants.TABLES.values()), "api_keys"])
    try:
        with patient.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.cursor().execute(f"VACUUM {tables}")
            # A table that somebody else owns is left out with a warning, not an error; SQLAlchemy would swallow it.
            return not driver.notices
    except (DBAPIError, psycopg2.Error, breaker.Open):
        return False
    finally:
        patient.dispose()


def _sweep(database: Database, tenant_id: str, counts: dict[str, int]) -> None:
    while session_ids := database.read(tenants.some_sessions, tenant_id, SESSIONS):
        for name, table in tenants.TABLES.items():
            while deleted := database.run(tenants.delete_some, table, tenant_id, session_ids, ROWS):
                counts[name] += deleted
