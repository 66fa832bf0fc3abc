"""What each client does over and over; a failure is in the history already, and the next step goes on."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Protocol

from strands.types.session import Session, SessionAgent, SessionMessage

from strands_session_client import PostgreSQLSessionRepository
from strands_session_client.errors import ConflictError

from . import documents, exchange
from .raw import RawClient

PROCESSES = 4


def session_id(seed: int, process: int) -> str:
    return f"run-{seed}-{process}"


class Worker(Protocol):
    def step(self) -> None: ...


class Appender:
    """An agent that appends its messages in the order of their ids, and goes on only when one is acknowledged."""

    def __init__(self, repository: PostgreSQLSessionRepository, seed: int, process: int, random: Random) -> None:
        self._repository, self._random = repository, random
        self._session_id = session_id(seed, process)
        self._mark = f"log-{process}"
        self._next: SessionMessage | None = None
        self._acknowledged = 0
        repository.create_agent(self._session_id, _agent("log", "log", random))

    def step(self) -> None:
        if self._acknowledged and self._random.random() < 0.1:
            self._change_an_earlier_one()
        if self._next is None:
            mark = f"{self._mark}-{self._acknowledged}"
            self._next = SessionMessage(documents.message(mark, self._random), self._acknowledged)
        try:
            self._repository.create_message(self._session_id, "log", self._next)
        except ConflictError as conflict:
            if not (conflict.details or {}).get("identical"):
                raise
        self._next = None
        self._acknowledged += 1

    def _change_an_earlier_one(self) -> None:
        message_id = self._random.randrange(self._acknowledged)
        mark = f"{self._mark}-{message_id}-changed-{self._random.getrandbits(32)}"
        self._repository.update_message(
            self._session_id, "log", SessionMessage(documents.message(mark, self._random), message_id)
        )


class Keeper:
    """An application that keeps states, looks at those of others, and makes and deletes whole sessions."""

    def __init__(self, repository: PostgreSQLSessionRepository, seed: int, process: int, random: Random) -> None:
        self._repository, self._seed, self._process, self._random = repository, seed, process, random
        self._numbers = count()
        repository.create_agent(session_id(seed, process), _agent("state", "state", random))

    def step(self) -> None:
        mark = f"keeper-{self._process}-{next(self._numbers)}"
        own, anyone = session_id(self._seed, self._process), session_id(self._seed, self._random.randrange(PROCESSES))
        match self._random.choices(range(6), [40, 20, 30, 10, 5, 0.4])[0]:
            case 0:
                self._repository.update_agent(own, _agent("state", mark, self._random))
            case 1:
                self._repository.update_session(own, documents.session(mark))
            case 2:
                self._repository.read_agent(anyone, "state")
                self._repository.read_session(anyone)
            case 3:
                self._repository.list_messages(anyone, "log", 20)
                self._repository.last_message(anyone, "log")
            case 4:
                self._live_and_die(f"{own}-{mark}", mark)
            case 5:
                self._repository.list_messages(anyone, "log")

    def _live_and_die(self, short_lived: str, mark: str) -> None:
        self._repository.create_session(Session(short_lived, "AGENT"))  # type: ignore[arg-type]
        for agent_id in ("kept", "dropped"):
            self._repository.create_agent(short_lived, _agent(agent_id, mark, self._random))
            for message_id in range(2):
                message = SessionMessage(documents.message(f"{mark}-{agent_id}", self._random), message_id)
                self._repository.create_message(short_lived, agent_id, message)
        self._repository.delete_message(short_lived, "kept", 0)
        self._repository.delete_agent(short_lived, "dropped")
        if self._random.random() < 0.7:
            self._repository.delete_session(short_lived)


class Raw:
    """A client of its own making: it tries nothing again and takes a new id instead."""

    def __init__(self, client: RawClient, seed: int, process: int, random: Random) -> None:
        self._client, self._seed, self._process, self._random = client, seed, process, random
        self._path = f"sessions/{session_id(seed, process)}/agents"
        self._numbers = count()
        self._stored: list[int] = []
        client.send("POST", self._path, {"agent_id": "raw", **documents.agent("raw", random)})

    def step(self) -> None:
        number = next(self._numbers)
        messages = f"{self._path}/raw/messages"
        mark = f"raw-{self._process}-{number}"
        anyone = f"sessions/{session_id(self._seed, self._random.randrange(PROCESSES))}/agents"
        kind = self._random.choices(range(5), [40, 15, 20, 20, 5])[0]
        if kind == 0 or not self._stored:
            body = {"message_id": number, "message": documents.message(mark, self._random)}
            answer = self._client.send("POST", messages, body)
            if answer is not None and answer.status_code == 201:
                self._stored.append(number)
        elif kind == 1:
            body = {"message": documents.message(mark, self._random)}
            self._client.send("PUT", f"{messages}/{self._random.choice(self._stored)}", body)
        elif kind == 2:
            self._client.send("GET", f"{messages}/{self._random.choice(self._stored)}")
            self._client.send("GET", f"{anyone}/state")
        elif kind == 3:
            order = self._random.choice(["asc", "desc"])
            self._client.send("GET", f"{anyone}/{self._random.choice(['raw', 'log'])}/messages?limit=20&order={order}")
        else:
            deleted = self._stored.pop(self._random.randrange(len(self._stored)))
            self._client.send("DELETE", f"{messages}/{deleted}")
            self._client.send("GET", f"{messages}/{deleted}")


class Counter:
    """Counts up a number that all processes share, each time only if nobody wrote in between."""

    def __init__(self, client: RawClient, seed: int, process: int, random: Random) -> None:
        self._client, self._process, self._random = client, process, random
        self._path = f"sessions/{session_id(seed, 0)}/agents/counter"
        self._numbers = count()

    def step(self) -> None:
        read = self._client.send("GET", self._path)
        if read is None or read.status_code != 200:
            return
        found = exchange.parsed(read.content)
        mark = f"counter-{self._process}-{next(self._numbers)}"
        counted = documents.agent(mark, self._random, count=found["state"].get("count", 0) + 1)
        base = documents.fingerprint("agent", found)
        self._client.send("PUT", self._path, counted, etag=read.headers["ETag"], base=base)


def _agent(agent_id: str, mark: str, random: Random) -> SessionAgent:
    states = documents.agent(mark, random)
    return SessionAgent(
        agent_id, states["state"], states["conversation_manager_state"], _internal_state=states["internal_state"]
    )
