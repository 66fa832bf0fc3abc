"""Reads what is there when everything is healed: through the API, and by SQL past the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from . import exchange
from .documents import fingerprint

Rows = Callable[[str], list[tuple[Any, ...]]]
Row = tuple[str, str]  # key and fingerprint


@dataclass
class Api:
    """Each list as it comes in the largest pages, the same list in other pages, and the rows read one by one."""

    lists: dict[str, list[Row]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    pages: dict[tuple[str, str], list[Row]] = field(default_factory=dict)  # by collection and way of paging
    singles: list[Row] = field(default_factory=list)


@dataclass
class Sql:
    """Every row, which of them have no parent, and how many connections were left idle in a transaction."""

    rows: list[Row]
    orphans: list[str]
    idle_in_transaction: int


def through_api(url: str, prefix: str, key: str | None = None) -> Api:
    """Everything of the sessions whose ids begin with the prefix."""
    reader = _Reader(url, key)
    reader.read_list(f"sessions?prefix={prefix}")
    for session, _ in reader.api.lists["sessions"]:
        reader.read_list(f"{session}/agents")
        for agent, _ in reader.api.lists[f"{session}/agents"]:
            reader.read_list(f"{agent}/messages")
    return reader.api


class _Reader:
    def __init__(self, url: str, key: str | None) -> None:
        self.api = Api()
        self._root = f"{url}/api/v1"
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers.update({"Authorization": f"Bearer {key}"} if key else {})

    def read_list(self, target: str) -> None:
        path, _, query = target.partition("?")
        total = self.api.totals[path] = self._get(path, query, "limit=1")["total"]
        rows = self.api.lists[path] = list(self._by_cursor(path, query, 1000))
        size = max(total // 17, 7)
        self.api.pages[path, "after"] = list(self._by_cursor(path, query, size))
        self.api.pages[path, "offset"] = [
            row
            for offset in range(0, total, size)
            for row in _rows(path, self._get(path, query, f"limit={size}&offset={offset}"))
        ]
        backwards = list(self._by_cursor(path, f"{query}&order=desc".strip("&"), size))
        self.api.pages[path, "descending"] = backwards[::-1]
        for key, _ in rows[:: max(total // 20, 1)]:
            resource = path.split("/")[-1][:-1]
            self.api.singles.append((key, fingerprint(resource, self._get(key))))

    def _by_cursor(self, path: str, query: str, size: int) -> Iterator[Row]:
        after = ""
        while True:
            page = self._get(path, query, f"limit={size}", after)
            yield from _rows(path, page)
            if page["next"] is None:
                return
            after = f"after={page['next']}"

    def _get(self, path: str, *query: str) -> dict[str, Any]:
        answer = self._http.get(f"{self._root}/{path}?{'&'.join(filter(None, query))}", timeout=60)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body


def _rows(path: str, page: dict[str, Any]) -> Iterator[Row]:
    return exchange.rows(path, page[path.split("/")[-1]])


def by_sql(rows: Rows, prefix: str) -> Sql:
    """The same from the tables themselves; `rows` runs a query."""
    found: list[Row] = []
    session = f"FROM sessions WHERE starts_with(session_id, '{prefix}')"
    for session_id, session_type, state in rows(f"SELECT session_id, session_type, multi_agent_state {session}"):
        body = {"session_type": session_type, "multi_agent_state": state}
        found.append((f"sessions/{session_id}", fingerprint("session", body)))
    columns = "state, conversation_manager_state, internal_state"
    for session_id, agent_id, *states in rows(
        f"SELECT session_id, agent_id, {columns} FROM session_agents WHERE starts_with(session_id, '{prefix}')"
    ):
        body = dict(zip(columns.split(", "), states, strict=True))
        found.append((f"sessions/{session_id}/agents/{agent_id}", fingerprint("agent", body)))
    for session_id, agent_id, message_id, message, redacted in rows(
        "SELECT session_id, agent_id, message_id, message, redact_message FROM session_messages"
        f" WHERE starts_with(session_id, '{prefix}')"
    ):
        key = f"sessions/{session_id}/agents/{agent_id}/messages/{message_id}"
        found.append((key, fingerprint("message", {"message": message, "redact_message": redacted})))
    orphans = rows(_ORPHANS)
    ((idle,),) = rows(_IDLE)
    return Sql(found, [f"{table} {parent}" for table, parent in orphans], idle)


_IDLE = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""
_ORPHANS = """
    SELECT 'agent of', session_id FROM session_agents
     WHERE NOT EXISTS (SELECT FROM sessions WHERE (session_id, tenant_id)
                       = (session_agents.session_id, session_agents.tenant_id))
    UNION ALL
    SELECT 'message of', session_id || '/' || agent_id FROM session_messages
     WHERE NOT EXISTS (SELECT FROM session_agents WHERE (session_id, tenant_id, agent_id)
                       = (session_messages.session_id, session_messages.tenant_id, session_messages.agent_id))
"""
