"""The operations that are measured, and what each is compared with."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import Any

import psycopg2
import requests
from strands.session.session_repository import SessionRepository
from strands.types.session import Session, SessionAgent, SessionMessage

from . import targets
from .inputs import MESSAGE, SESSION, STATE, appends, request
from .rounds import Result, Turn, interleave
from .stack import Stack

CONNECTIONS = (1, 16)
LENGTHS = (0, 1_000, 10_000, 100_000)
PAGE = 50
INSERT = r"""
\set id :id + 1
INSERT INTO session_messages
    (session_id, tenant_id, agent_id, message_id, message, redact_message, version, created_at, updated_at)
VALUES ('bench', 'default', 'pgbench-' || :client_id, :id, '{message}', NULL, 1, now(), now())
ON CONFLICT DO NOTHING
RETURNING created_at, updated_at;
"""


class Measurements:
    """Everything that `python -m bench` measures, on one stack."""

    def __init__(
        self, stack: Stack, files: SessionRepository, direct: SessionRepository, rounds: int, seconds: float
    ) -> None:
        self.stack, self.rounds, self.seconds = stack, rounds, seconds
        self.repositories = {"files": files, "direct": direct}
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {stack.key}"
        self._prepare()

    def all(self, tell: Callable[[str], None]) -> dict[str, Any]:
        """The tables of docs/performance.md."""
        rows = []
        for connections in CONNECTIONS:
            for name, turns in self._operations(connections).items():
                result = interleave(turns, self.rounds)
                rows.append(_row(name, connections, result))
                tell(_line(rows[-1]))
        flat = []
        for name, turns in self._lengths().items():
            result = interleave(turns, self.rounds)
            shown = {length: vars(result.cost(length, "0")) for length in turns}
            flat.append({"operation": name, "cost": shown})
            tell(f"{name}: " + ", ".join(f"{length}: {cost['median']:.2f}" for length, cost in shown.items()))
        memory = {target: [round(size) for size in self.stack.memory(target)] for target in self.stack.ports}
        return {"operations": rows, "flat": flat, "memory_mib": memory}

    def _operations(self, connections: int) -> dict[str, dict[str, Turn]]:
        agent = f"/sessions/{SESSION}/agents"
        put = {"state": STATE}
        operations = {
            "append": self._http(connections, lambda number: appends(self._new_agent(), 0, self.stack.key)),
            "list 50": self._http(connections, self._same("GET", f"{agent}/page/messages?limit=50&total=false"), 50),
            "list 200": self._http(connections, self._same("GET", f"{agent}/page/messages?limit=200&total=false"), 200),
            "PUT agent": self._http(
                connections, lambda number: repeat(request("PUT", f"{agent}/put-{number}", put, self.stack.key))
            ),
            "GET session": self._http(connections, self._same("GET", f"/sessions/{SESSION}")),
            "GET agent": self._http(connections, self._same("GET", f"{agent}/put-0")),
        }
        operations["append"]["pgbench"] = self._pgbench(connections)
        if connections == 1:
            for target, repository in self.repositories.items():
                for name, call, rows in self._calls(repository):
                    operations[name][target] = targets.calls(call, self.seconds, rows)
        return operations

    def _lengths(self) -> dict[str, dict[str, Turn]]:
        """The same operation on agents of different lengths; the last page of each is asked for by its cursor."""
        turns: dict[str, dict[str, Turn]] = {"append": {}, "PUT agent": {}, "GET agent": {}, "page of 50": {}}
        for length in LENGTHS:
            agent = f"/sessions/{SESSION}/agents/long-{length}"
            one = {
                "append": lambda number, length=length: appends(
                    f"long-{length}", self._next_id(length), self.stack.key
                ),
                "PUT agent": lambda number, agent=agent: repeat(
                    request("PUT", agent, {"state": STATE}, self.stack.key)
                ),
                "GET agent": self._same("GET", agent),
                "page of 50": self._same("GET", self._last_page(length)),
            }
            for name, requests_of in one.items():
                port = self.stack.ports["service"]
                turns[name][str(length)] = targets.http(port, requests_of, 1, self.seconds / 2)
        return turns

    def _http(self, connections: int, of: Callable[[int], Iterator[bytes]], rows: int = 1) -> dict[str, Turn]:
        return {
            target: targets.http(port, of, connections, self.seconds, rows) for target, port in self.stack.ports.items()
        }

    def _same(self, method: str, path: str) -> Callable[[int], Iterator[bytes]]:
        return lambda number: repeat(request(method, path, key=self.stack.key))

    def _pgbench(self, connections: int) -> Turn:
        script = INSERT.replace("{message}", json.dumps(MESSAGE).replace("'", "''"))

        def turn() -> Any:
            start = int(uuid.uuid4().int % 2**40) * 2**20
            return targets.pgbench(self.stack.database_url, script, connections, self.seconds, {"id": start})()

        return turn

    def _calls(self, repository: SessionRepository) -> list[tuple[str, Callable[[], object], int]]:
        ids = count()
        changed = SessionAgent("put-0", STATE, {})

        def append() -> None:
            repository.create_message(SESSION, "calls", SessionMessage(MESSAGE, next(ids)))

        return [
            ("append", append, 1),
            ("list 50", lambda: repository.list_messages(SESSION, "page", limit=50), 50),
            ("list 200", lambda: repository.list_messages(SESSION, "page", limit=200), 200),
            ("PUT agent", lambda: repository.update_agent(SESSION, changed), 1),
            ("GET session", lambda: repository.read_session(SESSION), 1),
            ("GET agent", lambda: repository.read_agent(SESSION, "put-0"), 1),
        ]

    def _prepare(self) -> None:
        self._post("/sessions", {"session_id": SESSION})
        names = ["page", "calls", *(f"{kind}-{number}" for kind in ("put", "pgbench") for number in range(16))]
        for name in names:
            self._new_agent(name)
        for message_id in range(200):
            self._post(f"/sessions/{SESSION}/agents/page/messages", {"message_id": message_id, "message": MESSAGE})
        for length in LENGTHS:
            self._new_agent(f"long-{length}")
            self._fill(f"long-{length}", max(length, PAGE))
        files = self.repositories["files"]
        if files.read_session(SESSION) is None:
            files.create_session(Session(SESSION, "AGENT"))
        for name in ("page", "calls", "put-0"):
            files.create_agent(SESSION, SessionAgent(name, STATE, {}))
        for message_id in range(200):
            files.create_message(SESSION, "page", SessionMessage(MESSAGE, message_id))

    def _fill(self, agent_id: str, length: int) -> None:
        connection = psycopg2.connect(self.stack.database_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO session_messages SELECT %s, 'default', %s, id, %s, NULL, 1, now(), now()"
                " FROM generate_series(0, %s) AS id",
                (SESSION, agent_id, json.dumps(MESSAGE), length - 1),
            )
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE session_messages")
        connection.close()

    def _next_id(self, length: int) -> int:
        path = f"/sessions/{SESSION}/agents/long-{length}/messages?order=desc&limit=1&total=false"
        return int(self._get(path)["messages"][0]["message_id"]) + 1

    def _last_page(self, length: int) -> str:
        path = f"/sessions/{SESSION}/agents/long-{length}/messages?limit={PAGE}&total=false"
        before = max(length, PAGE) - 2 * PAGE
        return path if before < 0 else f"{path}&after={self._get(f'{path}&offset={before}')['next']}"

    def _new_agent(self, name: str = "") -> str:
        name = name or f"agent-{uuid.uuid4().hex}"
        body = {"agent_id": name, "state": STATE, "conversation_manager_state": {}}
        self._post(f"/sessions/{SESSION}/agents", body)
        return name

    def _post(self, path: str, body: Any) -> None:
        self.http.post(f"http://127.0.0.1:{self.stack.ports['service']}/api/v1{path}", json=body).raise_for_status()

    def _get(self, path: str) -> Any:
        answer = self.http.get(f"http://127.0.0.1:{self.stack.ports['service']}/api/v1{path}")
        answer.raise_for_status()
        return answer.json()


def _row(name: str, connections: int, result: Result) -> dict[str, Any]:
    others = [target for target in result.samples if target != "service"]
    return {
        "operation": name,
        "connections": connections,
        "rows_per_second": round(result.rate("service")),
        "p50_ms": round(result.percentile("service", 50), 2),
        "p99_ms": round(result.percentile("service", 99), 2),
        "ratios": {target: vars(result.ratio("service", target)) for target in others},
    }


def _line(row: dict[str, Any]) -> str:
    ratios = ", ".join(f"{ratio['median']:.2f} of {target}" for target, ratio in row["ratios"].items())
    return f"{row['operation']}, {row['connections']} connections: {row['rows_per_second']} rows/s, {ratios}"
