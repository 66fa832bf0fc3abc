"""Several clients of one session, each with a cache, and what they must see in it."""

from __future__ import annotations

from itertools import count
from typing import Any, NamedTuple

from strands.types.session import Session, SessionMessage, SessionType

from strands_session_client import NotFoundError, PostgreSQLSessionRepository, cache

from ..conftest import new_id
from . import words

CLIENTS = 4
GONE = "gone"


class Step(NamedTuple):
    """What one of the clients does."""

    verb: str
    client: int
    agent_id: str
    number: int
    limit: int | None


class World:
    """What there is: words that no two writes share, by message, by agent and of the team; None where nothing is."""

    def __init__(self, live_url: str, pages: list[tuple[int, int]]) -> None:
        elsewhere = live_url.replace("127.0.0.1", "localhost")
        # Two share what they read, one keeps it to itself, and one keeps nothing.
        ways = [(live_url, cache.DEFAULT_BYTES)] * 2 + [(elsewhere, cache.DEFAULT_BYTES), (live_url, 0)]
        self._ways = [(*way, *page) for way, page in zip(ways, pages, strict=True)]
        self._clients = [words.client_of(*way) for way in self._ways]
        self._session_id = new_id()
        self._words = (f"words {number}" for number in count())
        self._there = False
        self._agents: dict[str, str] = {}
        self._messages: dict[str, dict[int, str]] = {}
        self._team: str | None = None

    def take(self, step: Step) -> tuple[Any, Any]:
        """What must come of the step, and what came of it."""
        return getattr(self, f"_{step.verb}")(step, self._clients[step.client])

    # Writes; what they need is made first

    def _append(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        messages = self._agent(step, client)
        for _ in range(step.number % 4 + 1):
            self._write(step, client, max(messages, default=-1) + 1)
        return None, None

    def _create(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        if step.number not in self._agent(step, client):
            self._write(step, client, step.number)
        return None, None

    def _redact(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        messages = self._messages.get(step.agent_id, {})
        if step.number in messages:
            messages[step.number] = next(self._words)
            redaction = {"redact_message": words.said(messages[step.number])}
            client.update_message(self._session_id, step.agent_id, step.number, redaction)
        return None, None

    def _delete(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        there = self._messages.get(step.agent_id, {}).pop(step.number, None) is not None
        return there, client.delete_message(self._session_id, step.agent_id, step.number)

    def _change_agent(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        self._agent(step, client)
        self._agents[step.agent_id] = next(self._words)
        client.update_agent(self._session_id, words.agent(step.agent_id, self._agents[step.agent_id]))
        return None, None

    def _change_team(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        self._session(client)
        write = client.create_multi_agent if self._team is None else client.update_multi_agent
        self._team = next(self._words)
        write(self._session_id, words.Team(self._team))
        return None, None

    def _delete_agent(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        self._messages.pop(step.agent_id, None)
        there = self._agents.pop(step.agent_id, None) is not None
        return there, client.delete_agent(self._session_id, step.agent_id)

    def _delete_session(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        there, self._there, self._team = self._there, False, None
        self._agents.clear()
        self._messages.clear()
        return there, client.delete_session(self._session_id)

    def _rebuild(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        self._clients[step.client] = words.client_of(*self._ways[step.client])
        return None, None

    # Reads; what they give is spoilt afterwards, which must not show anywhere

    def _list_messages(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        # Half of the time as the SDK restores an agent, half of the time some page.
        offset, limit = (0, None) if step.number < 7 else (step.number - 7, step.limit)
        expected: Any = GONE
        if step.agent_id in self._agents:
            there = sorted(self._messages[step.agent_id].items())
            expected = there[offset : None if limit is None else offset + limit]
        try:
            messages = client.list_messages(self._session_id, step.agent_id, limit, offset)
        except NotFoundError:
            return expected, GONE
        return expected, [words.heard(message) for message in messages]

    def _read_message(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        message = client.read_message(self._session_id, step.agent_id, step.number)
        expected = self._messages.get(step.agent_id, {}).get(step.number)
        return expected, message and words.heard(message)[1]

    def _last_message(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        there = self._messages.get(step.agent_id)
        try:
            message = client.last_message(self._session_id, step.agent_id)
        except NotFoundError:
            return None, there
        return max(there.items(), default=None) if there is not None else GONE, message and words.heard(message)

    def _list_agents(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        try:
            agents = client.list_agents(self._session_id)
        except NotFoundError:
            return self._there, False
        return self._agents if self._there else GONE, {agent.agent_id: words.spoilt(agent.state) for agent in agents}

    def _read_agent(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        agent = client.read_agent(self._session_id, step.agent_id)
        return self._agents.get(step.agent_id), agent and words.spoilt(agent.state)

    def _read_session(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        return self._there, client.read_session(self._session_id) is not None

    def _list_sessions(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        return [self._session_id][: self._there], [
            session.session_id for session in client.list_sessions(prefix=self._session_id)
        ]

    def _read_team(self, step: Step, client: PostgreSQLSessionRepository) -> tuple[Any, Any]:
        if step.number % 2 and self._there:
            states = client.list_multi_agents(self._session_id)
            return {"t": self._team} if self._team else {}, {
                name: words.spoilt(state) for name, state in states.items()
            }
        state = client.read_multi_agent(self._session_id, "t")
        return self._team, state and words.spoilt(state)

    # What writes have in common

    def _session(self, client: PostgreSQLSessionRepository) -> None:
        if not self._there:
            client.create_session(Session(self._session_id, SessionType.AGENT, words.SOME_DAY, words.SOME_DAY))
            self._there = True

    def _agent(self, step: Step, client: PostgreSQLSessionRepository) -> dict[int, str]:
        self._session(client)
        if step.agent_id not in self._agents:
            self._agents[step.agent_id] = next(self._words)
            client.create_agent(self._session_id, words.agent(step.agent_id, self._agents[step.agent_id]))
            self._messages[step.agent_id] = {}
        return self._messages[step.agent_id]

    def _write(self, step: Step, client: PostgreSQLSessionRepository, message_id: int) -> None:
        self._messages[step.agent_id][message_id] = new = next(self._words)
        message = SessionMessage(words.said(new), message_id, None, words.SOME_DAY, words.SOME_DAY)
        client.create_message(self._session_id, step.agent_id, message)
