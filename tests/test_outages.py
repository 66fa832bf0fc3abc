"""The running service while its database goes away, and while it is told to reload or to stop."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit

import pytest
import requests
from strands.types.session import Session, SessionAgent, SessionMessage

from faults.proxy import Proxy, to_database, to_port
from strands_session_client import PostgreSQLSessionRepository

from .conftest import ROOT, environment, free_port, new_id, wait_until_ready

# The promise is 2 s: the service asks once a tenth of a second here, and how long an answer takes is not counted.
READY_TENTHS = 20


class Outage:
    """The way to the database, which can be closed."""

    def __init__(self, database_url: str) -> None:
        self._connect = to_database(database_url)
        self.is_down = False
        self.proxy = Proxy(self._open)
        self.url = self.proxy.url(database_url)

    def begin(self) -> None:
        self.is_down = True
        self.proxy.cut()

    def end(self) -> None:
        self.is_down = False

    def _open(self) -> socket.socket:
        if self.is_down:
            raise ConnectionRefusedError
        return self._connect()


@pytest.fixture
def outage(database_url: str) -> Iterator[Outage]:
    outage = Outage(database_url)
    yield outage
    outage.proxy.close()


@pytest.fixture
def start(outage: Outage, tmp_path: Path) -> Iterator[Callable[[], tuple[str, subprocess.Popen[bytes]]]]:
    """Start the service on the database behind the outage; it lives, but need not be ready."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> tuple[str, subprocess.Popen[bytes]]:
        port = free_port()
        log = tmp_path / "log"
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            cwd=ROOT,
            env=environment(DATABASE_URL=outage.url, API_PORT=str(port), LOG_LEVEL="ERROR"),
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log, "/health/live")
        return url, process

    yield start
    for process in started:
        process.terminate()
        process.wait(30)


def is_ready(url: str) -> bool:
    """As seen by all workers: each has connections and a breaker of its own, and any of them may answer."""
    return all(requests.get(f"{url}/health/ready").ok for _ in range(12))


def until(condition: Callable[[], bool]) -> int:
    """How many tenths of a second it took; fails after a minute."""
    for tenths in range(600):
        if condition():
            return tenths
        sleep(0.1)
    pytest.fail("it did not happen within a minute")


class Appender(threading.Thread):
    """Appends messages one after the other until told to stop; keeps what was acknowledged, and every error."""

    def __init__(self, repository: PostgreSQLSessionRepository, session_id: str, agent_id: str) -> None:
        super().__init__()
        self.repository, self.session_id, self.agent_id = repository, session_id, agent_id
        self.acknowledged: list[int] = []
        self.errors: list[Exception] = []
        self.stop = threading.Event()
        repository.create_agent(session_id, SessionAgent(agent_id, {}, {}))

    def run(self) -> None:
        message_id = 0
        while not self.stop.is_set():
            message = SessionMessage({"role": "user", "content": [{"text": f"{message_id}"}]}, message_id)
            try:
                self.repository.create_message(self.session_id, self.agent_id, message)
                self.acknowledged.append(message_id)
            except Exception as error:  # whatever it is, it is counted
                self.errors.append(error)
            message_id += 1

    def stored(self) -> list[int]:
        return [message.message_id for message in self.repository.list_messages(self.session_id, self.agent_id)]


@pytest.fixture
def appending() -> Iterator[Callable[[str], list[Appender]]]:
    """Four agents, each appending in a thread of its own."""
    appenders: list[Appender] = []

    def appending(url: str) -> list[Appender]:
        repository = PostgreSQLSessionRepository(url)
        session_id = new_id()
        repository.create_session(Session(session_id, "AGENT"))
        appenders.extend(Appender(repository, session_id, f"agent-{number}") for number in range(4))
        for appender in appenders:
            appender.start()
        return appenders

    yield appending
    for appender in appenders:
        appender.stop.set()
        appender.join()


def assert_all_acknowledged_is_there(appenders: list[Appender]) -> None:
    for appender in appenders:
        appender.stop.set()
        appender.join()
        assert [] == appender.errors
        assert appender.acknowledged == appender.stored()


