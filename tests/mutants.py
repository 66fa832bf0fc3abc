"""Services that break their promises: each is this one with one operation gone wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import Connection

from session_api.errors import DatabaseUnavailable
from session_api.models import AgentKey, AgentRow, MessageKey, MessageRow
from session_api.store import agents, messages
from session_api.store.pages import Listing, Page

Pending = list[Callable[[], object]]  # what is still to happen when the clients have ended
Mutate = Callable[[pytest.MonkeyPatch, str, Pending], None]  # the database's URL


def drop_an_acknowledged_row(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def append(tx: Connection, key: MessageKey, new: dict[str, Any]) -> MessageRow:
        row = real(tx, key, new)
        if key.message_id % 5 == 3:
            messages.delete(tx, key)
        return row

    real = messages.append
    patch.setattr(messages, "append", append)


def duplicate(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def append(tx: Connection, key: MessageKey, new: dict[str, Any]) -> MessageRow:
        if key.message_id % 5 == 3:
            real(tx, key._replace(message_id=key.message_id + 1_000_000), new)
        return real(tx, key, new)

    real = messages.append
    patch.setattr(messages, "append", append)


def reorder(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def list_(tx: Connection, parent: AgentKey, page: Page, filters: Any = None) -> Listing[MessageRow]:
        listing = real(tx, parent, page, filters)
        return replace(listing, rows=listing.rows[1::-1] + listing.rows[2:])

    real = messages.list_
    patch.setattr(messages, "list_", list_)


def answer_before_commit(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def append(tx: Connection, key: MessageKey, new: dict[str, Any]) -> MessageRow:
        if key.message_id % 5 != 3:
            return real(tx, key, new)
        late = engine.connect()
        row = real(late, key, new)
        # The driver's own: SQLAlchemy knows of no transaction, since the store's statements go past it.
        pending.append(lambda: (late.connection.commit(), late.close()))
        return row

    engine = create_engine(url, poolclass=NullPool)
    real = messages.append
    patch.setattr(messages, "append", append)


def read_stale(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def read(tx: Connection, key: AgentKey, known: Any = None) -> AgentRow:
        if next(numbers) % 3 or key not in seen:
            seen[key] = real(tx, key, known)
        return seen[key]

    seen: dict[AgentKey, AgentRow] = {}
    numbers = count()
    real = agents.read
    patch.setattr(agents, "read", read)


def truncate(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def append(tx: Connection, key: MessageKey, new: dict[str, Any]) -> MessageRow:
        message = json.loads(new["message"])
        message["content"][0]["text"] = message["content"][0]["text"][:300]
        return real(tx, key, {**new, "message": json.dumps(message)})

    real = messages.append
    patch.setattr(messages, "append", append)


def lose_an_update(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def update(tx: Connection, key: AgentKey, changes: dict[str, Any], expected: Any = None) -> AgentRow:
        if next(numbers) % 3:
            return real(tx, key, changes, expected)
        return agents.read(tx, key)._replace(**changes)

    numbers = count()
    real = agents.update
    patch.setattr(agents, "update", update)


def answer_500(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def append(tx: Connection, key: MessageKey, new: dict[str, Any]) -> MessageRow:
        if key.message_id % 10 == 3:
            raise ArithmeticError
        return real(tx, key, new)

    real = messages.append
    patch.setattr(messages, "append", append)


def deny_what_was_applied(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def append(tx: Connection, key: MessageKey, new: dict[str, Any]) -> MessageRow:
        row = real(tx, key, new)
        if key.agent_id == "raw" and key.message_id % 5 == 3:
            raise DatabaseUnavailable("it is a mutant", applied=False)
        return row

    real = messages.append
    patch.setattr(messages, "append", append)


def leave_a_page_out(patch: pytest.MonkeyPatch, url: str, pending: Pending) -> None:
    def list_(tx: Connection, parent: AgentKey, page: Page, filters: Any = None) -> Listing[MessageRow]:
        return real(tx, parent, page._replace(offset=page.offset + 1) if page.offset else page, filters)

    real = messages.list_
    patch.setattr(messages, "list_", list_)


# What the checker calls each of them.
MUTANTS: dict[Mutate, str] = {
    drop_an_acknowledged_row: "lost acknowledgement",
    duplicate: "duplicate",
    reorder: "order",
    answer_before_commit: "stale read",
    read_stale: "stale read",
    truncate: "torn document",
    lose_an_update: "lost update",
    answer_500: "answer 500",
    deny_what_was_applied: "applied, but said not to be",
    leave_a_page_out: "pages",
}
