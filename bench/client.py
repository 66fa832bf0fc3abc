"""What the client costs an agent: `python -m bench.client`, with --delay 5 as if the service were 5 ms away."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import NamedTuple

import requests
from strands.session.file_session_manager import FileSessionManager
from strands.session.session_repository import SessionRepository
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from faults.proxy import Proxy, to_port
from strands_session_client import PostgreSQLSessionRepository, cache, documents, wire

from .direct import DirectRepository
from .rounds import Ratio, Sample, Turn, interleave
from .stage import ROOT, is_busy, machine, stage

MESSAGES = 1000
AGENT = "assistant"
SESSION = f"bench-{uuid.uuid4().hex}"


class Compared(NamedTuple):
    """One thing by another: what it costs, as a share of what the other costs."""

    what: str
    ratio: Ratio
    aim: str = ""


class Measured(NamedTuple):
    """`requests` holds, by kind of restore, how many there were and the bytes of their answers."""

    requests: dict[str, tuple[int, int]]
    restores: list[Compared]
    appends: list[Compared]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=25)
    arguments.add_argument("--delay", type=float, default=0, help="milliseconds to the service and back")
    given = arguments.parse_args()
    print(f"On {machine()}; {given.rounds} rounds, the service {given.delay:g} ms away.")
    if is_busy():
        print("WARNING: this machine was busy before it began.")
    with stage() as place:
        measured = measure(place.url, place.api_key, place.database_url, given.rounds, given.delay)
    print(f"\nRestoring {MESSAGES} messages; requests, and bytes of their answers:")
    for name, (requests_, answered) in measured.requests.items():
        print(f"  {name:32} {requests_:8} {answered:12,}")
    print("\nTime of a restore and CPU time of an append, by those of the other:")
    for compared in (*measured.restores, *measured.appends):
        print(f"  {compared.what:32} {compared.ratio!s:32} {compared.aim}")


def measure(url: str, key: str, database_url: str, rounds: int, delay: float = 0) -> Measured:
    """Compare the client of a running service with what agents would use instead."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        far = url if not delay else _relayed(stack, url, delay)
        files = FileSessionManager(SESSION, storage_dir=folder)
        direct = DirectRepository(database_url)
        with PostgreSQLSessionRepository(url, api_key=key) as repository:
            repository.create_session(Session(SESSION, SessionType.AGENT))
            repository.create_agent(SESSION, an_agent())
            files.create_agent(SESSION, an_agent())
            for number in range(MESSAGES):
                repository.create_message(SESSION, AGENT, a_message(number))
                files.create_message(SESSION, AGENT, a_message(number))
        costs = counted(url, key, direct)
        restores = interleave(restoring(far, key, files, direct), rounds)
        appends = interleave(appending(far, key, direct), rounds)
    return Measured(
        costs,
        [
            Compared("first time / FileSessionManager", restores.cost("cold", "files"), "at most 0.167"),
            Compared("first time / direct psycopg2", restores.cost("cold", "direct"), "at most 4"),
            Compared("unchanged / first time", restores.cost("unchanged", "cold"), "at most 0.1"),
            Compared("after one append / first time", restores.cost("after one append", "cold")),
            Compared("cache off / first time", restores.cost("cache off", "cold")),
        ],
        [
            Compared("append, client / requests.Session", appends.cost("client", "requests")),
            Compared("append, client / direct psycopg2", appends.cost("client", "direct")),
            Compared("append, encoding alone / client", appends.cost("encoding", "client")),
        ],
    )


def an_agent() -> SessionAgent:
    return SessionAgent(AGENT, {"mood": "good"}, {"removed_message_count": 0}, {"interrupt_state": {}})


def a_message(number: int) -> SessionMessage:
    """One of a conversation with tools: half a kilobyte on average."""
    content: dict[str, object] = {"text": "What was said, in some length. " * 12}
    if number % 4 == 1:
        content = {"toolUse": {"toolUseId": f"use-{number}", "name": "search", "input": {"query": "teal", "limit": 10}}}
    if number % 4 == 2:
        found = [{"text": "What was found. " * 30}]
        content = {"toolResult": {"toolUseId": f"use-{number - 1}", "status": "success", "content": found}}
    role = "assistant" if number % 2 else "user"
    return SessionMessage({"role": role, "content": [content], "tracking_id": str(uuid.uuid4())}, number)


