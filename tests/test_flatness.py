"""What an operation costs does not grow with the conversation: pages that PostgreSQL touches, counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from session_api.db import Database

from .conftest import AGENT, HELLO
from .sent import statements_of

LONG = 100_000
STEP = 10_000
# An index of 100,000 rows is two levels deeper than one of 50; each level is a page more for every descent, and a page
# of the table may be split over two.
DEEPER = 8


@pytest.fixture(scope="module")
def lengths(app, db: Database) -> list[str]:
    """The URLs of two agents of one session: one with 50 messages, one with 100,000."""
    client = app.test_client()
    client.post("/api/v1/sessions", json={"session_id": "flat"})
    urls = []
    for agent_id, length in (("short", 50), ("long", LONG)):
        client.post("/api/v1/sessions/flat/agents", json={**AGENT, "agent_id": agent_id})
        fill = text(
            "INSERT INTO session_messages SELECT 'flat', 'default', :agent, id, :message, NULL, 1, now(), now()"
            " FROM generate_series(:first, :last) AS id"
        )
        values = {"agent": agent_id, "message": json.dumps(HELLO["message"])}
        for first in range(0, length, STEP):  # no statement may take more than 8 s, however slow the machine is
            part = {**values, "first": first, "last": min(first + STEP, length) - 1}
            db.run(lambda tx, fill=fill, part=part: tx.execute(fill, part))
        urls.append(f"/api/v1/sessions/flat/agents/{agent_id}")
    db.run(lambda tx: tx.execute(text("VACUUM ANALYZE session_messages")))
    return urls


def pages_touched(db: Database, call: Callable[[], Any]) -> int:
    """By the one statement of a request, run again to be explained."""
    with statements_of(db, complete=True) as sent:
        assert call().status_code < 400
    (statement,) = sent

    def explain(tx: Any) -> Any:
        explained = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement
        return tx.exec_driver_sql(explained.replace("%", "%%")).scalar_one()

    plan = db.run(explain)[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def last_page(client: FlaskClient, url: str, length: int) -> str:
    if length <= 50:
        return f"{url}/messages?limit=50&total=false"
    behind = client.get(f"{url}/messages?limit=50&offset={length - 100}&total=false").json["next"]
    return f"{url}/messages?limit=50&total=false&after={behind}"


@pytest.mark.parametrize(
    "operation",
    ["append", "PUT agent", "GET agent", "GET session", "last page of 50", "last page of 50 unchanged", "GET message"],
)
def test_it_touches_no_more_than_a_deeper_index(
    client: FlaskClient, db: Database, lengths: list[str], operation: str
) -> None:
    touched = []
    for url, length in zip(lengths, (50, LONG), strict=True):
        page = last_page(client, url, length)
        known = {"If-None-Match": client.get(page).headers["ETag"], "A-IM": "feed"}
        calls: dict[str, Callable[[], Any]] = {
            "append": lambda url=url, length=length: client.post(
                f"{url}/messages", json={**HELLO, "message_id": length + 7}
            ),
            "PUT agent": lambda url=url: client.put(url, json={"state": {"a": 1}}),
            "GET agent": lambda url=url: client.get(url),
            "GET session": lambda: client.get("/api/v1/sessions/flat"),
            "GET message": lambda url=url, length=length: client.get(f"{url}/messages/{length - 1}"),
            "last page of 50": lambda page=page: client.get(page),
            "last page of 50 unchanged": lambda page=page, known=known: client.get(page, headers=known),
        }
        touched.append(pages_touched(db, calls[operation]))

    short, long = touched
    assert 0 < long <= short + DEEPER
