"""What row-level security would cost: appends and reads with and without a policy, interleaved, on durable PostgreSQL.

`python -m bench.rls` starts a server of its own and prints ratios; docs/adr/0006-keys.md has the decision.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import flask_migrate
import psycopg2
from flask import Flask
from psycopg2.extensions import cursor
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from session_api import config, create_app, embedded, models
from session_api.models import MessageKey
from session_api.store import messages

ROUNDS = 40
CALLS = 100
BODY = '{"message_id":%d,"message":{"role":"user","content":[{"text":"' + "Hello " * 100 + '"}]}}'
# What a tenant costs a statement: one string of two statements is one round trip and one transaction.
TELLING = {
    "none": None,
    "set_config": "SELECT set_config('session_api.tenant', %(rls_tenant)s, true); ",
    "SET LOCAL": "SET LOCAL session_api.tenant = %(rls_tenant)s; ",
}
POLICY = """
    ALTER TABLE {0} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON {0} USING (tenant_id = current_setting('session_api.tenant', true))
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rls-", ignore_cleanup_errors=True) as directory:
        server = embedded.start(Path(directory))
        apps = {name: service(server, number, telling) for number, (name, telling) in enumerate(TELLING.items())}
        for what, call in (("append", appending), ("read", reading)):
            calls = {name: call(app) for name, app in apps.items()}
            for level in ("request", "store"):
                report(f"{what}, {level}", {name: made[level] for name, made in calls.items()})


def service(server: str, number: int, telling: str | None) -> Flask:
    """The service on a database of its own, as a role that policies hold for."""
    name = f"bench_{number}"
    execute(server, f"CREATE ROLE {name} LOGIN")
    execute(server, f"CREATE DATABASE {name} OWNER {name}")
    url = make_url(server).set(username=name, database=name).render_as_string(hide_password=False)
    os.environ["AUTH_MODE"] = "none"
    app = create_app(replace(config.load(Path(os.devnull)), database_url=url, log_level="CRITICAL"))
    with app.app_context():
        flask_migrate.upgrade()
    if telling:
        for table in (models.sessions, models.session_agents, models.session_messages, models.session_multi_agents):
            execute(url, POLICY.format(table.name))
        tell_tenant(app.extensions["session_api_database"].engine, telling)
    client = app.test_client()
    client.post("/api/v1/sessions", json={"session_id": "s"})
    made = client.post(
        "/api/v1/sessions/s/agents", json={"agent_id": "a", "state": {}, "conversation_manager_state": {}}
    )
    assert 201 == made.status_code, made.text
    return app


def tell_tenant(engine: Engine, telling: str) -> None:
    """Put it in front of every statement."""

    class Telling(cursor):
        def execute(self, statement: Any, parameters: Any = None) -> None:
            super().execute(telling + statement, {**(parameters or {}), "rls_tenant": models.DEFAULT_TENANT})

    engine.dispose()
    event.listen(engine, "checkout", lambda connection, *_: setattr(connection, "cursor_factory", Telling))


def execute(url: str, statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(statements)
    connection.close()


def appending(app: Flask) -> dict[str, Callable[[], object]]:
    client, ids, db = app.test_client(), count(), app.extensions["session_api_database"]
    stored = {"message": '{"role":"user","content":[]}', "redact_message": None, "created_at": None, "updated_at": None}

    def request() -> None:
        url = "/api/v1/sessions/s/agents/a/messages"
        assert 201 == client.post(url, data=BODY % next(ids), content_type="application/json").status_code

    def store() -> None:
        db.run(messages.append, MessageKey(models.DEFAULT_TENANT, "s", "a", next(ids)), stored)

    return {"request": request, "store": store}


def reading(app: Flask) -> dict[str, Callable[[], object]]:
    client, db = app.test_client(), app.extensions["session_api_database"]

    def request() -> None:
        assert 200 == client.get("/api/v1/sessions/s/agents/a/messages/7").status_code

    return {
        "request": request,
        "store": lambda: db.read(messages.read, MessageKey(models.DEFAULT_TENANT, "s", "a", 7)),
    }


def report(title: str, calls: dict[str, Callable[[], object]]) -> None:
    """Each round calls every variant in turn; a ratio is that of one round's medians, so that drift cancels out."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        this_round: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(CALLS):
            for name in list(calls)[:: 1 if number % 2 else -1]:
                started = perf_counter()
                calls[name]()
                this_round[name].append(perf_counter() - started)
        for name, of_round in this_round.items():
            times[name].append(median(of_round))
    base = times["none"]
    print(f"{title}: {median(base) * 1e6:.0f} µs without")
    for name in list(calls)[1:]:
        ratios = [with_it / without for with_it, without in zip(times[name][2:], base[2:], strict=True)]
        low, *_, high = quantiles(ratios, n=10)
        print(f"  with {name:<10} x {median(ratios):.3f} (of ten rounds, eight between {low:.3f} and {high:.3f})")


if __name__ == "__main__":
    main()