# Restoring a conversation: what the SDK's session manager reads when an agent is made


def restoring(url: str, key: str, files: FileSessionManager, direct: SessionRepository) -> dict[str, Turn]:
    """Each on a new repository, as an agent that is rebuilt for every request has one."""
    client = partial(PostgreSQLSessionRepository, url, api_key=key)

    def cold() -> Sample:
        cache.clear()
        return _timed(lambda: restore(client()))

    def without_cache() -> Sample:
        return _timed(lambda: restore(client(cache_bytes=0)))

    def unchanged() -> Sample:
        restore(client())
        return _timed(lambda: restore(client()))

    def after_an_append() -> Sample:
        client().delete_message(SESSION, AGENT, MESSAGES - 1)
        restore(client(), MESSAGES - 1)
        direct.create_message(SESSION, AGENT, a_message(MESSAGES - 1))
        return _timed(lambda: restore(client()))

    return {
        "files": lambda: _timed(lambda: restore(FileSessionManager(SESSION, storage_dir=files.storage_dir))),
        "direct": lambda: _timed(lambda: restore(direct)),
        "cold": cold,
        "cache off": without_cache,
        "unchanged": unchanged,
        "after one append": after_an_append,
    }


def restore(repository: SessionRepository, expected: int = MESSAGES) -> None:
    repository.read_session(SESSION)
    repository.read_agent(SESSION, AGENT)
    assert expected == len(repository.list_messages(SESSION, AGENT))


def counted(url: str, key: str, direct: SessionRepository) -> dict[str, tuple[int, int]]:
    """Requests, and bytes of their answers with all that HTTP adds, of a restore the first time and the times after."""
    proxy = Proxy(to_port(int(url.rpartition(":")[2])))
    costs = {}

    repository = PostgreSQLSessionRepository(f"http://127.0.0.1:{proxy.port}", api_key=key)

    def count_one(name: str) -> None:
        asked, answered = len(proxy.requests), proxy.answered
        restore(repository)
        costs[name] = len(proxy.requests) - asked, proxy.answered - answered

    cache.clear()
    count_one("the first time")
    count_one("unchanged")
    repository.delete_message(SESSION, AGENT, MESSAGES - 1)
    restore(repository, MESSAGES - 1)
    direct.create_message(SESSION, AGENT, a_message(MESSAGES - 1))
    count_one("after one append")
    proxy.close()
    return costs


# Appending a message: the CPU time of the thread that does it


def appending(url: str, key: str, direct: SessionRepository) -> dict[str, Turn]:
    repository = PostgreSQLSessionRepository(url, api_key=key)
    http = requests.Session()
    http.headers["Authorization"] = f"Bearer {key}"
    path = f"{url}/api/v1/sessions/{SESSION}/agents/{AGENT}/messages"
    numbers = count(1_000_000)

    def as_it_comes(message: SessionMessage) -> None:
        http.post(path, json=wire.new_message(message)).raise_for_status()

    def bare(message: SessionMessage) -> None:
        documents.encode(wire.new_message(message))

    def turn(append: Callable[[SessionMessage], object]) -> Turn:
        return lambda: _cpu(append, [a_message(next(numbers)) for _ in range(50)])

    return {
        "client": turn(lambda message: repository.create_message(SESSION, AGENT, message)),
        "requests": turn(as_it_comes),
        "direct": turn(lambda message: direct.create_message(SESSION, AGENT, message)),
        "encoding": turn(bare),
    }


def _timed(work: Callable[[], object]) -> Sample:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return Sample([seconds], seconds)


def _cpu(append: Callable[[SessionMessage], object], messages: list[SessionMessage]) -> Sample:
    started = time.thread_time()
    for message in messages:
        append(message)
    seconds = (time.thread_time() - started) / len(messages)
    return Sample([seconds], seconds)


def _relayed(stack: ExitStack, url: str, milliseconds: float) -> str:
    command = [sys.executable, "-m", "bench.relay", url.rpartition(":")[2], str(milliseconds)]
    relay = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
    stack.callback(relay.terminate)
    assert relay.stdout is not None
    return f"http://127.0.0.1:{relay.stdout.readline().strip()}"


if __name__ == "__main__":
    main()