def test_started_before_its_database_it_lives_and_becomes_ready(outage: Outage, start) -> None:
    outage.begin()
    url, process = start()
    before = requests.get(f"{url}/health/ready"), requests.get(f"{url}/api/v1/sessions")
    assert not any(requests.get(f"{url}/health/ready").ok for _ in range(40))  # enough to open every breaker

    outage.end()
    waited = until(lambda: is_ready(url))

    assert waited <= READY_TENTHS
    assert [503, 503] == [answer.status_code for answer in before]
    assert "it cannot be reached" == before[0].json()["checks"]["database"]["reason"]
    assert 200 == requests.get(f"{url}/api/v1/sessions").status_code
    assert process.poll() is None


def test_through_an_outage_no_acknowledged_message_is_lost_and_none_comes_twice(
    outage: Outage, start, appending
) -> None:
    url, _ = start()
    appenders = appending(url)
    until(lambda: all(len(appender.acknowledged) >= 5 for appender in appenders))

    outage.begin()
    until(lambda: not requests.get(f"{url}/health/ready").ok)
    assert requests.get(f"{url}/health/live").ok
    sleep(1)
    outage.end()
    waited = until(lambda: is_ready(url))
    seen = [len(appender.acknowledged) for appender in appenders]
    until(lambda: all(len(a.acknowledged) >= count + 5 for a, count in zip(appenders, seen, strict=True)))

    assert waited <= READY_TENTHS
    assert_all_acknowledged_is_there(appenders)


def test_a_database_that_was_not_even_refusing_is_used_again_as_soon_as_it_answers(outage: Outage, start) -> None:
    url, _ = start()
    until(lambda: is_ready(url))
    outage.proxy.stall()
    until(lambda: not requests.get(f"{url}/health/ready").ok)

    outage.proxy.flow()

    assert until(lambda: is_ready(url)) <= READY_TENTHS


def test_clients_ask_less_during_an_outage_and_no_more_than_once_a_call_after_it(
    outage: Outage, start, appending
) -> None:
    url, _ = start()
    way = Proxy(to_port(urlsplit(url).port))
    appenders = appending(f"http://127.0.0.1:{way.port}")
    sleep(1)
    until(lambda: all(len(appender.acknowledged) >= 25 for appender in appenders))
    before = len(way.requests)

    outage.begin()
    sleep(1)
    during = len(way.requests) - before
    outage.end()
    seen = [len(appender.acknowledged) for appender in appenders]
    asked, answered = len(way.requests), sum(seen)
    until(lambda: all(len(a.acknowledged) >= count + 20 for a, count in zip(appenders, seen, strict=True)))
    asked, answered = len(way.requests) - asked, sum(len(a.acknowledged) for a in appenders) - answered

    assert during < before
    assert asked <= answered * 1.2
    assert_all_acknowledged_is_there(appenders)
    way.close()


def test_a_reload_under_load_is_not_noticed(start, appending) -> None:
    url, process = start()
    appenders = appending(url)
    for _ in range(2):
        seen = [len(appender.acknowledged) for appender in appenders]
        process.send_signal(signal.SIGHUP)
        until(lambda seen=seen: all(len(a.acknowledged) >= n + 20 for a, n in zip(appenders, seen, strict=True)))

    assert_all_acknowledged_is_there(appenders)


def test_a_stop_finishes_what_was_begun(outage: Outage, start, appending) -> None:
    url, process = start()
    session = requests.post(f"{url}/api/v1/sessions", json={"session_id": new_id()})
    outage.proxy.stall()
    asked = outage.proxy.asked
    answers: list[int] = []
    put = {"session_type": "CHANGED"}
    location = f"{url}{session.headers['Location']}"
    slow = threading.Thread(target=lambda: answers.append(requests.put(location, json=put).status_code))
    slow.start()
    until(lambda: outage.proxy.asked > asked)

    process.terminate()
    sleep(0.5)
    outage.proxy.flow()
    slow.join()

    assert [200] == answers
    assert 0 == process.wait(30)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health/live")
